/** Confidence intervals for a mean or median over seeds, honest about how little few seeds say. */
import { SlalomError } from "../../base/errors.js";
import { normalCdf, normalQuantile, studentQuantile } from "./distributions.js";
import { eachResample, type Resampling } from "./resampling.js";

export type IntervalMethod = "t" | "order statistics" | "percentile" | "bca";

/** An estimate and where the true value plausibly lies. */
export interface Interval {
  readonly estimate: number;
  readonly low: number;
  readonly high: number;
  /** The confidence that was reached: below the one asked for where so few values can't give it. */
  readonly level: number;
  /** "none" for a single value: it says nothing of the spread, so the interval is the whole line. */
  readonly method: IntervalMethod | "none";
  /** Number of values. */
  readonly n: number;
}

export interface IntervalOptions extends Resampling {
  readonly statistic?: "mean" | "median";
  /** Confidence, 0 to 1 exclusive; 0.95 by default. */
  readonly level?: number;
  /** Chosen by statistic and number of values when absent. */
  readonly method?: IntervalMethod;
}

/**
 * Confidence interval of the mean or median of `values` (finite, one a seed).
 *
 * Default method, mean: Student's t below 20 values, BCa bootstrap from there. The bootstrap's percentile
 * interval is too short for few values (its width lacks the factor sqrt(n/(n-1)) and the t quantile: five
 * values at 95 % are covered in about 83 %), see T. Hesterberg, "What Teachers Should Know About the
 * Bootstrap", 2015; t assumes nearly normal values, which final losses over seeds mostly are.
 * Default method, median: order statistics (exact for any distribution; the sign test inverted). Below six
 * values 95 % can't be had: the range of five has 93.75 %, and `level` says so.
 * BCa: B. Efron, "Better Bootstrap Confidence Intervals", 1987.
 *
 * Errors: no value, a value that is not finite (handle diverged runs before), a level outside (0, 1).
 */
export function interval(values: readonly number[], options: IntervalOptions = {}): Interval {
  const { statistic = "mean", level = 0.95 } = options;
  checkValues(values);
  checkLevel(level);
  const n = values.length;
  const of = statistic === "mean" ? mean : median;
  const estimate = of(values);
  if (n === 1) {
    return {
      estimate,
      low: Number.NEGATIVE_INFINITY,
      high: Number.POSITIVE_INFINITY,
      level,
      method: "none",
      n,
    };
  }
  const method = options.method ?? (statistic === "median" ? "order statistics" : n < 20 ? "t" : "bca");
  switch (method) {
    case "t": {
      if (statistic === "median") throw wrongMethod("t", "a mean");
      const reach = studentQuantile(0.5 + level / 2, n - 1) * standardError(values);
      return { estimate, low: estimate - reach, high: estimate + reach, level, method, n };
    }
    case "order statistics":
      if (statistic === "mean") throw wrongMethod("order statistics", "a median");
      return { estimate, ...orderStatistics(values, level), method, n };
    case "percentile":
    case "bca": {
      const replicates: number[] = [];
      eachResample(n, options, (indices) => replicates.push(of(Array.from(indices, (i) => values[i]))));
      replicates.sort((a, b) => a - b);
      const [low, high] =
        method === "percentile"
          ? [(1 - level) / 2, (1 + level) / 2]
          : bcaShares(values, of, replicates, estimate, level);
      return {
        estimate,
        low: sortedQuantile(replicates, low),
        high: sortedQuantile(replicates, high),
        level,
        method,
        n,
      };
    }
  }
}

export const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;

export const median = (values: readonly number[]): number => quantile(values, 0.5);

/** Sample standard deviation (n - 1); 0 for one value. */
export function standardDeviation(values: readonly number[]): number {
  if (values.length < 2) return 0;
  const centre = mean(values);
  return Math.sqrt(values.reduce((sum, value) => sum + (value - centre) ** 2, 0) / (values.length - 1));
}

/** Quantile with linear interpolation (type 7 of Hyndman and Fan, 1996); infinite values allowed. */
export const quantile = (values: readonly number[], share: number): number =>
  sortedQuantile(
    [...values].sort((a, b) => a - b),
    share,
  );

/** `quantile` of values that are sorted already. */
export function sortedQuantile(sorted: readonly number[], share: number): number {
  const position = Math.min(1, Math.max(0, share)) * (sorted.length - 1);
  const below = Math.floor(position);
  const weight = position - below;
  // Equal neighbours first: between two infinities there is no difference to interpolate.
  if (weight === 0 || sorted[below] === sorted[below + 1]) return sorted[below];
  return sorted[below] + weight * (sorted[below + 1] - sorted[below]);
}

export function checkLevel(level: number): void {
  if (level > 0 && level < 1) return;
  throw new SlalomError("option", `confidence level ${level}: expected a number between 0 and 1, as 0.95.`);
}

const standardError = (values: readonly number[]): number =>
  standardDeviation(values) / Math.sqrt(values.length);

function checkValues(values: readonly number[]): void {
  if (values.length === 0) throw new SlalomError("data", "interval: no values; expected one a seed.");
  const bad = values.find((value) => !Number.isFinite(value));
  if (bad === undefined) return;
  throw new SlalomError(
    "data",
    `interval: received ${bad}; expected finite values. Leave diverged runs out, or count them apart.`,
  );
}

const wrongMethod = (method: string, statistic: string): SlalomError =>
  new SlalomError(
    "option",
    `interval: method "${method}" is for ${statistic}; leave the method out to have one chosen.`,
  );

/** The narrowest symmetric pair of order statistics with at least `level`, else the range and its level. */
function orderStatistics(values: readonly number[], level: number) {
  const n = values.length;
  const sorted = [...values].sort((a, b) => a - b);
  let drop = 0;
  let tail = 0.5 ** n; // P(fewer than drop + 1 of n values below the median)
  let term = tail;
  let outside = 2 * tail;
  while (drop + 1 < n / 2) {
    term *= (n - drop) / (drop + 1);
    tail += term;
    if (2 * tail > 1 - level) break;
    outside = 2 * tail;
    drop++;
  }
  return { low: sorted[drop], high: sorted[n - 1 - drop], level: 1 - outside };
}

/** The shares of the bootstrap distribution between which the BCa interval lies. */
function bcaShares(
  values: readonly number[],
  of: (values: readonly number[]) => number,
  replicates: readonly number[],
  estimate: number,
  level: number,
): [number, number] {
  // Sums in another order differ in the last bits; such replicates equal the estimate.
  const rounding = 1e-12 * (replicates[replicates.length - 1] - replicates[0]);
  let below = 0;
  let equal = 0;
  for (const replicate of replicates) {
    if (replicate < estimate - rounding) below++;
    else if (replicate <= estimate + rounding) equal++;
  }
  const bias = normalQuantile((below + equal / 2) / replicates.length);
  const jackknife = values.map((_, left) => of(values.filter((_, i) => i !== left)));
  const centre = mean(jackknife);
  const squares = jackknife.reduce((sum, value) => sum + (centre - value) ** 2, 0);
  const cubes = jackknife.reduce((sum, value) => sum + (centre - value) ** 3, 0);
  const acceleration = squares === 0 ? 0 : cubes / (6 * squares ** 1.5);
  const share = (p: number) => {
    const z = bias + normalQuantile(p);
    return normalCdf(bias + z / (1 - acceleration * z));
  };
  return Number.isFinite(bias)
    ? [share((1 - level) / 2), share((1 + level) / 2)]
    : [(1 - level) / 2, (1 + level) / 2];
}
