/** Strided views: tensors that are another way to read memory that exists anyway. */
import { type Shape, stridesOf } from "../../base/shape.js";
import type { Tensor } from "../../graph/tensor.js";
import { isMovement } from "./indexMap.js";

/** Element [i, j, ...] of the tensor is element `offset + i * strides[0] + ...` of what `base` stores. */
export interface View {
  readonly base: Tensor;
  readonly offset: number;
  readonly strides: readonly number[];
}

/** `node` as a view of a tensor that `isStored`; undefined where it must be computed or copied. */
export function viewOf(node: Tensor, isStored: (node: Tensor) => boolean): View | undefined {
  if (isStored(node)) return { base: node, offset: 0, strides: stridesOf(node.shape) };
  if (!isMovement(node)) return undefined;
  const inner = viewOf(node.inputs[0], isStored);
  if (!inner) return undefined;
  const { base, offset, strides } = inner;
  switch (node.op) {
    case "transpose":
      return { base, offset, strides: node.attributes.permutation.map((axis) => strides[axis]) };
    case "slice": {
      const { start, step } = node.attributes;
      return {
        base,
        offset: start.reduce((sum, from, axis) => sum + from * strides[axis], offset),
        strides: strides.map((stride, axis) => stride * step[axis]),
      };
    }
    case "broadcast": {
      const repeated = new Array<number>(node.shape.length).fill(0);
      node.attributes.axes.forEach((axis, i) => {
        repeated[axis] = strides[i];
      });
      return { base, offset, strides: repeated };
    }
    case "reshape": {
      const reshaped = reshapeStrides(node.inputs[0].shape, strides, node.shape);
      return reshaped && { base, offset, strides: reshaped };
    }
  }
}

/** Strides of the new shape over the same elements; undefined where no strides do it. */
function reshapeStrides(from: Shape, strides: readonly number[], to: Shape): number[] | undefined {
  // Runs of axes that lie one after another in memory are one long axis.
  const runs: { extent: number; stride: number }[] = [];
  from.forEach((extent, axis) => {
    if (extent === 1) return;
    const last = runs.at(-1);
    if (last && last.stride === extent * strides[axis])
      runs[runs.length - 1] = { extent: last.extent * extent, stride: strides[axis] };
    else runs.push({ extent, stride: strides[axis] });
  });
  const result = new Array<number>(to.length).fill(1);
  let run = runs.length - 1;
  let used = 1;
  for (let axis = to.length - 1; axis >= 0; axis--) {
    if (to[axis] === 1) continue;
    if (run < 0 || runs[run].extent % (used * to[axis]) !== 0) return undefined;
    result[axis] = runs[run].stride * used;
    used *= to[axis];
    if (used === runs[run].extent) {
      run--;
      used = 1;
    }
  }
  return result;
}
