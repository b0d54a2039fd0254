/**
 * Random valid uses of every operation: what gradients, batching and each backend are tested with. The table
 * is exhaustive, so a new operation does not type-check until it has a case.
 */
import fc from "fast-check";
import { allocate, type DType, isFloat } from "../../src/base/dtype.js";
import { type HostTensor, type Shape, sizeOf, type TensorType } from "../../src/base/shape.js";
import { operationOf } from "../../src/graph/operations/index.js";
import { constantArray, full, iota, rank } from "../../src/graph/operations/leaves.js";
import type { OperationAttributes, OperationName, Tensor } from "../../src/graph/tensor.js";
import { integersFrom } from "./numbers.js";
import {
  contractions,
  convolutions,
  extents,
  permutationOf,
  poolings,
  reshapings,
  seeds,
  shapeAndAxes,
  shapeAndAxis,
  shapes,
  slices,
} from "./operationShapes.js";

/**
 * Where values lie. "smooth": distinct and away from kinks, jumps and poles, for finite differences. "any":
 * wherever the operation has a value, with zeros and ties.
 */
export type Region = "any" | "smooth";

export interface OperationInstance {
  /** Values of the operands. */
  readonly inputs: readonly HostTensor[];
  /** Other values of the same operands: equal seeds give equal values. */
  readonly redraw: (seed: number) => HostTensor[];
  /** The node from tensors of the operands' types. */
  readonly build: (tensors: readonly Tensor[]) => Tensor;
}

export interface OperationCase {
  /** The dtypes that `instances` can be asked for. */
  readonly dtypes: readonly DType[];
  /** Operands that a gradient flows to; false where it flows to none. */
  readonly differentiable: readonly number[] | false;
  readonly instances: (dtype: DType, region: Region) => fc.Arbitrary<OperationInstance>;
}

const floats: readonly DType[] = ["float32", "float64"];
const numbers: readonly DType[] = ["float32", "float64", "int32"];
const all: readonly DType[] = ["float32", "float64", "int32", "uint8"];
const integers: readonly DType[] = ["int32"];

/** Values of one operand: `smooth` from a number in (-1, 1), never 0; `integer` from a natural number. */
interface Domain {
  readonly smooth: (u: number) => number;
  /** For region "any" and float dtypes, from an integer; `smooth` where absent. */
  readonly any?: (n: number) => number;
  readonly integer: (n: number) => number;
}

const real: Domain = { smooth: (u) => 3 * u, any: (n) => (n % 17) / 4 - 2, integer: (n) => (n % 19) - 9 };
const positive: Domain = { smooth: (u) => 1.7 + 1.4 * u, integer: (n) => 1 + (n % 9) };
const nonzero: Domain = { smooth: (u) => 2 * u + 0.4 * Math.sign(u), integer: (n) => 1 + (n % 9) };
/** In the inner part of each unit interval. */
const betweenIntegers: Domain = {
  smooth: (u) => Math.floor(3 * u) + 0.1 + 0.8 * (3 * u - Math.floor(3 * u)),
  any: real.any,
  integer: real.integer,
};
const truth: Domain = { smooth: (u) => Number(u > 0), any: (n) => n % 2, integer: (n) => n % 2 };
const word: Domain = { smooth: (u) => u, integer: (n) => Math.imul(n, 0x9e3779b1) | 0 };
const counter: Domain = { smooth: (u) => u, integer: (n) => n };
const below = (extent: number): Domain => ({ smooth: (u) => u, integer: (n) => n % extent });
/** Indices, some of which lie outside and are clamped. */
const index = (extent: number): Domain => ({ smooth: (u) => u, integer: (n) => (n % (extent + 2)) - 1 });

interface Operand extends TensorType {
  readonly domain: Domain;
}

/** An instance from its operands; `couple` may move values to where they are valid together. */
function instance(
  operands: readonly Operand[],
  region: Region,
  seed: number,
  build: OperationInstance["build"],
  couple: (values: HostTensor[]) => HostTensor[] = (values) => values,
): OperationInstance {
  const redraw = (other: number): HostTensor[] => {
    const next = integersFrom(other);
    const used = new Set<number>();
    const distinct = (): number => {
      const n = next() % 2000;
      if (used.has(n)) return distinct();
      used.add(n);
      return (n - 999.5) / 1000;
    };
    return couple(
      operands.map(({ shape, dtype, domain }) => {
        const data = allocate(dtype, sizeOf(shape));
        for (let i = 0; i < data.length; i++) {
          if (!isFloat(dtype)) data[i] = domain.integer(next());
          else if (region === "any" && domain.any) data[i] = domain.any(next());
          else data[i] = domain.smooth(distinct());
        }
        return { shape, dtype, data };
      }),
    );
  };
  return { inputs: redraw(seed), redraw, build };
}

/** Any node, from the operation's record alone. */
export const makeNode = <N extends OperationName>(
  op: N,
  inputs: readonly Tensor[],
  attributes: OperationAttributes[N],
): Tensor =>
  ({
    op,
    inputs,
    attributes,
    ...operationOf(op).infer(inputs, attributes as never),
  }) as unknown as Tensor;

/** An operation of operands of one shape and dtype and without attributes. */
function elementwise<N extends OperationName>(
  op: N,
  domains: readonly Domain[],
  dtypes: readonly DType[],
  options: {
    differentiable?: readonly number[] | false;
    couple?: (values: HostTensor[]) => HostTensor[];
    dtypeOf?: (operand: number, dtype: DType) => DType;
    attributes?: (
      dtype: DType,
      region: Region,
    ) => fc.Arbitrary<{ attributes: OperationAttributes[N]; domains?: readonly Domain[] }>;
  } = {},
): OperationCase {
  const { differentiable = domains.map((_, i) => i), couple, dtypeOf, attributes } = options;
  return {
    dtypes,
    differentiable,
    instances: (dtype, region) =>
      fc
        .tuple(
          shapes(),
          seeds,
          attributes?.(dtype, region) ?? fc.constant({ attributes: {} as never, domains: undefined }),
        )
        .map(([shape, seed, chosen]) =>
          instance(
            (chosen.domains ?? domains).map((domain, i) => ({
              shape,
              dtype: dtypeOf?.(i, dtype) ?? dtype,
              domain,
            })),
            region,
            seed,
            (tensors) => makeNode(op, tensors, chosen.attributes),
            couple,
          ),
        ),
  };
}

/** An operation of one operand whose shape and attributes are drawn together. */
function shaped<N extends OperationName>(
  op: N,
  dtypes: readonly DType[],
  differentiable: readonly number[] | false,
  draws: fc.Arbitrary<{ shape: Shape; attributes: OperationAttributes[N] }>,
): OperationCase {
  return {
    dtypes,
    differentiable,
    instances: (dtype, region) =>
      fc
        .tuple(draws, seeds)
        .map(([{ shape, attributes }, seed]) =>
          instance([{ shape, dtype, domain: real }], region, seed, (tensors) =>
            makeNode(op, tensors, attributes),
          ),
        ),
  };
}

const leaf = (make: (dtype: DType, shape: Shape, seed: number) => Tensor): OperationCase => ({
  dtypes: all,
  differentiable: false,
  instances: (dtype, region) =>
    fc
      .tuple(shapes(1), seeds)
      .map(([shape, seed]) => instance([], region, seed, () => make(dtype, shape, seed))),
});

/** Dividends b (n + r) with r well inside (0, 1), so that the quotient's floor is locally constant. */
const insideQuotients = ([a, b]: HostTensor[]): HostTensor[] => [
  {
    ...a,
    data: isFloat(a.dtype)
      ? a.data.map((x, i) => b.data[i] * (Math.floor(x) + 0.2 + 0.6 * (x - Math.floor(x))))
      : a.data,
  },
  b,
];

const comparison = <N extends OperationName>(op: N): OperationCase =>
  elementwise(op, [real, real], all, { differentiable: false });

const random = <N extends OperationName>(
  op: N,
  attributes: fc.Arbitrary<{ attributes: OperationAttributes[N]; domains?: readonly Domain[] }>,
): OperationCase =>
  elementwise(op, [word, word, counter], integers, {
    differentiable: false,
    attributes: () => attributes,
  });

function convolution(
  op: "conv2d" | "conv2dInput" | "conv2dKernel",
  operands: readonly ("x" | "w" | "y")[],
): OperationCase {
  return {
    dtypes: floats,
    differentiable: [0, 1],
    instances: (dtype, region) =>
      fc.tuple(convolutions, seeds).map(([{ lanes, attributes, ...shapes }, seed]) =>
        instance(
          operands.map((role, i) => ({
            shape: lanes[i] ? [2, ...shapes[role]] : shapes[role],
            dtype,
            domain: real,
          })),
          region,
          seed,
          (tensors) =>
            makeNode(op, tensors, {
              ...attributes,
              input: [shapes.x[1], shapes.x[2]],
              kernel: [shapes.w[1], shapes.w[2]],
            }),
        ),
      ),
  };
}

/** A second operand is an index into the window. */
function pooling<
  N extends "maxPool2d" | "argmaxPool2d" | "unpool2d" | "pickPool2d" | "sumPool2d" | "spreadPool2d",
>(
  op: N,
  differentiable: readonly number[] | false,
  operands: (shapes: { x: Shape; y: Shape }) => readonly Shape[],
): OperationCase {
  return {
    dtypes: floats,
    differentiable,
    instances: (dtype, region) =>
      fc.tuple(poolings, seeds).map(([{ x, y, attributes }, seed]) =>
        instance(
          operands({ x, y }).map((shape, i) =>
            i === 0
              ? { shape, dtype, domain: real }
              : { shape, dtype: "uint8", domain: below(attributes.size[0] * attributes.size[1]) },
          ),
          region,
          seed,
          (tensors) =>
            makeNode(op, tensors, { ...attributes, input: [x[1], x[2]] } as OperationAttributes[N]),
        ),
      ),
  };
}

export const operationCases: { readonly [N in OperationName]: OperationCase } = {
  variable: {
    dtypes: all,
    differentiable: [0],
    instances: (dtype, region) =>
      fc
        .tuple(shapes(), seeds)
        .map(([shape, seed]) => instance([{ shape, dtype, domain: real }], region, seed, ([x]) => x)),
  },
  constant: leaf((dtype, shape, seed) => {
    const next = integersFrom(seed);
    const data = allocate(dtype, sizeOf(shape));
    return constantArray(
      data.map(() => (next() % 64) / 4),
      shape,
      dtype,
    );
  }),
  full: leaf((dtype, shape, seed) => full(shape, seed % 100, dtype)),
  iota: leaf((dtype, shape, seed) => iota(shape, seed % shape.length, dtype)),

  rank: {
    dtypes: integers,
    differentiable: false,
    instances: (_dtype, region) => seeds.map((seed) => instance([], region, seed, () => rank())),
  },
  allReduceSum: elementwise("allReduceSum", [real], floats),

  neg: elementwise("neg", [real], numbers),
  abs: elementwise("abs", [real], numbers),
  sign: elementwise("sign", [real], numbers),
  floor: elementwise("floor", [betweenIntegers], floats),
  exp: elementwise("exp", [real], floats),
  log: elementwise("log", [positive], floats),
  log1p: elementwise("log1p", [positive], floats),
  sqrt: elementwise("sqrt", [positive], floats),
  rsqrt: elementwise("rsqrt", [positive], floats),
  sin: elementwise("sin", [real], floats),
  cos: elementwise("cos", [real], floats),
  tanh: elementwise("tanh", [real], floats),
  sigmoid: elementwise("sigmoid", [real], floats),
  relu: elementwise("relu", [real], floats),
  stopGradient: elementwise("stopGradient", [real], all, { differentiable: false }),
  cast: elementwise("cast", [real], all, {
    // From float64 to itself where derivatives are wanted: a rounded value has none to measure.
    attributes: (dtype, region) =>
      (region === "smooth" ? fc.constant(dtype) : fc.constantFrom(...all)).map((to) => ({
        attributes: { dtype: to },
      })),
  }),
  add: elementwise("add", [real, real], numbers),
  sub: elementwise("sub", [real, real], numbers),
  mul: elementwise("mul", [real, real], numbers),
  div: elementwise("div", [real, nonzero], floats),
  pow: elementwise("pow", [positive, real], floats),
  maximum: elementwise("maximum", [real, real], numbers),
  minimum: elementwise("minimum", [real, real], numbers),
  floorDivide: elementwise("floorDivide", [real, nonzero], numbers, {
    differentiable: false,
    couple: insideQuotients,
  }),
  remainder: elementwise("remainder", [real, nonzero], numbers, { couple: insideQuotients }),
  equal: comparison("equal"),
  notEqual: comparison("notEqual"),
  less: comparison("less"),
  lessEqual: comparison("lessEqual"),
  where: elementwise("where", [truth, real, real], all, {
    differentiable: [1, 2],
    dtypeOf: (operand, dtype) => (operand === 0 ? "uint8" : dtype),
  }),

  randomBits: random("randomBits", fc.constant({ attributes: {} })),
  randomUniform: random("randomUniform", fc.constant({ attributes: {} })),
  randomNormal: random(
    "randomNormal",
    fc.constantFrom(1, 0.9544997361036416).map((reach) => ({ attributes: { reach } })),
  ),
  permute: random(
    "permute",
    fc.integer({ min: 1, max: 40 }).map((count) => ({
      attributes: { count },
      domains: [word, word, below(count)],
    })),
  ),

  sum: shaped(
    "sum",
    numbers,
    [0],
    shapeAndAxes.map(({ shape, axes }) => ({ shape, attributes: { axes } })),
  ),
  reduceMax: shaped(
    "reduceMax",
    all,
    [0],
    shapeAndAxes.map(({ shape, axes }) => ({ shape, attributes: { axes } })),
  ),
  reduceMin: shaped(
    "reduceMin",
    all,
    [0],
    shapeAndAxes.map(({ shape, axes }) => ({ shape, attributes: { axes } })),
  ),
  argmax: shaped(
    "argmax",
    all,
    false,
    shapeAndAxis.map(({ shape, axis }) => ({ shape, attributes: { axis } })),
  ),
  broadcast: shaped(
    "broadcast",
    all,
    [0],
    shapeAndAxes.map(({ shape, axes }) => ({
      shape: axes.map((axis) => shape[axis]),
      attributes: { shape, axes },
    })),
  ),
  reshape: shaped("reshape", all, [0], reshapings),
  transpose: shaped(
    "transpose",
    all,
    [0],
    shapes().chain((shape) =>
      permutationOf(shape.length).map((permutation) => ({ shape, attributes: { permutation } })),
    ),
  ),
  slice: shaped("slice", all, [0], slices),
  pad: shaped(
    "pad",
    all,
    [0],
    fc
      .tuple(
        fc.array(fc.tuple(extents, fc.integer({ min: 0, max: 2 }), fc.integer({ min: 0, max: 2 })), {
          maxLength: 3,
        }),
        fc.constantFrom(0, 1, 3),
      )
      .map(([axes, value]) => ({
        shape: axes.map(([extent]) => extent),
        attributes: { low: axes.map(([, low]) => low), high: axes.map(([, , high]) => high), value },
      })),
  ),
  concat: {
    dtypes: all,
    differentiable: [0, 1, 2],
    instances: (dtype, region) =>
      fc
        .tuple(shapeAndAxis, fc.array(extents, { minLength: 1, maxLength: 3 }), seeds)
        .map(([{ shape, axis }, parts, seed]) =>
          instance(
            parts.map((extent) => ({ shape: shape.with(axis, extent), dtype, domain: real })),
            region,
            seed,
            (tensors) => makeNode("concat", tensors, { axis }),
          ),
        ),
  },
  dot: {
    dtypes: floats,
    differentiable: [0, 1],
    instances: (dtype, region) =>
      fc.tuple(contractions, seeds).map(([{ left, right, attributes }, seed]) =>
        instance(
          [left, right].map((shape) => ({ shape, dtype, domain: real })),
          region,
          seed,
          (tensors) => makeNode("dot", tensors, attributes),
        ),
      ),
  },
  take: {
    dtypes: all,
    differentiable: [0],
    instances: (dtype, region) =>
      fc.tuple(shapeAndAxis, shapes(0, 2), seeds).map(([{ shape, axis }, places, seed]) =>
        instance(
          [
            { shape, dtype, domain: real },
            { shape: places, dtype: "int32", domain: index(shape[axis]) },
          ],
          region,
          seed,
          (tensors) => makeNode("take", tensors, { axis }),
        ),
      ),
  },
  scatterAdd: {
    dtypes: numbers,
    differentiable: [0],
    instances: (dtype, region) =>
      fc.tuple(shapeAndAxis, shapes(0, 2), seeds).map(([{ shape, axis }, places, seed]) =>
        instance(
          [
            { shape: shape.toSpliced(axis, 1, ...places), dtype, domain: real },
            { shape: places, dtype: "int32", domain: index(shape[axis]) },
          ],
          region,
          seed,
          (tensors) => makeNode("scatterAdd", tensors, { axis, extent: shape[axis] }),
        ),
      ),
  },
  conv2d: convolution("conv2d", ["x", "w"]),
  conv2dInput: convolution("conv2dInput", ["y", "w"]),
  conv2dKernel: convolution("conv2dKernel", ["x", "y"]),
  maxPool2d: pooling("maxPool2d", [0], ({ x }) => [x]),
  argmaxPool2d: pooling("argmaxPool2d", false, ({ x }) => [x]),
  unpool2d: pooling("unpool2d", [0], ({ y }) => [y, y]),
  pickPool2d: pooling("pickPool2d", [0], ({ x, y }) => [x, y]),
  sumPool2d: pooling("sumPool2d", [0], ({ x }) => [x]),
  spreadPool2d: pooling("spreadPool2d", [0], ({ y }) => [y]),
};
