/** Contractions as matrix products. */
import { freeAxes } from "../../../graph/operations/dot.js";
import { allAxes, type OnnxBuilder, type Value } from "../builder.js";
import { type Extent, productOf } from "../extents.js";
import type { Translation } from "./translation.js";

/**
 * MatMul takes [..., m, k] x [..., k, n], and [..., k] x [k, n]: what has that form is written as it is, and all else gets
 * it by joining the axes of one role. A vector becomes a matrix, as runtimes differ in what they make of one.
 */
export const dotTranslation: Translation<"dot"> = ({ node, inputs: [left, right], shape, onnx }) => {
  const { batch, contract } = node.attributes;
  const free = ([0, 1] as const).map((side) => freeAxes(node.attributes, node.inputs, side));
  const a = { value: left, roles: [batch[0], free[0], contract[0]] };
  const b = { value: right, roles: [batch[1], contract[1], free[1]] };
  const isMatrix = contract[0].length === 1 && free[1].length === 1;
  const type = left.type;
  const axes = allAxes(shape);
  if (isMatrix && (free[0].length === 1 || (free[0].length > 1 && batch[0].length === 0))) {
    const operands = [a, b].map(({ value, roles }) => onnx.filled(value, roles.flat()));
    return { name: onnx.node("MatMul", operands), type, shape, axes };
  }
  const product = onnx.node("MatMul", [joined(onnx, a.value, a.roles), joined(onnx, b.value, b.roles)]);
  return { name: onnx.reshaped(product, shape), type, shape, axes };
};

/** The batch axes, then one axis for each of the two other roles. */
function joined(onnx: OnnxBuilder, value: Value, [batch, ...roles]: readonly (readonly number[])[]): string {
  const extentsOf = (axes: readonly number[]): Extent[] => axes.map((axis) => value.shape[axis]);
  const target = [...extentsOf(batch), ...roles.map((axes) => productOf(extentsOf(axes)))];
  return onnx.reshaped(onnx.filled(value, [batch, ...roles].flat()), target);
}
