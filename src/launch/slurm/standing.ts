/** How a study stands: the state of each run, from its result or else from the job that is to train it. */
import { isResult, type RunStatus } from "../../runs/index.js";
import type { StudyJob } from "./jobs.js";

/** In the order in which people are told. */
export const runStates = [
  "completed",
  "diverged",
  "failed",
  /** A job, or a process here, trains it. */
  "running",
  /** Its job waits, or trains others first. */
  "queued",
  /** Its job was preempted, ran out of time or lost its node, and waits to go on. */
  "requeued",
  /** It was begun, and nothing goes on with it. */
  "interrupted",
  /** Nothing has begun it, or will. */
  "missing",
] as const;

export type RunState = (typeof runStates)[number];

/** How many runs are in each state. */
export type Standing = Readonly<Record<RunState, number>>;

/** The states of runs that need the command again. */
export const isOpen = ({ failed, interrupted, missing }: Standing): boolean =>
  failed + interrupted + missing > 0;

export function standingOf(
  runs: readonly { readonly id: string; readonly status: RunStatus }[],
  jobs: readonly StudyJob[],
  runsTotal: number,
): Standing {
  const stored = new Map(runs.map(({ id, status }) => [id, status]));
  const counts = Object.fromEntries(runStates.map((state) => [state, 0])) as Record<RunState, number>;
  const ids = new Set([...stored.keys(), ...jobs.flatMap((job) => job.runs)]);
  // The job after the others trains whatever they leave.
  const last = jobs.find(({ active, share }) => active && !share);
  for (const id of ids) {
    const own = jobs.filter((job) => job.runs.includes(id));
    counts[stateOf(stored.get(id), own, last)]++;
  }
  counts[stateOf(undefined, [], last)] += Math.max(0, runsTotal - ids.size);
  return counts;
}

/**
 * @param jobs those that had the run in their share
 * @param last trains it if none of them does
 */
function stateOf(
  status: RunStatus | undefined,
  jobs: readonly StudyJob[],
  last: StudyJob | undefined,
): RunState {
  if (status !== undefined && isResult(status)) return status;
  const job = jobs.find(({ active }) => active) ?? last;
  if (job && isWaiting(job))
    return job.restarts > 0 || job.state.startsWith("REQUEUE") ? "requeued" : "queued";
  if (job) return status === undefined || status === "failed" ? "queued" : "running";
  if (status === undefined) return "missing";
  // Of a writer on another machine only its job tells that it has ended.
  return status === "running" && jobs.length > 0 ? "interrupted" : status;
}

/** Whether the job is in the queue and does not run yet. */
export const isWaiting = ({ active, state }: StudyJob): boolean =>
  active && !["RUNNING", "COMPLETING", "CONFIGURING", "STAGE_OUT", "SUSPENDED", "STOPPED"].includes(state);
