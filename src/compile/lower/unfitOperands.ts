/** Contractions whose operands no library reads as they lie: a copy puts them into an order that one does. */
import { invariant } from "../../base/errors.js";
import { stridesOf } from "../../base/shape.js";
import { permute } from "../../graph/operations/movement.js";
import type { Node, Tensor } from "../../graph/tensor.js";
import { rewrite } from "../../graph/traverse.js";
import { canonicalOrder, planContraction } from "./contraction.js";
import { isComputed } from "./materialize.js";
import { viewOf } from "./views.js";

/** The graph in which every contraction is a product of its operands as they will lie in memory. */
export function copyUnfitOperands(outputs: readonly Tensor[]): Tensor[] {
  return rewrite(outputs, (node) => {
    if (node.op !== "dot") return node;
    // An operand that is computed will be stored contiguous; a view of memory keeps its strides.
    const assumed = (operand: Tensor) =>
      viewOf(operand, isComputed) ?? { base: operand, offset: 0, strides: stridesOf(operand.shape) };
    const fits = (operands: readonly Tensor[], candidate: Node<"dot">) =>
      planContraction(candidate, assumed(operands[0]), assumed(operands[1]));
    if (fits(node.inputs, node)) return node;
    for (const sides of [[0], [1], [0, 1]] as const) {
      const reordered = reorder(node, sides);
      const views = ([0, 1] as const).map((side) =>
        (sides as readonly number[]).includes(side)
          ? { base: reordered.inputs[side], offset: 0, strides: stridesOf(reordered.inputs[side].shape) }
          : assumed(reordered.inputs[side]),
      );
      if (planContraction(reordered, views[0], views[1])) return reordered;
    }
    invariant(false, "a contraction of contiguous operands is a product");
  });
}

/** The same contraction with the operands of `sides` copied into canonical order. */
function reorder(node: Node<"dot">, sides: readonly (0 | 1)[]): Node<"dot"> {
  const inputs = [...node.inputs];
  const batch: [readonly number[], readonly number[]] = [...node.attributes.batch];
  const contract: [readonly number[], readonly number[]] = [...node.attributes.contract];
  for (const side of sides) {
    const order = canonicalOrder(node, side);
    // Adding zero-width padding is the copy: a node with memory of its own, in its own order.
    const moved = permute(inputs[side], order);
    inputs[side] = {
      op: "pad",
      inputs: [moved],
      attributes: { low: order.map(() => 0), high: order.map(() => 0), value: 0 },
      shape: moved.shape,
      dtype: moved.dtype,
    };
    batch[side] = batch[side].map((axis) => order.indexOf(axis));
    contract[side] = contract[side].map((axis) => order.indexOf(axis));
  }
  return { ...node, inputs, attributes: { ...node.attributes, batch, contract } };
}
