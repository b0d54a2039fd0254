/**
 * The least value of a smooth loss: L-BFGS with a line search for the strong Wolfe conditions.
 * J. Nocedal and S. J. Wright: "Numerical optimization", algorithms 7.4 and 7.5; the bracketing of the search follows
 * A. S. Lewis and M. L. Overton: "Nonsmooth optimization via quasi-Newton methods", 2013.
 */
import { SlalomError } from "../base/errors.js";

export interface LossAndGradient {
  readonly loss: number;
  readonly gradient: Float64Array;
}

/** Loss and gradient at a point; called once for each trial of the line search. */
export type Objective = (point: Float64Array) => LossAndGradient;

export interface LeastLossOptions {
  /** The most iterations; default 1000. */
  readonly iterations?: number;
  /** Stops when the gradient's Euclidean length is at most this; default 1e-8. */
  readonly gradientNorm?: number;
  /** Stops when ten iterations together lower the loss by less than this share of it; default 1e-14. */
  readonly relativeDecrease?: number;
  /** Pairs of steps and gradient changes that are kept; default 20. */
  readonly memory?: number;
  /** Relative rounding error of the loss: a rise below it counts as none; default 1e-15, 1e-7 suits float32. */
  readonly rounding?: number;
  /** Called after each iteration; false ends the search. */
  readonly onIteration?: (progress: LeastLossProgress) => boolean | undefined;
}

export interface LeastLossProgress {
  readonly iteration: number;
  readonly loss: number;
  readonly gradientNorm: number;
  readonly point: Float64Array;
}

export interface LeastLossResult {
  readonly loss: number;
  readonly gradientNorm: number;
  readonly point: Float64Array;
  readonly iterations: number;
  /** Calls of the objective. */
  readonly evaluations: number;
  /** What ended it; "precision" when no step along the steepest descent lowers the loss any more. */
  readonly reason: "gradient" | "decrease" | "precision" | "iterations" | "asked";
}

/**
 * The point of least loss near `start`: the optimum of a convex problem, a local minimum of another one.
 * @throws SlalomError "option" for impossible options, "data" where the loss at the start is not finite
 * @example leastLoss((x) => ({ loss: x[0] ** 2, gradient: Float64Array.of(2 * x[0]) }), Float64Array.of(3)).point
 */
export function leastLoss(
  objective: Objective,
  start: Float64Array,
  options: LeastLossOptions = {},
): LeastLossResult {
  const { iterations = 1000, memory = 20, relativeDecrease = 1e-14, rounding = 1e-15, onIteration } = options;
  const { gradientNorm: smallGradient = 1e-8 } = options;
  checkOptions({ iterations, memory });
  let evaluations = 1;
  const counted: Objective = (point) => {
    evaluations++;
    return objective(point);
  };
  let here: Place = { point: start.slice(), ...objective(start) };
  if (!Number.isFinite(here.loss) || here.gradient.length !== start.length) {
    throw new SlalomError(
      "data",
      `leastLoss: the loss at the start is ${here.loss}, with a gradient of ${here.gradient.length} numbers; expected a finite one and ${start.length}.`,
    );
  }
  const pairs: Pair[] = [];
  const losses = [here.loss];
  const result = (iteration: number, reason: LeastLossResult["reason"]): LeastLossResult => ({
    loss: here.loss,
    gradientNorm: lengthOf(here.gradient),
    point: here.point,
    iterations: iteration,
    evaluations,
    reason,
  });
  for (let iteration = 0; ; iteration++) {
    if (lengthOf(here.gradient) <= smallGradient) return result(iteration, "gradient");
    if (iteration >= iterations) return result(iteration, "iterations");
    if (losses.length > 10 && losses[losses.length - 11] - here.loss < relativeDecrease * Math.abs(here.loss))
      return result(iteration, "decrease");
    let next = search(counted, here, direction(here.gradient, pairs), {
      first: pairs.length === 0,
      rounding,
    });
    if (next === undefined && pairs.length > 0) {
      // What the pairs remember may be of another region, or rounding.
      pairs.length = 0;
      next = search(counted, here, direction(here.gradient, pairs), { first: true, rounding });
    }
    if (next === undefined) return result(iteration, "precision");
    remember(pairs, here, next, memory);
    here = next;
    losses.push(here.loss);
    const { loss, point, gradient } = here;
    if (onIteration?.({ iteration: iteration + 1, loss, gradientNorm: lengthOf(gradient), point }) === false)
      return result(iteration + 1, "asked");
  }
}

interface Place extends LossAndGradient {
  readonly point: Float64Array;
}

interface Pair {
  readonly step: Float64Array;
  readonly change: Float64Array;
  /** 1 / step . change */
  readonly inverse: number;
}

/** - H gradient, H being the inverse Hessian that the pairs imply: the two-loop recursion. */
function direction(gradient: Float64Array, pairs: readonly Pair[]): Float64Array {
  const result = gradient.map((value) => -value);
  const factors: number[] = [];
  for (const { step, change, inverse } of pairs.toReversed()) {
    const factor = inverse * inner(step, result);
    factors.unshift(factor);
    addMultiple(result, change, -factor);
  }
  const last = pairs[pairs.length - 1];
  if (last) {
    const scale = 1 / (last.inverse * inner(last.change, last.change));
    for (let i = 0; i < result.length; i++) result[i] *= scale;
  }
  pairs.forEach(({ step, change, inverse }, i) => {
    addMultiple(result, step, factors[i] - inverse * inner(change, result));
  });
  return result;
}

function remember(pairs: Pair[], from: Place, to: Place, memory: number): void {
  const step = to.point.map((value, i) => value - from.point[i]);
  const change = to.gradient.map((value, i) => value - from.gradient[i]);
  const curvature = inner(step, change);
  // A pair without positive curvature would make the next direction climb.
  if (!(curvature > 1e-12 * lengthOf(step) * lengthOf(change))) return;
  pairs.push({ step, change, inverse: 1 / curvature });
  if (pairs.length > memory) pairs.shift();
}

const sufficientDecrease = 1e-4;
const sufficientFlattening = 0.9;
const mostTrials = 40;

/** A place along the direction where both Wolfe conditions hold, else the lowest found; undefined where none is lower. */
function search(
  objective: Objective,
  from: Place,
  along: Float64Array,
  { first, rounding }: { readonly first: boolean; readonly rounding: number },
): Place | undefined {
  const slope = inner(from.gradient, along);
  if (!(slope < 0)) return undefined;
  const slack = rounding * Math.abs(from.loss);
  let lower: Trial = { at: 0, place: from, slope };
  let upper: Trial | undefined;
  // Without a memory of curvature the direction has no length of its own.
  let at = first ? Math.min(1, 1 / lengthOf(along)) : 1;
  for (let trial = 0; trial < mostTrials; trial++) {
    const point = from.point.map((value, i) => value + at * along[i]);
    const place = { point, ...objective(point) };
    const tried: Trial = { at, place, slope: inner(place.gradient, along) };
    const isTooHigh = !(place.loss <= from.loss + sufficientDecrease * at * slope + slack);
    if (isTooHigh || tried.slope > -sufficientFlattening * slope) upper = tried;
    else if (tried.slope < sufficientFlattening * slope) lower = tried;
    else return place;
    at = upper ? between(lower, upper) : extended(lower);
  }
  return lower.place.loss < from.loss ? lower.place : undefined;
}

interface Trial {
  readonly at: number;
  readonly place: Place;
  readonly slope: number;
}

/** The minimum of the cubic through both ends, kept away from them: 0.1 to 0.9 of the way. */
function between(lower: Trial, upper: Trial): number {
  const width = upper.at - lower.at;
  const chord = lower.slope + upper.slope - (3 * (upper.place.loss - lower.place.loss)) / width;
  const root = Math.sqrt(chord * chord - lower.slope * upper.slope);
  const share = 1 - (upper.slope + root - chord) / (upper.slope - lower.slope + 2 * root);
  return lower.at + width * (Number.isFinite(share) ? Math.min(0.9, Math.max(0.1, share)) : 0.5);
}

const extended = ({ at }: Trial): number => 4 * at;

function checkOptions(counts: Readonly<Record<string, number>>): void {
  for (const [name, value] of Object.entries(counts)) {
    if (Number.isInteger(value) && value >= 1) continue;
    throw new SlalomError("option", `leastLoss: received ${name} ${value}; expected an integer from 1.`);
  }
}

function inner(a: Float64Array, b: Float64Array): number {
  let total = 0;
  for (let i = 0; i < a.length; i++) total += a[i] * b[i];
  return total;
}

const lengthOf = (vector: Float64Array): number => Math.sqrt(inner(vector, vector));

function addMultiple(target: Float64Array, vector: Float64Array, factor: number): void {
  for (let i = 0; i < target.length; i++) target[i] += factor * vector[i];
}
