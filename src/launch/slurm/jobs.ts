/** The jobs of a study: what was submitted, with what became of it. */
import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { join } from "node:path";
import { isActive, type QueuedJob, readQueue } from "./queue.js";
import { files, readSubmissions, type Submission } from "./records.js";

export interface StudyJob {
  /** As Slurm's commands take it: "15_2" of an array, else "16". */
  readonly job: string;
  /** Which share it trains of how many; absent: it completes and draws once the others have ended, or is the only one. */
  readonly share?: { readonly number: number; readonly of: number };
  /** Ids of the runs that its share, or the study, lacked when it was submitted; none of the job that completes. */
  readonly runs: readonly string[];
  /** Whether it waits or runs. */
  readonly active: boolean;
  /** As Slurm calls it, or as its log tells; "FORGOTTEN" where neither does. */
  readonly state: string;
  /** Why it waits; "None" for nothing. */
  readonly reason: string;
  readonly restarts: number;
  readonly exitCode: number;
  readonly elapsed: string;
  readonly limit: string;
  readonly node: string;
  /** What it prints. */
  readonly log: string;
}

/** All jobs of the study in this folder, oldest first; none, and no word to Slurm, where nothing was submitted. */
export function jobsOf(study: string): StudyJob[] {
  const submissions = readSubmissions(study);
  const ids = new Set(submissions.flatMap(({ record }) => [record.array ?? record.report, record.report]));
  return joined(submissions, readQueue([...ids]));
}

/** The submissions' jobs, each with what the queue has of it. */
export function joined(submissions: readonly Submission[], queue: readonly QueuedJob[]): StudyJob[] {
  const reports = new Map(submissions.map((one) => [one.record.report, one]));
  return submissions.flatMap((submission) => {
    const { folder, record } = submission;
    const find = (id: string, number?: number): QueuedJob | undefined =>
      queue.find((one) => one.id === id && one.number === number && one.name === record.name);
    const { array } = record;
    if (array === undefined) {
      const runs = record.shares.flatMap((share) => share.runs);
      return [{ job: record.report, runs, ...known(find(record.report), join(folder, files.trainLog(1))) }];
    }
    const trains = record.shares.map(
      ({ number, runs }): StudyJob => ({
        job: `${array}_${number}`,
        share: { number, of: record.of },
        runs,
        ...known(find(array, number), join(folder, files.trainLog(number))),
      }),
    );
    // A later submission may wait for the same one.
    if (reports.get(record.report) !== submission) return trains;
    const first = submissions.find((one) => one.record.report === record.report)!;
    const report = known(find(record.report), join(first.folder, files.reportLog));
    return [...trains, { job: record.report, runs: [], ...report }];
  });
}

type Known = Omit<StudyJob, "job" | "share" | "runs">;

function known(queued: QueuedJob | undefined, log: string): Known {
  if (queued) {
    const { id: _id, number: _number, name: _name, ...told } = queued;
    return { ...told, active: isActive(queued), log };
  }
  const state = stateInLog(log);
  return {
    state,
    active: false,
    reason: "None",
    restarts: 0,
    exitCode: 0,
    elapsed: "",
    limit: "",
    node: "",
    log,
  };
}

const causes: Readonly<Record<string, string>> = {
  "TIME LIMIT": "TIMEOUT",
  "NODE FAILURE": "NODE_FAIL",
  PREEMPTION: "PREEMPTED",
};

/** How Slurm said last that it ended the job. */
function stateInLog(path: string): string {
  const told = [
    ...endOf(path).matchAll(/\*\*\* JOB \d+ ON \S+ CANCELLED AT \S+( DUE TO ([A-Z ]+))? \*\*\*/g),
  ];
  const last = told.at(-1);
  if (!last) return "FORGOTTEN";
  return last[2] === undefined ? "CANCELLED" : (causes[last[2]] ?? "FORGOTTEN");
}

const endBytes = 1 << 14;

/** The last bytes of a file; nothing where there is none. */
function endOf(path: string): string {
  let file: number;
  try {
    file = openSync(path, "r");
  } catch {
    return "";
  }
  try {
    const { size } = fstatSync(file);
    const bytes = Buffer.alloc(Math.min(size, endBytes));
    readSync(file, bytes, 0, bytes.length, size - bytes.length);
    return bytes.toString("utf8");
  } finally {
    closeSync(file);
  }
}
