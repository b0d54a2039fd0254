/** Shapes: static lists of extents, outermost first; `[]` is a scalar. Row-major order throughout. */
import { type DType, dtypes, type TypedArray } from "./dtype.js";
import { SlalomError } from "./errors.js";

export type Shape = readonly number[];

/** Shape and dtype: all that is known of a tensor before it has values. */
export interface TensorType {
  readonly shape: Shape;
  readonly dtype: DType;
}

/** A tensor's values on the host, row-major. */
export interface HostTensor extends TensorType {
  readonly data: TypedArray;
}

/** Number of elements. */
export const sizeOf = (shape: Shape): number => shape.reduce((product, extent) => product * extent, 1);

export const sameShape = (a: Shape, b: Shape): boolean =>
  a.length === b.length && a.every((extent, i) => extent === b[i]);

/** Row-major strides in elements. */
export function stridesOf(shape: Shape): number[] {
  const strides = new Array<number>(shape.length);
  let stride = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    strides[axis] = stride;
    stride *= shape[axis];
  }
  return strides;
}

/** As error messages write it: `f32[32,784]`. */
export const formatType = (type: TensorType): string =>
  `${dtypes[type.dtype].short}[${type.shape.join(",")}]`;

/** `axis` counted from the front, -1 being the last; an error names `operation` if it is out of range. */
export function resolveAxis(operation: string, axis: number, rank: number): number {
  const resolved = axis < 0 ? axis + rank : axis;
  if (!Number.isInteger(axis) || resolved < 0 || resolved >= rank) {
    throw new SlalomError(
      "shape",
      `${operation}: axis ${axis} is out of range for rank ${rank}; ${rank === 0 ? "a scalar has no axes" : `expected ${-rank} to ${rank - 1}`}.`,
    );
  }
  return resolved;
}

/** The common shape of two operands under NumPy's broadcasting rule. */
export function broadcastShapes(operation: string, a: TensorType, b: TensorType): Shape {
  const rank = Math.max(a.shape.length, b.shape.length);
  return Array.from({ length: rank }, (_, i) => {
    const x = a.shape[i - rank + a.shape.length] ?? 1;
    const y = b.shape[i - rank + b.shape.length] ?? 1;
    if (x === y || y === 1) return x;
    if (x === 1) return y;
    throw new SlalomError(
      "shape",
      `${operation}: shapes do not broadcast, ${formatType(a)} and ${formatType(b)}; aligned from the right, extents must be equal or 1 (${x} against ${y}).`,
    );
  });
}
