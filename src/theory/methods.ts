/**
 * Gradient descent and heavy ball on a quadratic: where they converge, how fast, and the best settings. Gradient
 * descent is heavy ball without momentum.
 *
 * Heavy ball: p' = p - lr gradient + momentum (p - before). Along an eigenvector of eigenvalue h the error e obeys
 * e'' = (1 + momentum - lr h) e' - momentum e: a 2x2 matrix, whose spectral radius is the rate.
 * B. Polyak: "Some methods of speeding up the convergence of iteration methods", 1964.
 */
import { SlalomError } from "../base/errors.js";
import { curvatureRange } from "./spectrum.js";

/** Learning rate above 0 and momentum in [0, 1); no momentum is gradient descent. */
export interface Setting {
  readonly lr: number;
  readonly momentum?: number;
}

export interface MethodTheory {
  /** lr at and beyond which the method does not converge, at the best momentum. */
  readonly stabilityLimit: number;
  readonly bestLr: number;
  readonly bestMomentum: number;
  /** Factor by which the error shrinks in a step, in the long run, at the best setting; 0 to 1. */
  readonly bestRate: number;
}

/**
 * Gradient descent on a quadratic with these eigenvalues: it converges for 0 < lr < 2 / greatest; the best is
 * lr = 2 / (least + greatest) with rate (c - 1) / (c + 1), c being the condition number.
 * @throws SlalomError "option" for a negative eigenvalue or none above 0
 */
export function gradientDescentTheory(eigenvalues: readonly number[]): MethodTheory {
  const { least, greatest } = curvatureRange(eigenvalues);
  return {
    stabilityLimit: 2 / greatest,
    bestLr: 2 / (least + greatest),
    bestMomentum: 0,
    bestRate: (greatest - least) / (greatest + least),
  };
}

/**
 * Heavy ball on a quadratic with these eigenvalues: the best is lr = (2 / (sqrt greatest + sqrt least))^2 with
 * momentum = ((sqrt c - 1) / (sqrt c + 1))^2, and its rate is the momentum's root. It is approached from above: at
 * the best pair two roots meet, and the error falls as steps x rate^steps.
 * @throws SlalomError "option" for a negative eigenvalue or none above 0
 */
export function heavyBallTheory(eigenvalues: readonly number[]): MethodTheory {
  const { least, greatest } = curvatureRange(eigenvalues);
  const [low, high] = [Math.sqrt(least), Math.sqrt(greatest)];
  const bestRate = (high - low) / (high + low);
  const bestMomentum = bestRate ** 2;
  return {
    stabilityLimit: stabilityLimit(greatest, bestMomentum),
    bestLr: (2 / (low + high)) ** 2,
    bestMomentum,
    bestRate,
  };
}

/** lr at and beyond which heavy ball does not converge: 2 (1 + momentum) / greatest eigenvalue. */
export function stabilityLimit(greatestEigenvalue: number, momentum = 0): number {
  if (!(greatestEigenvalue > 0)) {
    throw new SlalomError(
      "option",
      `stabilityLimit: received greatest eigenvalue ${greatestEigenvalue}; expected a number above 0.`,
    );
  }
  checkMomentum("stabilityLimit", momentum);
  return (2 * (1 + momentum)) / greatestEigenvalue;
}

/** The boundary of heavy ball's stable region, one point for each momentum: a straight line over the momentum. */
export const stabilityBoundary = (
  greatestEigenvalue: number,
  momenta: readonly number[],
): { momentum: number; lr: number }[] =>
  momenta.map((momentum) => ({ momentum, lr: stabilityLimit(greatestEigenvalue, momentum) }));

/**
 * Greatest magnitude of the roots z of z^2 - (1 + momentum - lr h) z + momentum = 0: the factor by which the error
 * along an eigenvector of eigenvalue h changes in a step, in the long run. Below 1: it shrinks.
 */
export function spectralRadius(eigenvalue: number, setting: Setting): number {
  const { lr, momentum } = checkSetting("spectralRadius", setting);
  const trace = 1 + momentum - lr * eigenvalue;
  const discriminant = trace * trace - 4 * momentum;
  return discriminant < 0 ? Math.sqrt(momentum) : (Math.abs(trace) + Math.sqrt(discriminant)) / 2;
}

/** The greatest spectral radius over all directions that are not flat: the rate of the error in the long run. */
export function asymptoticRate(eigenvalues: readonly number[], setting: Setting): number {
  const { least } = curvatureRange(eigenvalues);
  return Math.max(
    ...eigenvalues.filter((value) => value >= least).map((value) => spectralRadius(value, setting)),
  );
}

/**
 * The curvature beyond which Adam is unstable: the greatest eigenvalue of P^-1 H with P = diag(sqrt(v) + eps), v being
 * Adam's bias-corrected second moment, may reach (2 + 2 beta1) / ((1 - beta1) lr), which is 38 / lr at beta1 = 0.9.
 *
 * An estimate: it holds for a preconditioner that changes slowly. Adam on a quadratic has no closed form, because its
 * preconditioner follows the gradients.
 * Cohen et al.: "Adaptive gradient methods at the edge of stability", 2022.
 * @param beta1 decay of the first moment, in [0, 1); default 0.9
 */
export function adamStabilityThreshold({
  lr,
  beta1 = 0.9,
}: {
  readonly lr: number;
  readonly beta1?: number;
}): number {
  checkSetting("adamStabilityThreshold", { lr, momentum: beta1 });
  return (2 + 2 * beta1) / ((1 - beta1) * lr);
}

/** The setting with its momentum filled in; throws "option" where it is out of range. */
export function checkSetting(operation: string, { lr, momentum = 0 }: Setting): Required<Setting> {
  if (!(lr > 0 && Number.isFinite(lr))) {
    throw new SlalomError("option", `${operation}: received lr ${lr}; expected a finite number above 0.`);
  }
  checkMomentum(operation, momentum);
  return { lr, momentum };
}

function checkMomentum(operation: string, momentum: number): void {
  if (momentum >= 0 && momentum < 1) return;
  throw new SlalomError(
    "option",
    `${operation}: received momentum ${momentum}; expected a number from 0 to below 1.`,
  );
}
