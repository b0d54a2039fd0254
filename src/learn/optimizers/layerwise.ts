/** What LARS and LAMB share: which tensors count as a layer's weights, and how far these move for their size. */
import { and, div, less, lessEqual, minimum, type Tensor, where } from "../../graph/index.js";
import { globalNorm } from "./apply.js";
import type { Hyperparameter } from "./optimizer.js";

/**
 * Biases, and the scales and shifts of normalisation, have at most one axis. Many begin at 0, where a step in proportion
 * to their norm would be none, and decay would pull them to where nothing is gained. Other implementations leave them out
 * by their names or, as here, by their axes.
 */
export const minimumAxes = {
  default: 2,
  range: [0, 2],
  scale: "linear",
  minimum: 0,
  meaning: "tensors of fewer axes, such as biases, have trust ratio 1 and no weight decay; 0 adapts all",
} as const satisfies Hyperparameter;

/** Whether a tensor is adapted, for `where`. Lanes are no axis of it. */
export const isAdapted = (parameter: Tensor, fewestAxes: Tensor): Tensor =>
  lessEqual(fewestAxes, parameter.shape.length);

/** The Euclidean norm of one tensor, a scalar. */
export const norm = (x: Tensor): Tensor => globalNorm([x]);

/**
 * size / change, by which the change of a tensor is multiplied: how far it moves then follows from its own size and no
 * longer from that of its gradient. 1 where it is not adapted, and where either is 0: weights of 0 would never move.
 * @param size scalar, in proportion to the norm of the weights
 * @param change scalar, the norm of what the ratio multiplies, or a bound of it
 */
export const trustRatio = (adapted: Tensor, size: Tensor, change: Tensor): Tensor =>
  where(and(adapted, less(0, minimum(size, change))), div(size, change), 1);
