/**
 * Reverse-mode differentiation as a transformation of the graph: the gradient is a graph again, so it can be
 * differentiated, batched and compiled like any other.
 */
import { isFloat } from "../base/dtype.js";
import { SlalomError } from "../base/errors.js";
import { formatType, sameShape, type TensorType } from "../base/shape.js";
import { mul, sum } from "../graph/functions.js";
import { add as addSame } from "../graph/operations/elementwise.js";
import { operationOf } from "../graph/operations/index.js";
import { full, fullLike } from "../graph/operations/leaves.js";
import type { Tensor } from "../graph/tensor.js";
import { topologicalOrder } from "../graph/traverse.js";

/**
 * d `loss` / d `wrt`, one tensor for each of `wrt`, of its type; zeros where the loss does not depend on it.
 * @param loss a float scalar
 * @throws SlalomError "shape" if the loss is no float scalar
 */
export function grad(loss: Tensor, wrt: readonly Tensor[]): Tensor[] {
  if (loss.shape.length !== 0 || !isFloat(loss.dtype)) {
    const remedy = loss.shape.length !== 0 ? "a scalar. Take its sum or mean?" : "f32 or f64.";
    throw new SlalomError("shape", `grad: the loss is ${formatType(loss)}; expected ${remedy}`);
  }
  return vjp(loss, wrt, full([], 1, loss.dtype));
}

/**
 * The product of `cotangent` (of `output`'s type) with the Jacobian of `output` by each of `wrt`.
 * @throws SlalomError "shape" if the cotangent has another type than the output
 */
export function vjp(output: Tensor, wrt: readonly Tensor[], cotangent: Tensor): Tensor[] {
  if (!sameType(cotangent, output)) {
    throw new SlalomError(
      "shape",
      `vjp: the cotangent is ${formatType(cotangent)}; expected ${formatType(output)}, the output's type.`,
    );
  }
  const order = topologicalOrder([output]);
  const targets = new Set(wrt);
  const onPath = new Set<Tensor>();
  for (const node of order) {
    if (targets.has(node) || node.inputs.some((input) => onPath.has(input))) onPath.add(node);
  }
  const gradients = new Map<Tensor, Tensor>([[output, cotangent]]);
  for (const node of order.reverse()) {
    const g = gradients.get(node);
    if (!g || !node.inputs.some((input) => onPath.has(input))) continue;
    const contributions = operationOf(node.op).gradient(node as never, g);
    node.inputs.forEach((input, i) => {
      const contribution = contributions[i];
      if (!contribution || !onPath.has(input)) return;
      const sofar = gradients.get(input);
      gradients.set(input, sofar ? addSame(sofar, contribution) : contribution);
    });
  }
  return wrt.map((tensor) => gradients.get(tensor) ?? fullLike(tensor, 0));
}

/**
 * The Hessian of `loss` times `vectors` (one for each of `wrt`, of its type), by differentiating the directional
 * derivative. Pearlmutter: "Fast exact multiplication by the Hessian", 1994.
 */
export function hessianVectorProduct(
  loss: Tensor,
  wrt: readonly Tensor[],
  vectors: readonly Tensor[],
): Tensor[] {
  wrt.forEach((tensor, i) => {
    if (!vectors[i] || !sameType(vectors[i], tensor)) {
      throw new SlalomError(
        "shape",
        `hessianVectorProduct: vector ${i} is ${vectors[i] ? formatType(vectors[i]) : "absent"}; expected ${formatType(tensor)}.`,
      );
    }
  });
  if (wrt.length === 0) return [];
  const directional = grad(loss, wrt)
    .map((gradient, i) => sum(mul(gradient, vectors[i])))
    .reduce((total, term) => addSame(total, term));
  return grad(directional, wrt);
}

const sameType = (a: TensorType, b: TensorType): boolean =>
  a.dtype === b.dtype && sameShape(a.shape, b.shape);
