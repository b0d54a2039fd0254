/** What became of a job, and what to do about it, in words. */
import type { StudyJob } from "./jobs.js";
import { isWaiting } from "./standing.js";

/** Why a job waits, where Slurm's own word says little. https://slurm.schedmd.com/resource_limits.html#reasons */
const reasons: Readonly<Record<string, string>> = {
  Dependency: "until the others have ended",
  Priority: "behind others",
  Resources: "for free cores",
  BeginTime: "to start again",
};

const states: Readonly<Record<string, string>> = {
  RUNNING: "running",
  COMPLETING: "ending",
  COMPLETED: "ended",
  FAILED: "failed",
  CANCELLED: "cancelled",
  TIMEOUT: "exceeded its time",
  NODE_FAIL: "its node failed",
  PREEMPTED: "preempted",
  OUT_OF_MEMORY: "exceeded its memory",
  FORGOTTEN: "ended",
};

/** "running on n1, 3:10 of 30:00". */
export function stateWords(job: StudyJob): string {
  const { state, reason, restarts, node, elapsed, limit } = job;
  const again = restarts > 0 ? `, queued again ${restarts === 1 ? "once" : `${restarts} times`}` : "";
  if (isWaiting(job)) {
    const why = reason === "None" || reason === "" ? "" : ` ${reasons[reason] ?? `(${reason})`}`;
    return `waits${why}${again}`;
  }
  const where = job.active && node !== "" ? ` on ${node}, ${elapsed} of ${limit}` : "";
  return `${states[state] ?? state.toLowerCase().replaceAll("_", " ")}${where}${again}`;
}

/** What to do about a job that does not do what it should; undefined where nothing is wrong. */
export function adviceFor(job: StudyJob): string | undefined {
  const { state, reason, limit, exitCode, log } = job;
  switch (state) {
    case "TIMEOUT": {
      const asked = limit === "" ? "" : ` of ${limit}`;
      return `exceeded its time limit${asked} before it could keep its trainings: what came after their last checkpoints is lost. Ask for more (--time), or keep them more often (checkpointEvery in the study).`;
    }
    case "OUT_OF_MEMORY":
      return "exceeded its memory: ask for more (--mem).";
    case "NODE_FAIL":
    case "BOOT_FAIL":
      return "lost its node, and Slurm did not queue it again: trainings go on from their last checkpoints.";
    case "PREEMPTED":
      return "was preempted, and Slurm did not queue it again: trainings go on from their last checkpoints.";
    case "FAILED":
      return exitCode === endedBySignal
        ? "was told to end, and kept everything."
        : `ended with code ${exitCode}: ${log} says why.`;
  }
  if (!isWaiting(job)) return undefined;
  if (/TimeLimit/.test(reason))
    return "never starts: it asks for more time than there is. Cancel it, and ask for less (--time).";
  if (
    /^(PartitionConfig|BadConstraints|AccountNotAllowed|QOSNotAllowed|InvalidAccount|InvalidQOS)$/.test(
      reason,
    )
  )
    return `never starts (${reason}): no node of its partition, or no account, gives what it asks for. Cancel it, and ask for something else.`;
  if (/held/i.test(reason)) return `is held (${reason}): scontrol release ${job.job} lets it start.`;
  return undefined;
}

/** The exit code of a command that a scheduler told to end. */
const endedBySignal = 75;
