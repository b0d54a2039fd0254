/** Squared error: the loss of regression. */
import { checkKeys, SlalomError } from "../../base/errors.js";
import { formatType, sameShape } from "../../base/shape.js";
import { cast, mean, square, sub, sum, type Tensor } from "../../graph/index.js";

export interface SquaredErrorOptions {
  /** How the outputs of one example become one loss; default "sum". */
  readonly over?: "sum" | "mean";
}

/**
 * The squared error of each example: sum (or mean) over its outputs of (prediction - target)^2. No factor 1/2.
 * @param predictions float [batch, ...]
 * @param targets of the same shape, any dtype. Shapes are not broadcast: [batch] against [batch, 1] would give
 *   every pair of examples a loss.
 * @returns [batch], of the predictions' dtype
 * @throws SlalomError "shape" where the shapes differ
 */
export function squaredError(
  predictions: Tensor,
  targets: Tensor,
  options: SquaredErrorOptions = {},
): Tensor {
  checkKeys("squaredError", options, ["over"]);
  if (predictions.shape.length === 0 || !sameShape(predictions.shape, targets.shape)) {
    throw new SlalomError(
      "shape",
      `squaredError: predictions ${formatType(predictions)}, targets ${formatType(targets)}; expected one shape [batch,...]. Reshape the predictions?`,
    );
  }
  const { over = "sum" } = options;
  if (over !== "sum" && over !== "mean") {
    throw new SlalomError("option", `squaredError: received over "${over}"; expected "sum" or "mean".`);
  }
  const errors = square(sub(predictions, cast(targets, predictions.dtype)));
  const axis = predictions.shape.map((_, i) => i).slice(1);
  return (over === "sum" ? sum : mean)(errors, { axis });
}
