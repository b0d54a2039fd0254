/**
 * What Slurm knows of jobs: those that wait or run, and those that ended some minutes ago, from squeue; older ones from
 * sacct, where the cluster keeps accounts.
 */
import { slurm } from "./commands.js";

/** A job, or one of an array. */
export interface QueuedJob {
  /** Of the array, where it is of one. */
  readonly id: string;
  /** Its number in the array. */
  readonly number?: number;
  readonly name: string;
  /** As Slurm calls it: "PENDING", "RUNNING", "TIMEOUT", ... */
  readonly state: string;
  /** Why it waits; "None" for nothing. */
  readonly reason: string;
  /** How often it was put back into the queue. */
  readonly restarts: number;
  /** Of a job that ended. */
  readonly exitCode: number;
  /** "1-02:03:04". */
  readonly elapsed: string;
  readonly limit: string;
  readonly node: string;
}

/** Whether the job waits, runs or is about to: it ends by itself, and nothing of it needs to be submitted again. */
export const isActive = ({ state }: QueuedJob): boolean => !ended.has(state);

/** https://slurm.schedmd.com/squeue.html#SECTION_JOB-STATE-CODES */
const ended: ReadonlySet<string> = new Set([
  ...["BOOT_FAIL", "CANCELLED", "COMPLETED", "DEADLINE", "FAILED", "NODE_FAIL"],
  ...["OUT_OF_MEMORY", "PREEMPTED", "REVOKED", "TIMEOUT"],
]);

/** Columns of squeue with their widths: no character stands between two of them whatever a name holds. */
const columns = [
  ["ArrayJobID", 16],
  ["ArrayTaskID", 16],
  ["Name", 160],
  ["State", 20],
  ["Reason", 80],
  ["RestartCnt", 12],
  ["exit_code", 12],
  ["TimeUsed", 20],
  ["TimeLimit", 20],
  ["NodeList", 80],
] as const;

/** What is known of these jobs and of all of their arrays. */
export function readQueue(ids: readonly string[]): QueuedJob[] {
  if (ids.length === 0) return [];
  const format = columns.map(([name, width]) => `${name}:${width}`).join();
  const words = ["--noheader", "--array", "--states=all", `--jobs=${ids.join()}`, `--Format=${format}`];
  // A single job that it has forgotten is an error to squeue; of several it tells those that it knows.
  const queued = jobsIn(slurm("squeue", words).out);
  const known = new Set(queued.map(keyOf));
  return [...queued, ...accounted(ids).filter((job) => !known.has(keyOf(job)))];
}

/** Jobs as squeue prints them. */
export function jobsIn(text: string): QueuedJob[] {
  return text.split("\n").flatMap((line) => {
    if (line.trim() === "") return [];
    let start = 0;
    const [id, number, name, state, reason, restarts, code, elapsed, limit, node] = columns.map(
      ([, width]) => {
        const value = line.slice(start, start + width).trim();
        start += width;
        return value;
      },
    );
    return [
      {
        id,
        ...(/^\d+$/.test(number) && { number: Number(number) }),
        name,
        state,
        reason,
        restarts: Number(restarts),
        // What `wait` gives: the code in the second byte.
        exitCode: Number(code) >> 8,
        elapsed,
        limit,
        node,
      },
    ];
  });
}

const accountFields = "JobID,State,ExitCode,Elapsed,Timelimit,NodeList,JobName";

function accounted(ids: readonly string[]): QueuedJob[] {
  const words = [
    "--allocations",
    "--noheader",
    "--parsable2",
    `--jobs=${ids.join()}`,
    `--format=${accountFields}`,
  ];
  // Without accounts it ends with an error, and is not always installed.
  try {
    return accountsIn(slurm("sacct", words).out);
  } catch {
    return [];
  }
}

/** Jobs as sacct prints them. */
export function accountsIn(text: string): QueuedJob[] {
  return text.split("\n").flatMap((line) => {
    const [job, state, exit, elapsed, limit, node, ...name] = line.split("|");
    // Numbers in brackets stand for those that wait, which squeue tells one by one.
    const [, id, number] = /^(\d+)(?:_(\d+))?$/.exec(job) ?? [];
    if (id === undefined || state === undefined) return [];
    return [
      {
        id,
        ...(number !== undefined && { number: Number(number) }),
        name: name.join("|"),
        // "CANCELLED by 1000".
        state: state.split(" ")[0],
        reason: "None",
        restarts: 0,
        exitCode: Number(exit.split(":")[0]),
        elapsed,
        limit,
        node,
      },
    ];
  });
}

const keyOf = ({ id, number }: QueuedJob): string => `${id}_${number}`;
