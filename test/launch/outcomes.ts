/** What a training came to, as far as it must not depend on interruptions; and waiting for moments of one that runs. */
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { loadStudy, type StoredRun } from "../../src/runs/index.js";
import type { Running } from "../cli/cli.js";

export interface Outcome {
  readonly status: string;
  /** Values and steps of each metric. */
  readonly rows: readonly (readonly [string, readonly number[]])[];
  /** The summary without times, and the bytes of what was learned. */
  readonly model: string | undefined;
}

function outcomeOf({ folder, status, rows, summary }: StoredRun): Outcome {
  const all = rows();
  const { timeS: _time, ledger: _ledger, targets: _targets, ...rest } = summary!;
  const models = ["last", "best"].map((which) => {
    const path = join(folder, `${which}.safetensors`);
    return status === "completed" ? readFileSync(path).toString("base64") : undefined;
  });
  return {
    status,
    rows: all.metrics.map((metric) => [metric, [...all.curve(metric).value, ...all.curve(metric).step]]),
    model: JSON.stringify([rest, models]),
  };
}

/** Of every run of a study that keeps its models, by id. */
export const outcomes = (out: string, study: string): Record<string, Outcome> =>
  Object.fromEntries(loadStudy(join(out, study)).runs.map((run) => [run.id, outcomeOf(run)]));

/** When a checkpoint was last put in place; 0 where there is none. */
export function newest(checkpoints: string): number {
  const times = namesIn(checkpoints)
    .filter((name) => name.endsWith(".safetensors"))
    .map((name) => statSync(join(checkpoints, name), { throwIfNoEntry: false })?.mtimeMs ?? 0);
  return Math.max(0, ...times);
}

/** Names in a folder; none where there is no such folder. */
export function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

/** Waits until `happened` or the end of the process. */
export async function waitFor({ process: child }: Running, happened: () => boolean): Promise<void> {
  while (!happened() && child.exitCode === null && child.signalCode === null) await setTimeout(1);
}
