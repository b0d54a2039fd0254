/** Repeating along new axes, and its adjoint: the sum. */
import { allocate } from "../../base/dtype.js";
import { SlalomError } from "../../base/errors.js";
import {
  formatType,
  type HostTensor,
  type Shape,
  sizeOf,
  stridesOf,
  type TensorType,
} from "../../base/shape.js";
import type { Batched, Tensor } from "../tensor.js";
import { defineOperation } from "./define.js";

export const broadcastOperation = defineOperation("broadcast", {
  infer: ([x], { shape, axes }) => {
    const fits =
      axes.length === x.shape.length &&
      axes.every((axis, i) => shape[axis] === x.shape[i] && (i === 0 || axis > axes[i - 1]));
    if (!fits) {
      throw new SlalomError(
        "shape",
        `broadcast: ${formatType(x)} does not become [${shape}] with its axes at [${axes}]; expected ascending axes of equal extents.`,
      );
    }
    return { shape, dtype: x.dtype };
  },
  gradient: ({ inputs: [x], attributes: { shape, axes } }, g) => [
    x.shape.length === shape.length
      ? g
      : sumOver(
          g,
          shape.map((_, axis) => axis).filter((axis) => !axes.includes(axis)),
        ),
  ],
  batch: ({ attributes: { shape, axes } }, [x]) => {
    // The lane axis stays right behind the axis that it follows in the input, so that lanes stay outermost.
    const at = x.axis! > 0 ? axes[x.axis! - 1] + 1 : 0;
    const moved = axes.map((axis) => (axis >= at ? axis + 1 : axis));
    return {
      tensor: broadcastAlong(
        x.tensor,
        shape.toSpliced(at, 0, x.tensor.shape[x.axis!]),
        moved.toSpliced(x.axis!, 0, at),
      ),
      axis: at,
    };
  },
  evaluate: ([x], { axes }, output) => {
    const from = stridesOf(x.shape);
    const strides = new Array<number>(output.shape.length).fill(0);
    axes.forEach((axis, i) => {
      strides[axis] = from[i];
    });
    return gatherStrided(x, output, strides, 0);
  },
});

export const sumOperation = defineOperation("sum", {
  infer: ([x], { axes }) => {
    if (x.dtype === "uint8") {
      throw new SlalomError(
        "shape",
        `sum: ${formatType(x)} operand, whose sum would wrap at 256; expected f32, f64, i32. Cast it first.`,
      );
    }
    return { shape: x.shape.filter((_, axis) => !axes.includes(axis)), dtype: x.dtype };
  },
  gradient: ({ inputs: [x], attributes: { axes } }, g) => [
    broadcastAlong(
      g,
      x.shape,
      x.shape.map((_, axis) => axis).filter((axis) => !axes.includes(axis)),
    ),
  ],
  batch: ({ attributes: { axes } }, [x]) => batchReduction(x, axes, sumOver),
  evaluate: ([x], { axes }, output) => reduceStrided(x, axes, output, (total, value) => total + value, 0),
});

/** Repeats `x`: its axis i becomes axis `axes[i]` of `shape`. */
export const broadcastAlong = (x: Tensor, shape: Shape, axes: readonly number[]): Tensor =>
  shape.length === axes.length ? x : broadcastOperation.apply([x], { shape, axes });

/** Sum over `axes` (resolved, ascending), which disappear. */
export const sumOver = (x: Tensor, axes: readonly number[]): Tensor =>
  axes.length === 0 ? x : sumOperation.apply([x], { axes });

/** The batching rule of every reduction: the lane axis stays, the reduced axes step aside. */
export function batchReduction(
  x: Batched,
  axes: readonly number[],
  reduce: (x: Tensor, axes: readonly number[]) => Tensor,
): Batched {
  const shifted = axes.map((axis) => (axis >= x.axis! ? axis + 1 : axis));
  const removedBefore = shifted.filter((axis) => axis < x.axis!).length;
  return { tensor: reduce(x.tensor, shifted), axis: x.axis! - removedBefore };
}

/** Reads `x` at every index of `output` through `strides` from `offset`. */
export function gatherStrided(x: HostTensor, output: TensorType, strides: readonly number[], offset: number) {
  const data = allocate(output.dtype, sizeOf(output.shape));
  // One element everywhere, as numbers beside tensors are.
  if (strides.every((stride) => stride === 0)) return data.length === 0 ? data : data.fill(x.data[offset]);
  forEachIndex(output.shape, strides, offset, (position, i) => {
    data[i] = x.data[position];
  });
  return data;
}

/** Folds `x` over `axes`, in float64, in row-major order. */
export function reduceStrided(
  x: HostTensor,
  axes: readonly number[],
  output: TensorType,
  combine: (accumulator: number, value: number) => number,
  initial: number,
) {
  const kept = stridesOf(output.shape);
  let next = 0;
  const strides = x.shape.map((_, axis) => (axes.includes(axis) ? 0 : kept[next++]));
  const totals = new Float64Array(sizeOf(output.shape)).fill(initial);
  forEachIndex(x.shape, strides, 0, (position, i) => {
    totals[position] = combine(totals[position], x.data[i]);
  });
  const data = allocate(output.dtype, totals.length);
  data.set(totals);
  return data;
}

/** Calls `visit` with the strided position and the row-major number of every index of `shape`. */
export function forEachIndex(
  shape: Shape,
  strides: readonly number[],
  offset: number,
  visit: (position: number, i: number) => void,
): void {
  const size = sizeOf(shape);
  const index = new Array<number>(shape.length).fill(0);
  let position = offset;
  for (let i = 0; i < size; i++) {
    visit(position, i);
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      position += strides[axis];
      if (++index[axis] < shape[axis]) break;
      position -= index[axis] * strides[axis];
      index[axis] = 0;
    }
  }
}
