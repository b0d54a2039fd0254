/** Tensors without inputs: variables, constants, filled tensors, index ramps. */
import { allocate, type DType, dtypeOf, dtypes, type TypedArray } from "../../base/dtype.js";
import { invariant, SlalomError } from "../../base/errors.js";
import { type Shape, sizeOf, stridesOf, type TensorType } from "../../base/shape.js";
import type { Batched, OperationName, Tensor } from "../tensor.js";

/** A leaf is the same for every lane, so a batching transform never asks for its rule. */
const neverBatched = (): Batched => {
  invariant(false, "a leaf has no batched inputs");
};
const leafRules = { gradient: () => [], batch: neverBatched };

/** Leaves are told their type where they are made; `infer` has nothing to infer it from. */
const makeLeaf = (op: OperationName, attributes: object, type: TensorType): Tensor =>
  ({ op, inputs: [], attributes, shape: type.shape, dtype: type.dtype }) as unknown as Tensor;
const infer = (): TensorType => {
  invariant(false, "a leaf states its type");
};

export const leafOperations = {
  variable: {
    infer,
    ...leafRules,
    evaluate: (_: unknown, { name }: { name: string }): TypedArray => {
      throw new SlalomError(
        "option",
        `evaluate: variable "${name}" has no value; give one for each variable of the graph.`,
      );
    },
  },
  constant: { infer, ...leafRules, evaluate: (_: unknown, { data }: { data: TypedArray }) => data },
  full: {
    infer,
    ...leafRules,
    evaluate: (_: unknown, { value }: { value: number }, type: TensorType) =>
      allocate(type.dtype, sizeOf(type.shape)).fill(value),
  },
  rank: { infer, ...leafRules, evaluate: () => new Int32Array(1) },
  iota: {
    infer,
    ...leafRules,
    evaluate: (_: unknown, { axis }: { axis: number }, type: TensorType) => {
      const stride = stridesOf(type.shape)[axis];
      const extent = type.shape[axis];
      const data = allocate(type.dtype, sizeOf(type.shape));
      for (let at = 0; at < data.length; ) {
        for (let index = 0; index < extent; index++)
          for (let repeat = 0; repeat < stride; repeat++) data[at++] = index;
      }
      return data;
    },
  },
};

/** A named value that a program is given or keeps: parameters, data, hyperparameters. */
export const variable = (name: string, shape: Shape, dtype: DType = "float32"): Tensor =>
  makeLeaf("variable", { name }, { shape, dtype });

/** A tensor of one value. */
export const full = (shape: Shape, value: number, dtype: DType = "float32"): Tensor =>
  makeLeaf("full", { value }, { shape, dtype });

export const zeros = (shape: Shape, dtype: DType = "float32"): Tensor => full(shape, 0, dtype);
export const ones = (shape: Shape, dtype: DType = "float32"): Tensor => full(shape, 1, dtype);

/** `value` everywhere, in the type of `like`. */
export const fullLike = (like: TensorType, value: number): Tensor => full(like.shape, value, like.dtype);

/** Indices 0, 1, 2, ... along `axis`, repeated along the others. */
export const iota = (shape: Shape, axis = 0, dtype: DType = "int32"): Tensor =>
  makeLeaf("iota", { axis }, { shape, dtype });

/** This rank's number, 0 to ranks - 1: an int32 scalar. */
export const rank = (): Tensor => makeLeaf("rank", {}, { shape: [], dtype: "int32" });

type Nested = number | readonly Nested[];

/** Fixed values from nested arrays or from a flat typed array with its shape. */
export function constant(values: Nested, dtype: DType = "float32"): Tensor {
  const shape: number[] = [];
  for (let level: Nested | undefined = values; typeof level === "object"; level = level[0])
    shape.push(level.length);
  const flat: number[] = [];
  const visit = (value: Nested, depth: number): void => {
    const extent = typeof value === "number" ? undefined : value.length;
    if (extent !== shape[depth]) {
      const describe = (length?: number) => (length === undefined ? "a number" : `${length} entries`);
      throw new SlalomError(
        "shape",
        `constant: rows differ, ${describe(extent)} against ${describe(shape[depth])} at depth ${depth}; expected a rectangular array.`,
      );
    }
    if (typeof value === "number") flat.push(value);
    else for (const inner of value) visit(inner, depth + 1);
  };
  visit(values, 0);
  if (shape.length === 0) return full([], flat[0], dtype);
  const data = allocate(dtype, flat.length);
  data.set(flat);
  return constantArray(data, shape, dtype);
}

/** Fixed values, row-major in `data`. */
export function constantArray(data: TypedArray, shape: Shape, dtype: DType): Tensor {
  if (data.length !== sizeOf(shape)) {
    throw new SlalomError(
      "shape",
      `constant: ${data.length} values do not fill shape [${shape}]; expected ${sizeOf(shape)}.`,
    );
  }
  if (dtypeOf(data) !== dtype) {
    throw new SlalomError(
      "shape",
      `constant: the values are a ${data.constructor.name}; expected ${dtypes[dtype].array.name} for ${dtype}.`,
    );
  }
  return makeLeaf("constant", { data }, { shape, dtype });
}
