/** Reading rows by index, and its adjoint: adding rows into places. Indices outside the axis are clamped. */
import { allocate } from "../../base/dtype.js";
import { SlalomError } from "../../base/errors.js";
import { formatType, sameShape, sizeOf } from "../../base/shape.js";
import type { Batched, Tensor } from "../tensor.js";
import { defineOperation } from "./define.js";
import { add, maximum, minimum, mul } from "./elementwise.js";
import { full, iota } from "./leaves.js";
import { alignAxis, moveAxis, reshapeTo } from "./movement.js";

/** Output shape: the operand's, with `axis` replaced by the axes of the indices. */
export const takeOperation = defineOperation("take", {
  infer: ([x, indices], { axis }) => {
    if (indices.dtype !== "int32")
      throw new SlalomError(
        "shape",
        `take: indices are ${formatType(indices)}; expected i32. Cast them first.`,
      );
    if (x.shape[axis] === 0 && sizeOf(indices.shape) > 0)
      throw new SlalomError("shape", `take: no elements along axis ${axis} of ${formatType(x)}.`);
    return { shape: x.shape.toSpliced(axis, 1, ...indices.shape), dtype: x.dtype };
  },
  gradient: ({ inputs: [x, indices], attributes: { axis } }, g) => [
    scatterAdd(g, indices, axis, x.shape[axis]),
    undefined,
  ],
  batch: ({ attributes: { axis } }, [x, indices]) => {
    if (indices.axis === undefined) {
      // Lanes stay outside the axis that is read.
      const shifted = axis >= x.axis! ? axis + 1 : axis;
      const grown = x.axis! > axis ? indices.tensor.shape.length - 1 : 0;
      return { tensor: take(x.tensor, indices.tensor, shifted), axis: x.axis! + grown };
    }
    if (x.axis === undefined)
      return { tensor: take(x.tensor, indices.tensor, axis), axis: axis + indices.axis };
    const flat = flattenLanes(x, indices, axis);
    return { tensor: take(flat.values, flat.indices, axis), axis: axis };
  },
  evaluate: ([x, indices], { axis }, output) => {
    const data = allocate(output.dtype, sizeOf(output.shape));
    const inner = sizeOf(x.shape.slice(axis + 1));
    const outer = sizeOf(x.shape.slice(0, axis));
    const extent = x.shape[axis];
    const count = indices.data.length;
    for (let o = 0; o < outer; o++) {
      for (let n = 0; n < count; n++) {
        const from = (o * extent + clampIndex(indices.data[n], extent)) * inner;
        const to = (o * count + n) * inner;
        for (let i = 0; i < inner; i++) data[to + i] = x.data[from + i];
      }
    }
    return data;
  },
});

/** `take` turned around: slabs of the updates are summed into a zero tensor whose `axis` has `extent`. */
export const scatterAddOperation = defineOperation("scatterAdd", {
  infer: ([updates, indices], { axis, extent }) => {
    const slab = updates.shape.slice(axis, axis + indices.shape.length);
    if (indices.dtype !== "int32" || updates.dtype === "uint8" || !sameShape(slab, indices.shape)) {
      throw new SlalomError(
        "shape",
        `scatterAdd: updates ${formatType(updates)} at ${formatType(indices)} from axis ${axis}; expected i32 indices whose extents the updates have there, and updates of f32, f64, i32.`,
      );
    }
    return { shape: updates.shape.toSpliced(axis, slab.length, extent), dtype: updates.dtype };
  },
  gradient: ({ inputs: [, indices], attributes: { axis } }, g) => [take(g, indices, axis), undefined],
  batch: ({ attributes: { axis, extent } }, [updates, indices]) => {
    const lanes = (updates.axis !== undefined ? updates : indices).tensor.shape[
      (updates.axis ?? indices.axis)!
    ];
    if (indices.axis === undefined) {
      const outside = moveAxis(updates.tensor, updates.axis!, 0);
      return { tensor: scatterAdd(outside, indices.tensor, axis + 1, extent), axis: 0 };
    }
    const values = alignAxis(updates, axis, lanes);
    const joined = scatterAdd(
      values,
      ownPart(moveAxis(indices.tensor, indices.axis, 0), extent),
      axis,
      lanes * extent,
    );
    return { tensor: reshapeTo(joined, joined.shape.toSpliced(axis, 1, lanes, extent)), axis };
  },
  evaluate: ([updates, indices], { axis, extent }, output) => {
    const totals = new Float64Array(sizeOf(output.shape));
    const inner = sizeOf(output.shape.slice(axis + 1));
    const outer = sizeOf(output.shape.slice(0, axis));
    const count = indices.data.length;
    for (let o = 0; o < outer; o++) {
      for (let n = 0; n < count; n++) {
        const to = (o * extent + clampIndex(indices.data[n], extent)) * inner;
        const from = (o * count + n) * inner;
        for (let i = 0; i < inner; i++) totals[to + i] += updates.data[from + i];
      }
    }
    const data = allocate(output.dtype, totals.length);
    data.set(totals);
    return data;
  },
});

export const take = (x: Tensor, indices: Tensor, axis: number): Tensor =>
  takeOperation.apply([x, indices], { axis });

export const scatterAdd = (updates: Tensor, indices: Tensor, axis: number, extent: number): Tensor =>
  scatterAddOperation.apply([updates, indices], { axis, extent });

const clampIndex = (index: number, extent: number): number => Math.min(Math.max(index, 0), extent - 1);

/** Both have lanes: lanes and axis become one longer axis, and each lane's indices point into its own part. */
function flattenLanes(x: Batched, indices: Batched, axis: number): { values: Tensor; indices: Tensor } {
  const outside = moveAxis(x.tensor, x.axis!, axis);
  const [lanes, extent] = outside.shape.slice(axis, axis + 2);
  return {
    values: reshapeTo(outside, outside.shape.toSpliced(axis, 2, lanes * extent)),
    indices: ownPart(moveAxis(indices.tensor, indices.axis!, 0), extent),
  };
}

/** Indices [lanes, ...] into an axis of `extent`, clamped, then moved to each lane's part of a joined axis. */
function ownPart(indices: Tensor, extent: number): Tensor {
  const filled = (value: number) => full(indices.shape, value, "int32");
  const clamped = minimum(maximum(indices, filled(0)), filled(extent - 1));
  return add(clamped, mul(iota(indices.shape, 0), filled(extent)));
}
