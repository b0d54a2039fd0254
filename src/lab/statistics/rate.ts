/** How fast a run approaches a known optimum: the asymptotic rate per step, and the first time near it. */
import { median } from "./intervals.js";

/** A loss over a run; steps increase. */
export interface LossCurve {
  readonly step: ArrayLike<number>;
  readonly value: ArrayLike<number>;
}

export interface ConvergenceRate {
  /** The gap's factor per step: below 1 it converges. gap(t + 1) ~ factor gap(t). */
  readonly factor: number;
  /** -ln(factor): e-foldings of the gap per step. */
  readonly ratePerStep: number;
  /** ln(gap) at step 0 of the fitted line. */
  readonly intercept: number;
  /** First and last step of the window. */
  readonly window: readonly [number, number];
  /** Measured points in the window. */
  readonly points: number;
  /** Median absolute residual in units of ln(gap): small means a straight line on a log axis. */
  readonly residual: number;
}

/**
 * Fits ln(loss - optimum) = intercept + step ln(factor) where the curve is asymptotic; undefined with fewer
 * than five usable points.
 *
 * The window: up to the first loss that is not above the optimum or not finite; up to where the gap first
 * comes within a factor of ten of the level at which it stalls, if it stalls (rounding, noise of batches);
 * and of that the later half, the transient being in the first. The slope is Theil and Sen's (the median of
 * the slopes of all pairs), which the dips of an oscillating loss do not bend.
 * P. Sen, "Estimates of the Regression Coefficient Based on Kendall's Tau", 1968.
 */
export function convergenceRate(curve: LossCurve, optimum: number): ConvergenceRate | undefined {
  const points: Point[] = [];
  for (let i = 0; i < curve.step.length; i++) {
    const gap = curve.value[i] - optimum;
    if (!(gap > 0) || !Number.isFinite(gap)) break;
    points.push({ step: curve.step[i], logGap: Math.log(gap) });
  }
  const falling = points.slice(0, stallStart(points));
  const later = falling.slice(Math.floor(falling.length / 2));
  const window = later.length >= fewest ? later : falling;
  if (window.length < fewest) return undefined;
  const { slope, intercept } = theilSen(thinned(window));
  const residual = median(window.map(({ step, logGap }) => Math.abs(logGap - intercept - slope * step)));
  return {
    factor: Math.exp(slope),
    ratePerStep: -slope,
    intercept,
    window: [window[0].step, window[window.length - 1].step],
    points: window.length,
    residual,
  };
}

/** The first measured point with loss - optimum <= `within`; undefined when there is none. */
export function firstWithin(
  curve: LossCurve,
  optimum: number,
  within: number,
): { step: number; index: number } | undefined {
  for (let index = 0; index < curve.step.length; index++) {
    if (curve.value[index] - optimum <= within) return { step: curve.step[index], index };
  }
  return undefined;
}

/** The line through points by the median of pairwise slopes; as scipy.stats.theilslopes. */
export function theilSen(points: readonly Point[]): { slope: number; intercept: number } {
  const slopes: number[] = [];
  for (let i = 0; i < points.length; i++) {
    for (let j = i + 1; j < points.length; j++) {
      slopes.push((points[j].logGap - points[i].logGap) / (points[j].step - points[i].step));
    }
  }
  const slope = median(slopes);
  const intercept =
    median(points.map(({ logGap }) => logGap)) - slope * median(points.map(({ step }) => step));
  return { slope, intercept };
}

export interface Point {
  readonly step: number;
  readonly logGap: number;
}

const fewest = 5;

/** Where the gap has come down to its stall, as an index; the length when it still falls at the end. */
function stallStart(points: readonly Point[]): number {
  const tail = points.slice(Math.floor(0.8 * points.length));
  if (points.length < 4 * fewest || tail.length < fewest) return points.length;
  const whole = theilSen(thinned(points)).slope;
  const end = theilSen(thinned(tail)).slope;
  // Falling at a quarter of the mean pace still counts as falling: rates differ by eigenvalue.
  const stalls = end > 0.25 * whole;
  if (whole >= 0 || !stalls) return points.length;
  const level = median(tail.map(({ logGap }) => logGap)) + Math.LN10;
  return points.findIndex(({ logGap }) => logGap <= level);
}

/** At most 200 points, evenly chosen: 20,000 pairs are enough for a median. */
function thinned(points: readonly Point[]): readonly Point[] {
  const most = 200;
  if (points.length <= most) return points;
  return Array.from({ length: most }, (_, i) => points[Math.round((i * (points.length - 1)) / (most - 1))]);
}
