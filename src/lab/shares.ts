/**
 * Shares: a study's runs divided among processes that know nothing of each other but which share is theirs. Which runs a
 * share has depends on the study alone, so all of them agree at any time.
 */
import type { FoundCheckpoint } from "./checkpoints.js";
import { groupedRuns, type StudyRun } from "./tasks.js";

/** The share `number`, counted from 1, of a study divided into `of` of them. */
export interface Share {
  readonly number: number;
  readonly of: number;
}

/**
 * The runs of a share: as many as in any other, but for one, as runs of a study cost about the same; and next to one
 * another by optimizer and seed, so that few programs are cut into smaller ones.
 */
export function runsOfShare(all: readonly StudyRun[], { number, of }: Share): StudyRun[] {
  const start = (share: number): number => Math.floor((share * all.length) / of);
  return groupedRuns(all)
    .flat()
    .slice(start(number - 1), start(number));
}

/**
 * The same where some runs have begun. A checkpoint may be of runs of several shares, begun before the study was divided:
 * the share of its first run goes on with all of them, and the others leave them to it.
 */
export function withCheckpoints(
  all: readonly StudyRun[],
  found: readonly FoundCheckpoint[],
  share: Share,
): { readonly runs: StudyRun[]; readonly checkpoints: FoundCheckpoint[] } {
  const own = runsOfShare(all, share);
  const isOwn = new Set(own);
  const checkpoints = found.filter(({ runs }) => isOwn.has(runs[0]));
  const begun = new Set(found.flatMap(living));
  return {
    runs: [...own.filter((run) => !begun.has(run)), ...checkpoints.flatMap(living)],
    checkpoints,
  };
}

/** Runs of the checkpoint that had not ended. */
const living = ({ head, runs }: FoundCheckpoint): StudyRun[] =>
  runs.filter((_, lane) => !head.ended.includes(lane));
