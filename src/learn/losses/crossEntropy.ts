/** Cross-entropy from logits: the loss of classification, and the accuracy that goes with it. */
import { SlalomError } from "../../base/errors.js";
import { formatType, sameShape } from "../../base/shape.js";
import {
  argmax,
  cast,
  equal,
  exp,
  log,
  max,
  oneHot,
  stopGradient,
  sub,
  sum,
  type Tensor,
  where,
} from "../../graph/index.js";

/**
 * The cross-entropy of each example: -log softmax(logits)[label].
 *
 * Computed as log(sum(exp(s))) - s[label] with s = logits - max(logits): no probability is ever formed, so that
 * neither a logarithm of 0 nor an overflow can occur, and a small loss beside large logits keeps its digits.
 * @param logits float [..., classes], any finite values
 * @param labels int32 or uint8 [...], 0 to classes - 1
 * @returns [...], of the logits' dtype
 * @throws SlalomError "shape" for labels of another shape or of a float dtype
 */
export function crossEntropy(logits: Tensor, labels: Tensor): Tensor {
  checkLabels("crossEntropy", logits, labels);
  const shifted = sub(logits, stopGradient(max(logits, { axis: -1, keepDims: true })));
  const isLabel = oneHot(labels, logits.shape[logits.shape.length - 1], "uint8");
  return sub(log(sum(exp(shifted), { axis: -1 })), sum(where(isLabel, shifted, 0), { axis: -1 }));
}

/**
 * 1 for each example whose greatest logit is the label's (the first of equals counts), else 0.
 * @param logits float [..., classes]
 * @param labels int32 or uint8 [...]
 * @returns [...], of the logits' dtype
 */
export function accuracy(logits: Tensor, labels: Tensor): Tensor {
  checkLabels("accuracy", logits, labels);
  return cast(equal(argmax(logits), cast(labels, "int32")), logits.dtype);
}

function checkLabels(operation: string, logits: Tensor, labels: Tensor): void {
  const isIndex = labels.dtype === "int32" || labels.dtype === "uint8";
  if (isIndex && logits.shape.length > 0 && sameShape(labels.shape, logits.shape.slice(0, -1))) return;
  throw new SlalomError(
    "shape",
    `${operation}: logits ${formatType(logits)}, labels ${formatType(labels)}; expected class indices, int32 or uint8, of shape [${logits.shape.slice(0, -1)}].`,
  );
}
