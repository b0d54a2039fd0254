/** Constants in short, and values of graphs without variables. */
import { expect } from "vitest";
import type { DType } from "../../src/base/dtype.js";
import { type HostTensor, sizeOf } from "../../src/base/shape.js";
import { evaluate } from "../../src/graph/evaluate.js";
import { reshape } from "../../src/graph/functions.js";
import { constant } from "../../src/graph/operations/leaves.js";
import type { Tensor } from "../../src/graph/tensor.js";
import { unitsFrom } from "../support/numbers.js";

export type Nested = number | readonly Nested[];

export const nestedValue = (tensor: Tensor): Nested => nest(evaluate([tensor])[0]);

/** Row-major values as nested arrays. */
export function nest({ shape, data }: Pick<HostTensor, "shape" | "data">): Nested {
  const level = (depth: number, from: number, size: number): Nested => {
    if (depth === shape.length) return data[from];
    const part = size / shape[depth];
    return Array.from({ length: shape[depth] }, (_, i) => level(depth + 1, from + i * part, part));
  };
  return level(0, 0, data.length);
}

export const f64 = (values: Parameters<typeof constant>[0]) => constant(values, "float64");
export const i32 = (values: Parameters<typeof constant>[0]) => constant(values, "int32");
export const u8 = (values: Parameters<typeof constant>[0]) => constant(values, "uint8");

export function random(shape: number[], seed: number, dtype: DType = "float64"): Tensor {
  const next = unitsFrom(seed);
  return reshape(
    constant(
      Array.from({ length: sizeOf(shape) }, () => 3 * next()),
      dtype,
    ),
    shape,
  );
}
export const dataOf = (tensor: Tensor): number[] => [...evaluate([tensor])[0].data];

/** Expects `received` to be `expected` within a few roundings of float64. */
export function expectClose(received: readonly number[], expected: readonly number[]): void {
  expect(received.length).toBe(expected.length);
  received.forEach((value, i) => {
    if (!Object.is(value, expected[i]))
      expect(Math.abs(value - expected[i])).toBeLessThanOrEqual(1e-14 * Math.max(1, Math.abs(expected[i])));
  });
}
