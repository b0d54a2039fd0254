/** Reductions, in whatever order the axes lie. */
import { allAxes, type OnnxBuilder, type Value } from "../builder.js";
import type { Translation } from "./translation.js";

type ReductionName = "sum" | "reduceMax" | "reduceMin";

export const reductionTranslation =
  <N extends ReductionName>(opType: string): Translation<N> =>
  ({ node, inputs: [x], shape, onnx }) => {
    const { axes: reduced } = node.attributes as { readonly axes: readonly number[] };
    if (reduced.length === 0) return x;
    const { operand, places, axes } = withoutAxes(onnx, x, reduced);
    const name = onnx.node(opType, [operand, onnx.integers(places)], { keepdims: 0 });
    return { name, type: x.type, shape, axes };
  };

export const argmaxTranslation: Translation<"argmax"> = ({ node, inputs: [x], shape, onnx }) => {
  const { operand, places, axes } = withoutAxes(onnx, x, [node.attributes.axis]);
  const index = onnx.node("ArgMax", [operand], { axis: places[0], keepdims: 0, select_last_index: 0 });
  return onnx.cast({ name: index, type: "int64", shape, axes }, "int32");
};

/** `x` with the axes that disappear in it, the places of these, and the axes of what is left. */
function withoutAxes(
  onnx: OnnxBuilder,
  x: Value,
  reduced: readonly number[],
): { operand: string; places: number[]; axes: number[] } {
  const all = [...x.axes, ...reduced.filter((axis) => !x.axes.includes(axis))];
  const left = allAxes(x.shape).filter((axis) => !reduced.includes(axis));
  return {
    operand: onnx.filled(x, all),
    places: reduced.map((axis) => all.indexOf(axis)),
    axes: all.filter((axis) => !reduced.includes(axis)).map((axis) => left.indexOf(axis)),
  };
}
