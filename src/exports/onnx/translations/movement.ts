/** Operations that move elements. Where only names of axes change, nothing is written. */
import { SlalomError } from "../../../base/errors.js";
import { inverse } from "../../../graph/operations/movement.js";
import { allAxes, type Value } from "../builder.js";
import { type Extent, isOpen, sameExtent } from "../extents.js";
import type { Translation } from "./translation.js";

export const broadcastTranslation: Translation<"broadcast"> = ({ node, inputs: [x], shape }) => ({
  ...x,
  shape,
  axes: x.axes.map((axis) => node.attributes.axes[axis]),
});

export const transposeTranslation: Translation<"transpose"> = ({ node, inputs: [x], shape }) => {
  const to = inverse(node.attributes.permutation);
  return { ...x, shape, axes: x.axes.map((axis) => to[axis]) };
};

export const reshapeTranslation: Translation<"reshape"> = ({ inputs: [x], shape, onnx }) => {
  const renamed = renamedAxes(x, shape);
  if (renamed) return { ...x, shape, axes: renamed };
  const isComplete = x.axes.length === x.shape.length && x.axes.every((axis, place) => axis === place);
  if (x.data && isComplete) return { ...x, shape, axes: allAxes(shape) };
  const name = onnx.reshaped(onnx.filled(x, allAxes(x.shape)), shape);
  return { name, type: x.type, shape, axes: allAxes(shape) };
};

/** The axes of `x` in a shape that differs by axes of extent 1 alone; undefined where more differs. */
function renamedAxes(x: Value, shape: readonly Extent[]): number[] | undefined {
  const wide = (extents: readonly Extent[]): number[] =>
    allAxes(extents).filter((axis) => extents[axis] !== 1);
  const [from, to] = [wide(x.shape), wide(shape)];
  const isSame =
    from.length === to.length && from.every((axis, i) => sameExtent(x.shape[axis], shape[to[i]]));
  if (!isSame || x.axes.some((axis) => x.shape[axis] === 1)) return undefined;
  return x.axes.map((axis) => to[from.indexOf(axis)]);
}

export const sliceTranslation: Translation<"slice"> = ({ node, inputs: [x], shape, onnx }) => {
  const { start, stop, step } = node.attributes;
  const cut = allAxes(shape).filter(
    (axis) => x.axes.includes(axis) && !sameExtent(shape[axis], x.shape[axis]),
  );
  if (cut.length === 0) return { ...x, shape };
  const of = (values: readonly number[]): string => onnx.integers(cut.map((axis) => values[axis]));
  const places = onnx.integers(cut.map((axis) => x.axes.indexOf(axis)));
  const name = onnx.node("Slice", [onnx.arranged(x, x.axes), of(start), of(stop), places, of(step)]);
  return { name, type: x.type, shape, axes: x.axes };
};

export const padTranslation: Translation<"pad"> = ({ node, inputs: [x], shape, onnx }) => {
  const { low, high, value } = node.attributes;
  const widened = allAxes(shape).filter((axis) => low[axis] + high[axis] > 0);
  if (widened.length === 0) return x;
  const axes = [...x.axes, ...widened.filter((axis) => !x.axes.includes(axis))];
  const widths = [low, high].flatMap((side) => axes.map((axis) => side[axis]));
  const around = onnx.arranged(onnx.scalar(value, node.dtype, []), []);
  const name = onnx.node("Pad", [onnx.filled(x, axes), onnx.integers(widths), around]);
  return { name, type: x.type, shape, axes };
};

export const concatTranslation: Translation<"concat"> = ({ node, inputs, shape, onnx }) => {
  const [{ axes: first }] = inputs;
  const axes = first.length === shape.length ? first : allAxes(shape);
  const parts = inputs.map((input) => onnx.filled(input, axes));
  const name = onnx.node("Concat", parts, { axis: axes.indexOf(node.attributes.axis) });
  return { name, type: inputs[0].type, shape, axes };
};

export const takeTranslation: Translation<"take"> = ({ node, inputs: [x, places], shape, onnx }) => {
  const { axis } = node.attributes;
  const extent = x.shape[axis];
  if (isOpen(extent)) {
    throw new SlalomError(
      "option",
      "export to ONNX: take reads along the batch, whose size is open. Settle it, such as batch 1.",
    );
  }
  // Ours clamps indices outside of the axis, where ONNX refuses them.
  const bound = (value: number): Value => onnx.scalar(value, "int32", places.shape);
  const low = onnx.elementwise("Max", [places, bound(0)]);
  const clamped = onnx.elementwise("Min", [low, bound(extent - 1)]);
  const operands = [x, clamped].map((value) => onnx.filled(value, allAxes(value.shape)));
  return { name: onnx.node("Gather", operands, { axis }), type: x.type, shape, axes: allAxes(shape) };
};
