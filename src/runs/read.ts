/** Reading what is stored, also while it is written: summaries at once, rows when asked for. */
import { readdirSync, statSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { SlalomError } from "../base/errors.js";
import { codeOf, guarded, readRecord } from "./files.js";
import { type RunRows, readRows, type Tail, tailRows } from "./metrics.js";
import type { RunConfiguration, RunRecord, RunStatus, RunSummary, StudyRecord } from "./records.js";

/** A run as its folder tells it. */
export interface StoredRun {
  readonly id: string;
  readonly folder: string;
  readonly configuration: RunConfiguration;
  readonly status: RunStatus;
  /** Absent while the run is unfinished. */
  readonly summary?: RunSummary;
  /** ISO 8601. */
  readonly created: string;
  /** The rows, read at the first call and kept. */
  rows(): RunRows;
}

/** A study with its runs, sorted by optimizer (the study's order), hyperparameters and seed. */
export interface StoredStudy {
  readonly folder: string;
  readonly record: StudyRecord;
  readonly runs: readonly StoredRun[];
}

/** Reads the study in `folder`. Errors: no study there, a broken file, a newer format. */
export function loadStudy(folder: string): StoredStudy {
  const record = readStudyRecord(folder);
  if (record === undefined) {
    throw new SlalomError(
      "store",
      `${folder} holds no study: expected a file study.json. Give the folder of one study.`,
    );
  }
  return { folder, record, runs: readRuns(folder, record) };
}

/** Reads one run; undefined when there is none, or only the beginnings of one. */
export function readRun(folder: string): StoredRun | undefined {
  const remedy = `Delete ${folder} and resume: only this run is repeated.`;
  const record = readRecord<RunRecord>(join(folder, "run.json"), remedy);
  if (record === undefined) return undefined;
  const summary = readRecord<RunSummary>(join(folder, "summary.json"), remedy);
  let rows: RunRows | undefined;
  return {
    id: record.id,
    folder,
    configuration: record.configuration,
    status: summary?.status ?? statusOfUnfinished(folder, record),
    summary,
    created: record.created,
    rows() {
      rows ??= readRows(join(folder, "metrics.jsonl"));
      return rows;
    },
  };
}

/** Follows a run's rows while another process writes them. */
export const tail = (runFolder: string): Tail => tailRows(join(runFolder, "metrics.jsonl"));

export const readStudyRecord = (folder: string): StudyRecord | undefined =>
  readRecord<StudyRecord>(
    join(folder, "study.json"),
    "Restore it from a copy, or delete the folder and run the study again.",
  );

/** All runs of the study in `folder`, in reading order. */
export function readRuns(folder: string, record: StudyRecord): StoredRun[] {
  const runsFolder = join(folder, "runs");
  const runs = foldersIn(runsFolder).flatMap((name) => readRun(join(runsFolder, name)) ?? []);
  const order = new Map(record.optimizers.map((grid, i) => [grid.label ?? grid.optimizer, i]));
  return runs.sort((a, b) => compareConfigurations(a.configuration, b.configuration, order));
}

/** Names of the folders in `path`; none when it is absent. */
export const foldersIn = (path: string): string[] =>
  guarded("read", path, () => {
    try {
      return readdirSync(path, { withFileTypes: true })
        .filter((entry) => entry.isDirectory() && !entry.name.startsWith("."))
        .map((entry) => entry.name);
    } catch (error) {
      if (codeOf(error) === "ENOENT") return [];
      throw error;
    }
  });

function compareConfigurations(
  a: RunConfiguration,
  b: RunConfiguration,
  order: ReadonlyMap<string, number>,
): number {
  const position = (c: RunConfiguration) => order.get(c.label ?? c.optimizer) ?? order.size;
  if (position(a) !== position(b)) return position(a) - position(b);
  for (const name of Object.keys(a.hyperparameters)) {
    const difference = a.hyperparameters[name] - b.hyperparameters[name];
    if (difference !== 0 && !Number.isNaN(difference)) return difference;
  }
  return a.seed - b.seed;
}

/**
 * Running or killed? Here the process id tells; for another machine, whether rows came lately. Only for show:
 * resuming treats both alike.
 */
function statusOfUnfinished(folder: string, { writer }: RunRecord): RunStatus {
  if (writer.host === hostname()) return isAlive(writer.pid) ? "running" : "interrupted";
  const written = statSync(join(folder, "metrics.jsonl"), { throwIfNoEntry: false })?.mtimeMs ?? 0;
  return Date.now() - written < freshMs ? "running" : "interrupted";
}

const freshMs = 10 * 60 * 1000;

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return codeOf(error) === "EPERM";
  }
}
