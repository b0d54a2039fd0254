/** Steps, epochs and seconds to a target over seeds; a run that never reaches it counts as infinitely slow. */
import { quantile } from "./intervals.js";

/** When one run reached a target: nulls for never. A diverged run counts as never. */
export interface TargetTime {
  readonly step: number | null;
  readonly epoch: number | null;
  readonly timeS: number | null;
}

/** Infinite where so many runs never got there that the quantile falls among them. */
export interface Spread {
  readonly median: number;
  readonly lowerQuartile: number;
  readonly upperQuartile: number;
}

export interface TimeToTarget {
  readonly runs: number;
  readonly reached: number;
  readonly steps: Spread;
  /** Absent where runs count no epochs. */
  readonly epochs?: Spread;
  readonly seconds?: Spread;
}

/**
 * Median and quartiles of the time to a target among all runs (not only those that reached it: the mean of
 * the successful ones would reward failing on the slow seeds). Undefined without runs.
 */
export function timeToTarget(times: readonly TargetTime[]): TimeToTarget | undefined {
  if (times.length === 0) return undefined;
  const reached = times.filter(({ step }) => step !== null);
  const spread = (of: (time: TargetTime) => number | null): Spread => {
    const values = times.map((time) => of(time) ?? Number.POSITIVE_INFINITY);
    return {
      median: quantile(values, 0.5),
      lowerQuartile: quantile(values, 0.25),
      upperQuartile: quantile(values, 0.75),
    };
  };
  return {
    runs: times.length,
    reached: reached.length,
    steps: spread(({ step }) => step),
    epochs: reached.every(({ epoch }) => epoch !== null) ? spread(({ epoch }) => epoch) : undefined,
    seconds: reached.every(({ timeS }) => timeS !== null) ? spread(({ timeS }) => timeS) : undefined,
  };
}
