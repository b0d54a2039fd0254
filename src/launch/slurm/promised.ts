/**
 * Results that other jobs have left and that do not show yet. A shared file system may tell a node of what another one wrote
 * only after a while (NFS keeps what it knows of a folder for up to a minute). A job of a share that ended well has left a
 * result of every run in it, so whoever comes after it knows what to wait for.
 */
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { SlalomError } from "../../base/errors.js";
import { isResult } from "../../runs/index.js";
import { foldersIn, readRun } from "../../runs/read.js";
import type { StudyJob } from "./jobs.js";

/** Ids of the runs that must have results. */
export const promisedBy = (jobs: readonly StudyJob[]): string[] => [
  ...new Set(jobs.flatMap(({ share, state, runs }) => (share && state === "COMPLETED" ? runs : []))),
];

/** Those of them whose results the study's folder does not show. */
export function unseen(study: string, ids: readonly string[]): string[] {
  const runs = join(study, "runs");
  // To list a folder makes NFS ask for it anew; to look for one file in it does not.
  const present = new Set(foldersIn(runs));
  return ids.filter((id) => !present.has(id) || !shows(join(runs, id)));
}

function shows(run: string): boolean {
  foldersIn(run);
  try {
    const stored = readRun(run);
    return stored !== undefined && isResult(stored.status);
  } catch (error) {
    // What is broken and stays so is told by whoever reads it next.
    if (error instanceof SlalomError) return false;
    throw error;
  }
}

export interface Patience {
  /** As long as a file system may take, and some more. */
  readonly patienceMs?: number;
  /** Told once that there is something to wait for. */
  readonly onWait?: (ids: readonly string[]) => void;
}

const pollMs = 500;

/** Waits until the folder shows these results; gives the ids of those that it still does not show. */
export async function awaitResults(
  study: string,
  ids: readonly string[],
  { patienceMs = 90_000, onWait = () => {} }: Patience = {},
): Promise<string[]> {
  const until = performance.now() + patienceMs;
  let missing = unseen(study, ids);
  if (missing.length > 0) onWait(missing);
  while (missing.length > 0 && performance.now() < until) {
    await setTimeout(Math.min(pollMs, patienceMs));
    missing = unseen(study, missing);
  }
  return missing;
}
