/** Values of elementwise functions, against values worked out by hand. */
import { describe, expect, test } from "vitest";
import type { DType } from "../../src/base/dtype.js";
import type { Tensor } from "../../src/graph/index.js";
import * as f from "../../src/graph/index.js";
import { dataOf, expectClose, f64, i32, nestedValue, random, u8 } from "./support.js";

const { PI, SQRT2, E } = Math;

describe("one operand", () => {
  test.each<[string, (x: Tensor) => Tensor, number[], number[]]>([
    ["neg", f.neg, [1, -2, 0.5], [-1, 2, -0.5]],
    ["abs", f.abs, [1, -2, 0], [1, 2, 0]],
    ["sign", f.sign, [3, -2, 0], [1, -1, 0]],
    ["floor", f.floor, [1.5, -1.5, 2], [1, -2, 2]],
    ["exp", f.exp, [0, 1, -Infinity, 800], [1, E, 0, Infinity]],
    ["log", f.log, [1, E, 0, -1], [0, 1, -Infinity, NaN]],
    ["log1p", f.log1p, [0, 1e-20, E - 1], [0, 1e-20, 1]],
    ["sqrt", f.sqrt, [4, 2, -1], [2, SQRT2, NaN]],
    ["rsqrt", f.rsqrt, [4, 0.25, 0], [0.5, 2, Infinity]],
    ["sin", f.sin, [0, PI / 2, PI / 6], [0, 1, 0.5]],
    ["cos", f.cos, [0, PI, PI / 3], [1, -1, 0.5]],
    ["tanh", f.tanh, [0, Math.log(2), 1000, -1000], [0, 0.6, 1, -1]],
    ["sigmoid", f.sigmoid, [0, Math.log(3), 1000, -1000], [0.5, 0.75, 1, 0]],
    ["relu", f.relu, [-1, 0, 2, NaN], [0, 0, 2, NaN]],
    ["softplus", f.softplus, [0, 1000, -1000, Math.log(E - 1)], [Math.log(2), 1000, 0, 1]],
    // x Phi(x) in tanh form, from the paper's formula in extended precision.
    ["gelu", f.gelu, [0, 1, -1, 3], [0, 0.8411919906082767, -0.1588080093917233, 2.996362607918227]],
    ["square", f.square, [3, -1.5], [9, 2.25]],
    ["stopGradient", f.stopGradient, [3, -1.5], [3, -1.5]],
    ["clip", (x) => f.clip(x, -1, 2), [-5, 0.5, 5, NaN], [-1, 0.5, 2, NaN]],
    ["finite", (x) => f.cast(f.finite(x), "float64"), [1, NaN, Infinity, -Infinity], [1, 0, 0, 0]],
  ])("%s", (_, apply, x, expected) => {
    expectClose(dataOf(apply(f64(x))), expected);
  });
  test("float32 results are rounded to float32", () => {
    const x = [0.1, 0.7, 2.3];
    expect(dataOf(f.exp(f.constant(x)))).toEqual(x.map((v) => Math.fround(Math.exp(Math.fround(v)))));
  });
});

describe("two operands", () => {
  const a = [7, -7, 7, -7, 6];
  const b = [2, 2, -2, -2, 3];
  test.each<[string, (x: f.Operand, y: f.Operand) => Tensor, number[]]>([
    ["add", f.add, [9, -5, 5, -9, 9]],
    ["sub", f.sub, [5, -9, 9, -5, 3]],
    ["mul", f.mul, [14, -14, -14, 14, 18]],
    ["div", f.div, [3.5, -3.5, -3.5, 3.5, 2]],
    ["pow", f.pow, [49, 49, 1 / 49, 1 / 49, 216]],
    ["maximum", f.maximum, [7, 2, 7, -2, 6]],
    ["minimum", f.minimum, [2, -7, -2, -7, 3]],
    ["floorDivide", f.floorDivide, [3, -4, -4, 3, 2]],
    ["remainder", f.remainder, [1, 1, -1, -1, 0]],
  ])("%s", (_, apply, expected) => {
    expectClose(dataOf(apply(f64(a), f64(b))), expected);
  });
  test.each<[string, (x: f.Operand, y: f.Operand) => Tensor, number[]]>([
    ["equal", f.equal, [0, 1, 0, 0]],
    ["notEqual", f.notEqual, [1, 0, 1, 1]],
    ["less", f.less, [1, 0, 0, 0]],
    ["lessEqual", f.lessEqual, [1, 1, 0, 0]],
    ["greater", f.greater, [0, 0, 1, 0]],
    ["greaterEqual", f.greaterEqual, [0, 1, 1, 0]],
  ])("%s is u8, and false with NaN except notEqual", (_, apply, expected) => {
    const result = apply(f64([1, 2, 3, NaN]), f64([2, 2, 2, 2]));
    expect(result.dtype).toBe("uint8");
    expect(dataOf(result)).toEqual(expected);
  });
  test("numbers take the tensor's dtype, on either side", () => {
    for (const dtype of ["float32", "float64", "int32"] as const) {
      expect(f.sub(10, f.constant([3], dtype)).dtype).toBe(dtype);
      expect(dataOf(f.sub(10, f.constant([3], dtype)))).toEqual([7]);
      expect(dataOf(f.sub(f.constant([3], dtype), 10))).toEqual([-7]);
    }
  });
  test("int32 wraps as hardware does, products included", () => {
    const big = i32([2 ** 31 - 1, -(2 ** 31), 123456789]);
    expect(dataOf(f.add(big, 1))).toEqual([-(2 ** 31), -(2 ** 31) + 1, 123456790]);
    expect(dataOf(f.mul(big, 987654321))).toEqual(
      [2147483647n, -2147483648n, 123456789n].map((x) => Number(BigInt.asIntN(32, x * 987654321n))),
    );
    expect(dataOf(f.neg(i32(-(2 ** 31))))).toEqual([-(2 ** 31)]);
    expect(dataOf(f.floorDivide(i32([-7, 7]), 2))).toEqual([-4, 3]);
    expect(dataOf(f.remainder(i32([-7, 7]), 4))).toEqual([1, 3]);
  });
  test("broadcasting against direct loops", () => {
    const [x, y] = [random([4, 1, 3], 1), random([2, 1], 2)];
    const [p, q] = [dataOf(x), dataOf(y)];
    const expected: number[] = [];
    for (let i = 0; i < 4; i++)
      for (let j = 0; j < 2; j++) for (let k = 0; k < 3; k++) expected.push(p[i * 3 + k] - q[j]);
    const difference = f.sub(x, y);
    expect(difference.shape).toEqual([4, 2, 3]);
    expect(dataOf(difference)).toEqual(expected);
  });
});

describe("choice and logic", () => {
  const truth = u8([1, 0, 1, 0]);
  const other = u8([1, 1, 0, 0]);
  test("where broadcasts all three", () => {
    expect(nestedValue(f.where(u8([[1], [0]]), f64([1, 2]), -1))).toEqual([
      [1, 2],
      [-1, -1],
    ]);
  });
  test("where hides NaN of the branch not taken", () => {
    expect(dataOf(f.where(truth, 1, f64([NaN, 2, NaN, 2])))).toEqual([1, 2, 1, 2]);
  });
  test("and, or, not", () => {
    expect([f.and(truth, other), f.or(truth, other), f.not(truth)].map(dataOf)).toEqual([
      [1, 0, 0, 0],
      [1, 1, 1, 0],
      [0, 1, 0, 1],
    ]);
  });
});

describe("cast", () => {
  test.each<[DType, DType, number[], number[]]>([
    ["float64", "float32", [0.1], [Math.fround(0.1)]],
    ["float64", "int32", [1.9, -1.9], [1, -1]],
    ["float32", "uint8", [3.7], [3]],
    ["int32", "uint8", [257, -1], [1, 255]],
    ["uint8", "float32", [255], [255]],
  ])("%s to %s", (from, to, values, expected) => {
    const result = f.cast(f.constant(values, from), to);
    expect(result.dtype).toBe(to);
    expect(dataOf(result)).toEqual(expected);
  });
  test("to its own dtype is the tensor itself", () => {
    const x = f.constant([1]);
    expect(f.cast(x, "float32")).toBe(x);
  });
});
