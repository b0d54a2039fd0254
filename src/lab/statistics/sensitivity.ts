/** How much a hyperparameter matters: the final metric against it, and how wide its good range is. */
import { type Interval, interval, mean, sortedQuantile } from "./intervals.js";
import type { Better } from "./paired.js";
import { eachResample, type Resampling } from "./resampling.js";

/** The metric of one run at one value of the hyperparameter (> 0); not finite for a diverged run. */
export interface SensitivityRun {
  readonly x: number;
  readonly seed: number;
  readonly value: number;
}

/** How far from the best is still good, in the metric's unit or as a share of the best value. */
export type Tolerance = { readonly relative: number } | { readonly absolute: number };

export interface SensitivityOptions extends Resampling {
  readonly better: Better;
  readonly tolerance: Tolerance;
  /** Confidence, 0.95 by default. */
  readonly level?: number;
}

export interface SensitivityPoint {
  readonly x: number;
  /** Mean over seeds; infinite on the worse side when a seed diverged. */
  readonly mean: number;
  /** Absent when a seed diverged. */
  readonly interval?: Interval;
  readonly runs: number;
  readonly diverged: number;
}

/** Why the good range ends where it does. */
export type RangeEnd =
  | "crossing" // the curve leaves the tolerance here
  | "divergence" // the last good value; the next one tried diverges
  | "grid"; // open: the last value tried is still good

export interface GoodRange {
  readonly low: number;
  readonly high: number;
  /** log10(high / low); a lower bound where an end is "grid". */
  readonly decades: number;
  readonly lowEnd: RangeEnd;
  readonly highEnd: RangeEnd;
}

export interface Sensitivity {
  /** Sorted by x. */
  readonly points: readonly SensitivityPoint[];
  /** Absent when every value diverged. */
  readonly best?: { readonly x: number; readonly mean: number };
  /** The worst value of the metric that is still good. */
  readonly threshold?: number;
  readonly range?: GoodRange;
  /** Percentile interval of `range.decades` over resampled seeds; needs two seeds common to all values. */
  readonly decadesInterval?: { readonly low: number; readonly high: number; readonly level: number };
}

/**
 * The range of x around the best in which the mean metric stays within the tolerance of the best: contiguous,
 * its ends interpolated (metric linear in log x), clipped at the ends of the grid. Towards a value that
 * diverges nothing can be interpolated: the range ends at the last good value.
 */
export function sensitivity(runs: readonly SensitivityRun[], options: SensitivityOptions): Sensitivity {
  const { better, tolerance, level = 0.95 } = options;
  const sign = better === "lower" ? 1 : -1;
  const xs = [...new Set(runs.map(({ x }) => x))].sort((a, b) => a - b);
  const points = xs.map((x): SensitivityPoint => {
    const values = runs.filter((run) => run.x === x).map(({ value }) => value);
    const diverged = values.filter((value) => !Number.isFinite(value)).length;
    return {
      x,
      mean: diverged > 0 ? sign * Number.POSITIVE_INFINITY : mean(values),
      interval: diverged > 0 ? undefined : interval(values, { level }),
      runs: values.length,
      diverged,
    };
  });
  const losses = points.map((point) => sign * point.mean);
  const found = goodRange(xs, losses, tolerance);
  if (found === undefined) return { points };
  return {
    points,
    best: { x: points[found.best].x, mean: points[found.best].mean },
    threshold: sign * found.threshold,
    range: found.range,
    decadesInterval: resampledDecades(runs, xs, sign, options, level),
  };
}

/** `losses`: lower is better, infinite for diverged. */
function goodRange(xs: readonly number[], losses: readonly number[], tolerance: Tolerance) {
  let best = -1;
  for (const [i, loss] of losses.entries()) {
    if (Number.isFinite(loss) && (best < 0 || loss < losses[best])) best = i;
  }
  if (best < 0) return undefined;
  const margin = "relative" in tolerance ? tolerance.relative * Math.abs(losses[best]) : tolerance.absolute;
  const threshold = losses[best] + margin;
  const low = endOf(xs, losses, best, threshold, -1);
  const high = endOf(xs, losses, best, threshold, 1);
  const range: GoodRange = {
    low: low.x,
    high: high.x,
    decades: Math.log10(high.x / low.x),
    lowEnd: low.end,
    highEnd: high.end,
  };
  return { best, threshold, range };
}

function endOf(
  xs: readonly number[],
  losses: readonly number[],
  best: number,
  threshold: number,
  direction: 1 | -1,
): { x: number; end: RangeEnd } {
  let i = best;
  while (i + direction in xs && losses[i + direction] <= threshold) i += direction;
  const next = i + direction;
  if (!(next in xs)) return { x: xs[i], end: "grid" };
  if (!Number.isFinite(losses[next])) return { x: xs[i], end: "divergence" };
  const share = (threshold - losses[i]) / (losses[next] - losses[i]);
  return { x: xs[i] * (xs[next] / xs[i]) ** share, end: "crossing" };
}

function resampledDecades(
  runs: readonly SensitivityRun[],
  xs: readonly number[],
  sign: number,
  options: SensitivityOptions,
  level: number,
): Sensitivity["decadesInterval"] {
  const table = xs.map((x) => new Map(runs.filter((run) => run.x === x).map((run) => [run.seed, run.value])));
  const seeds = [...table[0].keys()].filter((seed) => table.every((row) => row.has(seed)));
  if (seeds.length < 2) return undefined;
  const rows = table.map((row) => seeds.map((seed) => sign * (row.get(seed) ?? Number.NaN)));
  const alwaysDiverged = rows.map((row) => !row.every(Number.isFinite));
  const decades: number[] = [];
  eachResample(seeds.length, options, (indices) => {
    const losses = rows.map((row, i) => {
      if (alwaysDiverged[i]) return Number.POSITIVE_INFINITY;
      let sum = 0;
      for (const index of indices) sum += row[index];
      return sum / indices.length;
    });
    decades.push(goodRange(xs, losses, options.tolerance)?.range.decades ?? 0);
  });
  decades.sort((a, b) => a - b);
  return {
    low: sortedQuantile(decades, (1 - level) / 2),
    high: sortedQuantile(decades, (1 + level) / 2),
    level,
  };
}
