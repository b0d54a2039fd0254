/**
 * What gradient descent and heavy ball do on a quadratic, step by step, without running them: each eigenvector's error
 * obeys its own 2x2 recurrence (see `methods.ts`), and the loss is the sum over eigenvectors of eigenvalue error^2 / 2.
 */
import { SlalomError } from "../base/errors.js";
import type { QuadraticForm } from "../learn/problems/problem.js";
import { checkSetting, type Setting, spectralRadius, stabilityLimit } from "./methods.js";
import { type Spectrum, spectrum } from "./spectrum.js";

/** A quadratic seen along its eigenvectors. */
export interface QuadraticModes {
  /** Ascending. */
  readonly eigenvalues: readonly number[];
  /** The start's distance from the minimizer along each eigenvector. */
  readonly errors: readonly number[];
  readonly vectors: Spectrum["vectors"];
  readonly minimizer: readonly number[];
  readonly minimum: number;
}

/**
 * The modes of a quadratic problem: compute them once for many settings.
 * @example const modes = quadraticModes(linearRegression().quadratic!)
 */
export function quadraticModes(form: QuadraticForm): QuadraticModes {
  const { values, vectors } = spectrum(form.hessian);
  const errors = vectors.map((vector) =>
    vector.reduce((sum, v, i) => sum + v * (form.start[i] - form.minimizer[i]), 0),
  );
  return {
    eigenvalues: values,
    errors,
    vectors,
    minimizer: form.minimizer,
    minimum: form.minimum,
  };
}

/**
 * The loss before each step: element 0 at the start, element `steps` after the last, steps + 1 numbers.
 *
 * Gradient descent in closed form, error (1 - lr h)^t; heavy ball by its recurrence, at rest before the first step as
 * PyTorch's SGD is. Exact but for float64 rounding. Beyond what float64 holds it is Infinity.
 */
export function predictedLosses(modes: QuadraticModes, setting: Setting, steps: number): Float64Array {
  const { lr, momentum } = checkSetting("predictedLosses", setting);
  const count = checkSteps("predictedLosses", steps) + 1;
  const losses = new Float64Array(count).fill(modes.minimum);
  modes.eigenvalues.forEach((eigenvalue, i) => {
    const errors = errorsOf(modes.errors[i], eigenvalue, lr, momentum, count);
    for (let t = 0; t < count; t++) losses[t] += halfSquare(eigenvalue, errors[t]);
  });
  return losses;
}

/** The parameters before each step, [steps + 1][parameters]: the path to draw over the contours. */
export function predictedPath(modes: QuadraticModes, setting: Setting, steps: number): number[][] {
  const { lr, momentum } = checkSetting("predictedPath", setting);
  const count = checkSteps("predictedPath", steps) + 1;
  const errors = modes.eigenvalues.map((eigenvalue, i) =>
    errorsOf(modes.errors[i], eigenvalue, lr, momentum, count),
  );
  return Array.from({ length: count }, (_, t) =>
    modes.minimizer.map((value, j) =>
      modes.vectors.reduce((sum, vector, i) => sum + vector[j] * errors[i][t], value),
    ),
  );
}

/** Why a setting diverges on a quadratic. */
export interface DivergencePrediction {
  /** The eigenvalue whose error grows fastest. */
  readonly eigenvalue: number;
  /** The factor by which that error grows in a step, in the long run. */
  readonly growth: number;
  /** The lr that it would have to stay below at this momentum. */
  readonly stabilityLimit: number;
  /** The first step before which the loss exceeds the bound; undefined if it does not within `steps`. */
  readonly step: number | undefined;
}

export interface DivergenceOptions {
  /** Default: the greatest float32, where single-precision runs become infinite. */
  readonly bound?: number;
  /** How far to look; default 100,000. */
  readonly steps?: number;
}

/**
 * Which eigenvalue leaves the stable region and when the loss exceeds a bound; undefined where the setting converges
 * or stays bounded.
 *
 * An eigenvector along which the start has no error never grows in exact arithmetic; rounding would feed it.
 */
export function predictDivergence(
  modes: QuadraticModes,
  setting: Setting,
  { bound = 3.4028234663852886e38, steps = 100_000 }: DivergenceOptions = {},
): DivergencePrediction | undefined {
  const { lr, momentum } = checkSetting("predictDivergence", setting);
  // From the limit itself: a radius computed beside 1 would be decided by rounding.
  const unstable = modes.eigenvalues.filter(
    (eigenvalue) => eigenvalue < 0 || (eigenvalue > 0 && lr > stabilityLimit(eigenvalue, momentum)),
  );
  if (unstable.length === 0) return undefined;
  const eigenvalue = unstable.reduce((worst, value) =>
    spectralRadius(value, setting) > spectralRadius(worst, setting) ? value : worst,
  );
  return {
    eigenvalue,
    growth: spectralRadius(eigenvalue, setting),
    stabilityLimit: eigenvalue > 0 ? stabilityLimit(eigenvalue, momentum) : 0,
    step: firstStepBeyond(modes, { lr, momentum }, bound, checkSteps("predictDivergence", steps)),
  };
}

/**
 * The first step before which the loss is at most `target`, as a run would record it; undefined if it is not within
 * `steps`.
 */
export function predictedStepsTo(
  modes: QuadraticModes,
  setting: Setting,
  { target, steps }: { readonly target: number; readonly steps: number },
): number | undefined {
  const step = predictedLosses(modes, setting, steps).findIndex((loss) => loss <= target);
  return step < 0 ? undefined : step;
}

/** e(t) for t = 0 ... count - 1. */
function errorsOf(
  start: number,
  eigenvalue: number,
  lr: number,
  momentum: number,
  count: number,
): Float64Array {
  const errors = new Float64Array(count);
  if (start === 0) return errors;
  if (momentum === 0) {
    const factor = 1 - lr * eigenvalue;
    for (let t = 0; t < count; t++) errors[t] = start * factor ** t;
    return errors;
  }
  let [error, change] = [start, 0];
  for (let t = 0; t < count; t++) {
    errors[t] = error;
    // The change is carried instead of the error before: differences of near-equal errors would lose digits.
    change = momentum * change - lr * eigenvalue * error;
    error += change;
    if (!Number.isFinite(error)) return errors.fill(Number.POSITIVE_INFINITY, t + 1);
  }
  return errors;
}

const halfSquare = (eigenvalue: number, error: number): number =>
  eigenvalue === 0 ? 0 : 0.5 * eigenvalue * error * error;

/** Looks in stretches that double: a run that explodes at step 40 needs no 100,000 predicted steps. */
function firstStepBeyond(
  modes: QuadraticModes,
  setting: Setting,
  bound: number,
  steps: number,
): number | undefined {
  for (let stretch = 64; ; stretch *= 2) {
    const length = Math.min(stretch, steps);
    const step = predictedLosses(modes, setting, length).findIndex((loss) => !(Math.abs(loss) <= bound));
    if (step >= 0) return step;
    if (length === steps) return undefined;
  }
}

function checkSteps(operation: string, steps: number): number {
  if (Number.isInteger(steps) && steps >= 0) return steps;
  throw new SlalomError("option", `${operation}: received ${steps} steps; expected an integer from 0.`);
}
