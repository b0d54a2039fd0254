/**
 * Early stopping: a lane ends once its evaluations have not become better for a while. L. Prechelt, "Early Stopping - But
 * When?", 1998.
 */
import type { EarlyStopping, StoppedEarly } from "../runs/records.js";
import { betterSide } from "../runs/summary.js";

/** What a lane waits for: an evaluation better than `best`, which was measured at `step`. */
export interface Waiting {
  readonly best: number;
  readonly step: number;
  /** Evaluations since then. */
  readonly evaluations: number;
}

/** After one more evaluation; a value that is no number is never better. */
export function afterEvaluation(
  before: Waiting | undefined,
  step: number,
  value: number,
  { metric, minDelta }: EarlyStopping,
): Waiting {
  const sign = betterSide(metric) === "above" ? -1 : 1;
  const waiting = before ?? { best: sign * Number.POSITIVE_INFINITY, step, evaluations: 0 };
  return sign * (waiting.best - value) > minDelta
    ? { best: value, step, evaluations: 0 }
    : { ...waiting, evaluations: waiting.evaluations + 1 };
}

/** Where its patience is at an end, what a lane's summary says of it. */
export function stopped(
  { best, step: bestStep, evaluations }: Waiting,
  step: number,
  { patience, metric, minDelta }: EarlyStopping,
): StoppedEarly | undefined {
  if (evaluations < patience) return undefined;
  const by = minDelta > 0 ? ` by more than ${minDelta}` : "";
  const since = `${evaluations} evaluation${evaluations === 1 ? "" : "s"}`;
  return {
    step,
    reason: `${metric} was not better than ${Number(best.toPrecision(6))}, of step ${bestStep},${by} for ${since}`,
  };
}
