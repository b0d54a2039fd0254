/**
 * Every operation that has a translation, and functions composed of several, on random shapes and values: ONNX Runtime
 * against the operations' own loops.
 */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { encodeOnnx } from "../../../src/exports/onnx/encode.js";
import { evaluate, log1p, type OperationName, variable } from "../../../src/graph/index.js";
import { compositeCases } from "../../support/compositeCases.js";
import { type OperationCase, type OperationInstance, operationCases } from "../../support/operationCases.js";
import { runOnce } from "./runtime.js";

const seed = 77;

/** What no inference contains. */
const outside: readonly OperationName[] = [
  "rank",
  "allReduceSum",
  "scatterAdd",
  "conv2dKernel",
  "argmaxPool2d",
  "unpool2d",
  "pickPool2d",
  "spreadPool2d",
  "randomBits",
  "randomUniform",
  "randomNormal",
  "permute",
];

/** What ONNX Runtime has in float32 alone. */
const float32Alone = [
  "conv2d",
  "conv2dInput",
  "sumPool2d",
  "convolutionWithBias",
  "convolutionThenPool",
  "averagePool",
];

const tolerances = { float32: 2e-6, float64: 1e-14, int32: 0, uint8: 0 };

const fileOf = ({ inputs, build }: OperationInstance, operands: "given" | "known"): Uint8Array => {
  const named = <T>(values: readonly T[]): Record<string, T> =>
    Object.fromEntries(values.map((value, i) => [`x${i}`, value]));
  const variables = inputs.map(({ shape, dtype }, i) => variable(`x${i}`, shape, dtype));
  return encodeOnnx({
    name: "case",
    build: () => ({
      inputs: operands === "given" ? named(variables) : {},
      outputs: { y: build(variables) },
    }),
    values: operands === "known" ? named(inputs) : {},
    batch: 1,
    description: "",
    version: "0",
    metadata: {},
  }).bytes;
};

/** @param operands whether the model is given their values, or the file holds them */
async function check(instance: OperationInstance, operands: "given" | "known"): Promise<void> {
  const { inputs, build } = instance;
  const variables = inputs.map(({ shape, dtype }, i) => variable(`x${i}`, shape, dtype));
  const given = operands === "given" ? inputs : [];
  const { y } = await runOnce(
    fileOf(instance, operands),
    Object.fromEntries(given.map((value, i) => [`x${i}`, value])),
  );
  const [expected] = evaluate([build(variables)], new Map(variables.map((x, i) => [x, inputs[i]])));
  expect({ shape: y.shape, dtype: y.dtype }).toEqual({ shape: expected.shape, dtype: expected.dtype });
  expected.data.forEach((value, i) => {
    if (Object.is(value, y.data[i])) return;
    const error = Math.abs(y.data[i] - value) / Math.max(1, Math.abs(value));
    expect(error, `element ${i}: ${y.data[i]}, expected ${value}`).toBeLessThanOrEqual(
      tolerances[expected.dtype],
    );
  });
}

/** Lanes are for training. */
const isWithoutLanes = ({ inputs, build }: OperationInstance): boolean => {
  const { op } = build(inputs.map(({ shape, dtype }, i) => variable(`x${i}`, shape, dtype)));
  return !op.startsWith("conv2d") || inputs.every(({ shape }) => shape.length === 4);
};

const casesOf = (all: Readonly<Record<string, OperationCase>>) =>
  Object.entries(all).flatMap(([name, { dtypes, instances }]) =>
    dtypes
      .filter((dtype) => dtype !== "float64" || !float32Alone.includes(name))
      .map((dtype) => ({ name, dtype, instances: instances(dtype, "any").filter(isWithoutLanes) })),
  );

const translated = Object.fromEntries(
  Object.entries(operationCases).filter(([name]) => !outside.includes(name as OperationName)),
);

describe("the same in ONNX Runtime", () => {
  test.each([...casesOf(translated), ...casesOf(compositeCases)])(
    "$name of $dtype",
    async ({ instances }) => {
      const operands = fc.constantFrom("given" as const, "known" as const);
      await fc.assert(fc.asyncProperty(instances, operands, check), { numRuns: 10, seed });
    },
  );
});

test("log1p keeps the digits of small numbers, and the limits", async () => {
  const data = Float32Array.of(1e-8, -1e-8, 1e-4, -0.5, 0, 1, 1e30, Number.POSITIVE_INFINITY, -1);
  const inputs = [{ shape: [data.length], dtype: "float32", data }] as const;
  const { y } = await runOnce(
    fileOf({ inputs, redraw: () => [...inputs], build: ([x]) => log1p(x) }, "given"),
    { x0: inputs[0] },
  );
  data.forEach((x, i) => {
    const expected = Math.log1p(x);
    if (!Number.isFinite(expected)) expect(y.data[i]).toBe(expected);
    else expect(Math.abs(y.data[i] - expected)).toBeLessThanOrEqual(2e-7 * Math.abs(expected));
  });
});

describe("what no inference contains", () => {
  test.each(outside)("%s is refused by name", (op) => {
    const { dtypes, instances } = operationCases[op];
    const [instance] = fc.sample(instances(dtypes[0], "any"), { numRuns: 1, seed });
    expect(() => fileOf(instance, "given")).toThrow(
      new RegExp(`^export to ONNX: operation ${op} has no translation: it .*\\. Leave it out`),
    );
  });

  test("lanes of convolutions are refused", () => {
    const { instances } = operationCases.conv2d;
    const withLanes = instances("float32", "any").filter((instance) => !isWithoutLanes(instance));
    const [instance] = fc.sample(withLanes, { numRuns: 1, seed });
    expect(() => fileOf(instance, "given")).toThrow(/conv2d of .* holds several lanes; expected one model/);
  });
});
