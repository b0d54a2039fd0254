/**
 * Products and convolutions of a backend, with all of their gradients, in float32, TF32 and bfloat16. An element may
 * be off by a share of the sum of magnitudes that went into it, so that no cancellation hides or fakes an error.
 */
import { describe, expect, test } from "vitest";
import type { TypedArray } from "../../src/base/dtype.js";
import { type HostTensor, sizeOf } from "../../src/base/shape.js";
import type { Backend } from "../../src/compile/backend.js";
import type { Program } from "../../src/compile/program.js";
import {
  type ConvolutionOptions,
  conv2d,
  evaluate,
  matmul,
  mul,
  sum,
  variable,
} from "../../src/graph/index.js";
import type { Tensor } from "../../src/graph/tensor.js";
import { grad, withProductPrecision } from "../../src/transform/index.js";
import { unitsFrom } from "../support/numbers.js";

export type Precision = "float32" | "tf32" | "bfloat16";

/** float32 sums of `terms` in any order. */
const summing = (terms: number): number => (16 + 4 * Math.sqrt(terms)) * 2 ** -24;
/** TF32 may cut 13 bits of each operand off, or round to the nearest. */
const cutting = 2 * 2 ** -10;

/** What the error of an element may be, relative to the sum of magnitudes; in bfloat16 the reference rounds operands too. */
const bound = (precision: Precision, terms: number): number =>
  summing(terms) + (precision === "tf32" ? cutting : 0);

const matrices = [
  { title: "a number", a: [1, 1], b: [1, 1] },
  { title: "few terms", a: [33, 3], b: [3, 65] },
  { title: "odd extents", a: [37, 101], b: [101, 19] },
  { title: "a matrix and a vector", a: [257, 129], b: [129, 1] },
  { title: "softmax regression, batch 100", a: [100, 784], b: [784, 10] },
  { title: "a hidden layer of exercise 3", a: [50, 3136], b: [3136, 128] },
  { title: "9 lanes of softmax regression", a: [9, 100, 784], b: [9, 784, 10] },
  { title: "lanes of odd extents", a: [5, 17, 31], b: [5, 31, 7] },
] as const;

const convolutions: readonly {
  readonly title: string;
  readonly x: readonly number[];
  readonly w: readonly number[];
  readonly options?: ConvolutionOptions;
}[] = [
  {
    title: "the first of exercise 3",
    x: [4, 28, 28, 1],
    w: [32, 5, 5, 1],
    options: { padding: "same" },
  },
  {
    title: "the second of exercise 3",
    x: [2, 14, 14, 32],
    w: [64, 5, 5, 32],
    options: { padding: "same" },
  },
  { title: "3 x 3, 3 channels", x: [3, 9, 11, 3], w: [5, 3, 3, 3] },
  { title: "strides", x: [2, 13, 13, 4], w: [8, 3, 3, 4], options: { stride: 2, padding: "same" } },
  { title: "dilation", x: [2, 12, 12, 4], w: [4, 3, 3, 4], options: { dilation: 2 } },
  { title: "groups", x: [2, 8, 8, 6], w: [6, 3, 3, 2], options: { groups: 3, padding: "same" } },
];

/** Products and convolutions, each with the gradients by both operands. */
export const comparisons: readonly Comparison[] = [
  ...matrices.map(
    ({ title, a, b }): Comparison => ({
      title: `${title}, a ${a.join("x")} b ${b.join("x")}`,
      shapes: [a, b, [...a.slice(0, -1), b[b.length - 1]]],
      terms: Math.max(a[a.length - 1], a[a.length - 2], b[b.length - 1]),
      build: ([left, right, along]) => {
        const product = matmul(left, right);
        return [product, ...grad(sum(mul(product, along)), [left, right])];
      },
    }),
  ),
  ...convolutions.map(({ title, x, w, options }): Comparison => {
    const y = conv2d(variable("x", x), variable("w", w), options).shape;
    const [images, rows, columns, filters] = y;
    return {
      title: `convolution: ${title}`,
      shapes: [x, w, y],
      terms: Math.max(sizeOf(w.slice(1)), sizeOf(w.slice(1, 3)) * filters, images * rows * columns),
      build: ([image, filter, along]) => {
        const result = conv2d(image, filter, options);
        return [result, ...grad(sum(mul(result, along)), [image, filter])];
      },
    };
  }),
];

/** All tests of one backend and precision; `make` is called once. */
export function products(name: string, precision: Precision, make: () => Backend): void {
  describe(`${name}: products in ${precision}`, () => {
    const backend = make();

    test.each(comparisons)("$title, and both gradients", (comparison) =>
      compareProducts(backend, precision, comparison),
    );

    test("gradients of 1e-30 are as large as in float32: float16 would make them 0", () => {
      // Half of float16's least number, below which it rounds to 0.
      const magnitude = 1e-30;
      expect(magnitude).toBeLessThan(2 ** -25);
      const [x, w] = [variable("x", [64, 32]), variable("w", [32, 16])];
      const gradients = grad(mul(sum(matmul(x, w)), magnitude), [w, x]);
      const ones = [x, w].map(({ shape }) => host(shape, () => 1));
      const [ofWeight, ofInput] = onBackend(backend, [x, w], inPrecision(gradients, precision), ones);
      for (const value of ofWeight) expect(value / (64 * magnitude)).toBeCloseTo(1, 2);
      for (const value of ofInput) expect(value / (16 * magnitude)).toBeCloseTo(1, 2);
    });

    test("no digit is lost that the precision keeps, and no operand has more", () => {
      // 1 + 2^-7 is a bfloat16, 1 + 2^-10 a number of TF32, 1 + 2^-16 one of float32 alone.
      const kept = { bfloat16: 2 ** -7, tf32: 2 ** -10, float32: 2 ** -16 }[precision];
      const [a, b] = [variable("a", [128, 64]), variable("b", [64, 128])];
      const product = inPrecision([matmul(a, b)], precision);
      const productOf = (digit: number): number =>
        onBackend(backend, [a, b], product, [host(a.shape, () => 1 + digit), host(b.shape, () => 1)])[0][5];
      expect(productOf(kept)).toBe(64 * (1 + kept));
      if (precision !== "float32") expect(productOf(2 ** -14)).toBe(64);
    });
  });
}

interface Comparison {
  readonly title: string;
  readonly shapes: readonly (readonly number[])[];
  /** Most products that are added for one element. */
  readonly terms: number;
  build(inputs: readonly Tensor[]): readonly Tensor[];
}

/** What a comparison runs. */
export function comparedProgram({ shapes, build }: Comparison, precision: Precision): Program {
  const variables = variablesOf(shapes);
  return programOf(variables, inPrecision(build(variables), precision));
}

/** Random inputs through a program of `comparedProgram`: the backend's outputs are near those of plain loops. */
export function compareProducts(backend: Backend, precision: Precision, comparison: Comparison): void {
  const { shapes, terms, build } = comparison;
  const variables = variablesOf(shapes);
  const next = unitsFrom(shapes.flat().reduce((hash, extent) => (hash * 31 + extent) % 65_521, 7));
  const inputs = shapes.map((shape) => host(shape, next));
  const outputs = inPrecision(build(variables), precision);
  const received = onBackend(backend, variables, outputs, inputs);
  const magnitudes = evaluated(
    variables,
    build(variables),
    inputs.map(({ shape, data }) => host(shape, (i) => Math.abs(data[i]))),
  );
  evaluated(variables, outputs, inputs).forEach((expected, output) => {
    let [worst, at] = [0, 0];
    expected.forEach((value, i) => {
      const error = Math.abs(received[output][i] - value) / (magnitudes[output][i] + 1e-30);
      if (!(error <= worst)) [worst, at] = [error, i];
    });
    const where = `output ${output}, element ${at}: ${received[output][at]}, expected ${expected[at]}`;
    expect(worst, where).toBeLessThanOrEqual(bound(precision, terms));
  });
}

const variablesOf = (shapes: Comparison["shapes"]): Tensor[] =>
  shapes.map((shape, i) => variable(`v${i}`, shape));

const inPrecision = (outputs: readonly Tensor[], precision: Precision): readonly Tensor[] =>
  precision === "bfloat16" ? withProductPrecision(outputs, "bfloat16") : outputs;

const host = (shape: readonly number[], value: (i: number) => number): HostTensor => ({
  shape,
  dtype: "float32",
  data: Float32Array.from({ length: sizeOf(shape) }, (_, i) => value(i)),
});

const evaluated = (
  variables: readonly Tensor[],
  outputs: readonly Tensor[],
  inputs: readonly HostTensor[],
): TypedArray[] =>
  evaluate(outputs, new Map(variables.map((one, i) => [one, inputs[i]]))).map(({ data }) => data);

const programOf = (variables: readonly Tensor[], outputs: readonly Tensor[]): Program => ({
  name: "products",
  variables: Object.fromEntries(variables.map((one, i) => [`v${i}`, one])),
  entries: {
    go: { updates: {}, traces: Object.fromEntries(outputs.map((output, i) => [`o${i}`, output])) },
  },
  traceCapacity: 1,
});

function onBackend(
  backend: Backend,
  variables: readonly Tensor[],
  outputs: readonly Tensor[],
  inputs: readonly HostTensor[],
): TypedArray[] {
  const executable = backend.compile(programOf(variables, outputs));
  for (const [i, { data }] of inputs.entries()) executable.write(`v${i}`, data);
  executable.run("go");
  const values = outputs.map((_, i) => executable.trace("go", `o${i}`));
  executable.release();
  return values;
}
