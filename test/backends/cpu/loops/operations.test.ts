/** Each elementwise operation on every dtype it accepts, on special values: exact ones must agree bit for bit. */
import { expect, test } from "vitest";
import { allocate, type DType, type TypedArray } from "../../../../src/base/dtype.js";
import type { ElementwiseInstruction } from "../../../../src/compile/plan.js";
import type { ElementwiseAttributes, ElementwiseName } from "../../../../src/graph/tensor.js";
import {
  Arena,
  elementwiseKernel,
  errorInUlp,
  evaluate,
  featureSets,
  interpret,
  runEmitted,
} from "./harness.js";

interface Case {
  readonly arity: number;
  readonly dtypes: readonly DType[];
  readonly yields?: DType;
  /** Greatest error in ULP of float32; absent: exact. */
  readonly ulp?: number;
}

const floats = ["float32", "float64"] as const;
const numbers = [...floats, "int32"] as const;
const all = [...numbers, "uint8"] as const;
const random = { arity: 3, dtypes: ["int32"] } as const;

const cases: { readonly [N in Exclude<ElementwiseName, "cast" | "where">]: Case } = {
  neg: { arity: 1, dtypes: numbers },
  abs: { arity: 1, dtypes: numbers },
  sign: { arity: 1, dtypes: numbers },
  floor: { arity: 1, dtypes: floats },
  exp: { arity: 1, dtypes: floats, ulp: 1.5 },
  log: { arity: 1, dtypes: floats, ulp: 1.5 },
  log1p: { arity: 1, dtypes: floats, ulp: 3 },
  sqrt: { arity: 1, dtypes: floats },
  rsqrt: { arity: 1, dtypes: floats, ulp: 1.5 },
  sin: { arity: 1, dtypes: floats },
  cos: { arity: 1, dtypes: floats },
  tanh: { arity: 1, dtypes: floats, ulp: 3 },
  sigmoid: { arity: 1, dtypes: floats, ulp: 2.5 },
  relu: { arity: 1, dtypes: floats },
  stopGradient: { arity: 1, dtypes: all },
  add: { arity: 2, dtypes: numbers },
  sub: { arity: 2, dtypes: numbers },
  mul: { arity: 2, dtypes: numbers },
  div: { arity: 2, dtypes: floats },
  pow: { arity: 2, dtypes: floats },
  maximum: { arity: 2, dtypes: numbers },
  minimum: { arity: 2, dtypes: numbers },
  floorDivide: { arity: 2, dtypes: numbers },
  remainder: { arity: 2, dtypes: numbers },
  equal: { arity: 2, dtypes: all, yields: "uint8" },
  notEqual: { arity: 2, dtypes: all, yields: "uint8" },
  less: { arity: 2, dtypes: all, yields: "uint8" },
  lessEqual: { arity: 2, dtypes: all, yields: "uint8" },
  randomBits: random,
  randomUniform: { ...random, yields: "float32" },
  randomNormal: { ...random, yields: "float32" },
  permute: random,
};

const some: Partial<ElementwiseAttributes> = { randomNormal: { reach: 0.9544997 }, permute: { count: 1000 } };

/** Zeros, bounds, fractions and halves, out of the range of integers, the infinities, NaN. */
const floatValues = [
  0,
  -0,
  1,
  -1,
  0.5,
  -0.5,
  1.5,
  2.5,
  -2.5,
  3,
  -7,
  10,
  0.1,
  -0.3,
  1e-8,
  -1e-8,
  100.7,
  88.7,
  -87.3,
  -103,
  1e-40,
  -1e-40,
  1.17549435e-38,
  3.4028234e38,
  -3.4028234e38,
  2147483520,
  2147483648,
  -2147483648,
  -2147483904,
  4294967296,
  1e15,
  -1e15,
  Number.POSITIVE_INFINITY,
  Number.NEGATIVE_INFINITY,
  Number.NaN,
];
const integerValues = [0, 1, -1, 2, 3, -3, 7, -7, 255, 256, 1000, -1000, 2 ** 31 - 1, -(2 ** 31), 123456789];
const byteValues = [0, 1, 2, 7, 127, 128, 200, 254, 255];

const valuesOf = (dtype: DType): readonly number[] =>
  dtype === "uint8" ? byteValues : dtype === "int32" ? integerValues : floatValues;

const filled = (dtype: DType, values: readonly number[]): TypedArray => {
  const data = allocate(dtype, values.length);
  data.set(values);
  return data;
};

/** Every combination of special values, as one array for each operand. */
function operands(name: ElementwiseName, arity: number, dtype: DType): TypedArray[] {
  const values = valuesOf(dtype);
  if (arity === 1) return [filled(dtype, values)];
  if (name === "permute") {
    const positions = Array.from({ length: 1000 }, (_, i) => i);
    const key = (word: number) =>
      filled(
        dtype,
        positions.map(() => word),
      );
    return [key(123), key(-77), filled(dtype, positions)];
  }
  if (arity === 3) {
    const word = (step: number) =>
      integerValues.map((_, i) => integerValues[(i * step) % integerValues.length]);
    return [word(1), word(2), word(7)].map((words) => filled(dtype, words));
  }
  const integerDivision = dtype === "int32" && (name === "floorDivide" || name === "remainder");
  const divisors = integerDivision ? values.filter((value) => value > 0) : values;
  const pairs = values.flatMap((a) => divisors.map((b) => [a, b]));
  return [0, 1].map((side) =>
    filled(
      dtype,
      pairs.map((pair) => pair[side]),
    ),
  );
}

const combinations = (Object.keys(cases) as (keyof typeof cases)[]).flatMap((name) =>
  cases[name].dtypes.map((dtype) => [name, dtype] as const),
);

test.each(combinations)("%s on %s", (name, dtype) => {
  const { arity, yields, ulp } = cases[name];
  const attributes = some[name as keyof typeof some] ?? {};
  const result = yields ?? dtype;
  const instruction = {
    op: name,
    inputs: [],
    attributes,
    dtype: result,
  } as unknown as ElementwiseInstruction & {
    dtype: DType;
  };
  const inputs = operands(name, arity, dtype);
  for (const features of featureSets) {
    const arena = new Arena();
    const kernel = elementwiseKernel(arena, instruction, inputs);
    const actual = runEmitted(arena, kernel, features)[inputs.length];
    const expected = interpret(arena, kernel)[inputs.length];
    if (ulp === undefined || dtype !== "float32") {
      expect(actual).toEqual(expected);
      continue;
    }
    const exact = evaluate(
      { ...instruction, inputs: [0], dtype: "float64" },
      [Float64Array.from(inputs[0])],
      inputs[0].length,
    );
    exact.forEach((value, i) => {
      // Results below the normal range may be flushed to zero.
      if (Math.abs(value) < 2 ** -126 && actual[i] === 0) return;
      expect(
        errorInUlp(actual[i], value),
        `${name}(${inputs[0][i]}) = ${actual[i]}, not ${value}`,
      ).toBeLessThan(ulp);
    });
  }
});

test.each(all.flatMap((from) => all.map((to) => [from, to] as const)))("cast %s to %s", (from, to) => {
  for (const features of featureSets) {
    const arena = new Arena();
    const instruction = { op: "cast", inputs: [], attributes: { dtype: to }, dtype: to } as const;
    const kernel = elementwiseKernel(arena, instruction, operands("cast", 1, from));
    expect(runEmitted(arena, kernel, features)[1]).toEqual(interpret(arena, kernel)[1]);
  }
});

test.each(all)("where picks %s by any uint8 that is not 0", (dtype) => {
  for (const features of featureSets) {
    const arena = new Arena();
    const values = filled(dtype, valuesOf(dtype));
    const condition = Uint8Array.from(values, (_, i) => byteValues[i % 4]);
    const instruction = { op: "where", inputs: [], attributes: {}, dtype } as const;
    const kernel = elementwiseKernel(arena, instruction, [condition, values, values.toReversed()]);
    expect(runEmitted(arena, kernel, features)[3]).toEqual(interpret(arena, kernel)[3]);
  }
});
