/** Values of reductions and what is made of them, worked out by hand or from the plain formula. */
import { describe, expect, test } from "vitest";
import * as f from "../../src/graph/index.js";
import { evaluate } from "../../src/graph/index.js";
import { dataOf, expectClose, f64, i32, nest, nestedValue, random } from "./support.js";

describe("reductions", () => {
  const x = f64([
    [
      [1, 5, -2],
      [4, 0, 3],
    ],
    [
      [-6, 7, 2],
      [8, -9, 10],
    ],
  ]);
  test("sum, mean, max, min over all, one, several axes", () => {
    expect(nestedValue(f.sum(x))).toBe(23);
    expect(nestedValue(f.sum(x, { axis: 1 }))).toEqual([
      [5, 5, 1],
      [2, -2, 12],
    ]);
    expect(nestedValue(f.sum(x, { axis: [0, -1] }))).toEqual([7, 16]);
    expect(nestedValue(f.mean(x, { axis: [2, 0] }))).toEqual([7 / 6, 16 / 6]);
    expect(nestedValue(f.max(x, { axis: -1 }))).toEqual([
      [5, 4],
      [7, 10],
    ]);
    expect(nestedValue(f.min(x, { axis: 0 }))).toEqual([
      [-6, 5, -2],
      [4, -9, 3],
    ]);
    expect(nestedValue(f.max(x))).toBe(10);
  });
  test("keepDims keeps reduced axes with extent 1", () => {
    expect(nestedValue(f.sum(x, { axis: [0, 2], keepDims: true }))).toEqual([[[7], [16]]]);
    expect(f.max(x, { keepDims: true }).shape).toEqual([1, 1, 1]);
    expect(f.logSumExp(x, { axis: 1, keepDims: true }).shape).toEqual([2, 1, 3]);
  });
  test("an axis named twice counts once; no axis changes nothing", () => {
    expect(nestedValue(f.sum(x, { axis: [2, -1] }))).toEqual([
      [4, 7],
      [3, 9],
    ]);
    expect(f.sum(x, { axis: [] })).toBe(x);
  });
  test("of nothing: the sum is 0, the mean NaN, extrema are refused", () => {
    const empty = f.zeros([2, 0]);
    expect(dataOf(f.sum(empty, { axis: 1 }))).toEqual([0, 0]);
    expect(dataOf(f.mean(empty))).toEqual([NaN]);
    expect(() => f.max(empty, { axis: 1 })).toThrow("reduceMax: no elements along axes [1] of f32[2,0].");
    expect(() => f.argmax(empty)).toThrow("argmax: no elements along axis 1 of f32[2,0].");
  });
  test("NaN shows in sums and extrema", () => {
    for (const reduce of [f.sum, f.max, f.min, f.mean])
      expect(nestedValue(reduce(f64([1, NaN, 2])))).toBeNaN();
  });
  test("argmax: first of ties, first NaN, any axis", () => {
    expect(nestedValue(f.argmax(f64([2, 5, 5, 1])))).toBe(1);
    expect(nestedValue(f.argmax(f64([2, NaN, 5, NaN])))).toBe(1);
    expect(nestedValue(f.argmax(x, 1))).toEqual([
      [1, 0, 1],
      [1, 0, 1],
    ]);
    expect(f.argmax(x).dtype).toBe("int32");
    expect(nestedValue(f.argmax(f64([-Infinity, -Infinity])))).toBe(0);
  });
  test("int32 sums stay int32", () => {
    expect(evaluate([f.sum(i32([1, 2, 3]))])[0]).toEqual({
      shape: [],
      dtype: "int32",
      data: Int32Array.of(6),
    });
  });
});

describe("logSumExp and softmax", () => {
  test("against the plain formula", () => {
    const x = random([3, 4], 7);
    const rows = nest(evaluate([x])[0]) as number[][];
    const sums = rows.map((row) => row.reduce((total, v) => total + Math.exp(v), 0));
    expectClose(dataOf(f.logSumExp(x, { axis: 1 })), sums.map(Math.log));
    expectClose(
      dataOf(f.softmax(x)),
      rows.flatMap((row, i) => row.map((v) => Math.exp(v) / sums[i])),
    );
    expectClose(
      dataOf(f.logSoftmax(x)),
      rows.flatMap((row, i) => row.map((v) => v - Math.log(sums[i]))),
    );
    expectClose(dataOf(f.softmax(f.transpose(x), 0)), dataOf(f.transpose(f.softmax(x))));
    expectClose(dataOf(f.logSumExp(x)), [Math.log(sums.reduce((a, b) => a + b))]);
  });
  test("no overflow, no NaN", () => {
    expect(nestedValue(f.logSumExp(f64([1000, 1000])))).toBe(1000 + Math.log(2));
    expect(nestedValue(f.logSumExp(f64([-1000, -1000])))).toBe(-1000 + Math.log(2));
    expect(nestedValue(f.logSumExp(f64([-Infinity, -Infinity])))).toBe(-Infinity);
    expect(nestedValue(f.logSumExp(f64([-Infinity, 3])))).toBe(3);
    expect(nestedValue(f.logSumExp(f64([Infinity, 3])))).toBe(Infinity);
    expect(nestedValue(f.softmax(f64([1e300, 0, -1e300])))).toEqual([1, 0, 0]);
    expect(nestedValue(f.logSoftmax(f64([1000, 0])))).toEqual([0, -1000]);
  });
});
