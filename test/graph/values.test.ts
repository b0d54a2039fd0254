/** Forward values of the functions, against values worked out by hand or by direct loops. */
import { describe, expect, test } from "vitest";
import type { DType } from "../../src/base/dtype.js";
import {
  randomBits as bitsOf,
  keyFromSeed,
  normalFromBits,
  permute,
  uniformFromBits,
} from "../../src/base/random.js";
import { sizeOf } from "../../src/base/shape.js";
import * as f from "../../src/graph/index.js";
import { evaluate, type Tensor } from "../../src/graph/index.js";
import { unitsFrom } from "../support/numbers.js";
import { nest, nestedValue } from "./support.js";

const f64 = (values: Parameters<typeof f.constant>[0]) => f.constant(values, "float64");
const i32 = (values: Parameters<typeof f.constant>[0]) => f.constant(values, "int32");
const u8 = (values: Parameters<typeof f.constant>[0]) => f.constant(values, "uint8");
const { PI, SQRT2, E } = Math;

function random(shape: number[], seed: number, dtype: DType = "float64"): Tensor {
  const next = unitsFrom(seed);
  return f.reshape(
    f.constant(
      Array.from({ length: sizeOf(shape) }, () => 3 * next()),
      dtype,
    ),
    shape,
  );
}
const dataOf = (tensor: Tensor): number[] => [...evaluate([tensor])[0].data];

/** Expects `received` to be `expected` within a few roundings of float64. */
function expectClose(received: readonly number[], expected: readonly number[]): void {
  expect(received.length).toBe(expected.length);
  received.forEach((value, i) => {
    if (!Object.is(value, expected[i]))
      expect(Math.abs(value - expected[i])).toBeLessThanOrEqual(1e-14 * Math.max(1, Math.abs(expected[i])));
  });
}

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

describe("products", () => {
  /** [lead..., m, k] x [lead..., k, n] by loops over what NumPy's rule says. */
  function loops(a: Tensor, b: Tensor): { shape: number[]; data: number[] } {
    const [p, q] = [dataOf(a), dataOf(b)];
    const x = a.shape.length === 1 ? [1, ...a.shape] : [...a.shape];
    const y = b.shape.length === 1 ? [...b.shape, 1] : [...b.shape];
    const rank = Math.max(x.length, y.length);
    const full = (s: number[]) => [...new Array<number>(rank - s.length).fill(1), ...s];
    const [s, t] = [full(x), full(y)];
    const lead = s.slice(0, -2).map((extent, i) => Math.max(extent, t[i]));
    const [m, k, n] = [s[rank - 2], s[rank - 1], t[rank - 1]];
    const data: number[] = [];
    for (let l = 0; l < sizeOf(lead); l++) {
      let [rest, at, bt, sizeA, sizeB] = [l, 0, 0, 1, 1];
      for (let axis = lead.length - 1; axis >= 0; axis--) {
        const i = rest % lead[axis];
        rest = Math.floor(rest / lead[axis]);
        at += (s[axis] === 1 ? 0 : i) * sizeA;
        bt += (t[axis] === 1 ? 0 : i) * sizeB;
        sizeA *= s[axis];
        sizeB *= t[axis];
      }
      for (let i = 0; i < m; i++)
        for (let j = 0; j < n; j++) {
          let total = 0;
          for (let c = 0; c < k; c++) total += p[(at * m + i) * k + c] * q[(bt * k + c) * n + j];
          data.push(total);
        }
    }
    const shape = [...lead, ...(a.shape.length > 1 ? [m] : []), ...(b.shape.length > 1 ? [n] : [])];
    return { shape, data };
  }
  test.each([
    [[3], [3]],
    [[3], [3, 2]],
    [[4, 3], [3]],
    [
      [4, 3],
      [3, 2],
    ],
    [
      [5, 4, 3],
      [3, 2],
    ],
    [
      [4, 3],
      [5, 3, 2],
    ],
    [
      [5, 4, 3],
      [5, 3, 2],
    ],
    [
      [1, 4, 3],
      [5, 3, 2],
    ],
    [
      [2, 1, 4, 3],
      [5, 3, 2],
    ],
    [[2, 5, 4, 3], [3]],
    [[3], [2, 5, 3, 1]],
    [
      [1, 1],
      [1, 1],
    ],
    [
      [2, 0],
      [0, 3],
    ],
  ])("matmul %j x %j", (left, right) => {
    const [a, b] = [random(left, 3), random(right, 4)];
    const product = f.matmul(a, b);
    const expected = loops(a, b);
    expect(product.shape).toEqual(expected.shape);
    expectClose(dataOf(product), expected.data);
  });
  test("dot: several batch and contracted axes in any order", () => {
    const [a, b] = [random([2, 3, 4, 5], 5), random([5, 3, 6, 2], 6)];
    const [p, q] = [dataOf(a), dataOf(b)];
    const product = f.dot(a, b, {
      batch: [[1], [1]],
      contract: [
        [3, 0],
        [0, 3],
      ],
    });
    const expected: number[] = [];
    for (let h = 0; h < 3; h++)
      for (let i = 0; i < 4; i++)
        for (let j = 0; j < 6; j++) {
          let total = 0;
          for (let c = 0; c < 5; c++)
            for (let d = 0; d < 2; d++)
              total += p[((d * 3 + h) * 4 + i) * 5 + c] * q[((c * 3 + h) * 6 + j) * 2 + d];
          expected.push(total);
        }
    expect(product.shape).toEqual([3, 4, 6]);
    expectClose(dataOf(product), expected);
  });
});

describe("movement", () => {
  const x = f64([
    [1, 2, 3],
    [4, 5, 6],
  ]);
  test("reshape, -1 is what is left", () => {
    expect(nestedValue(f.reshape(x, [3, -1]))).toEqual([
      [1, 2],
      [3, 4],
      [5, 6],
    ]);
    expect(f.reshape(x, [-1]).shape).toEqual([6]);
    expect(f.reshape(x, [2, 3])).toBe(x);
    expect(f.reshape(f.zeros([0, 2]), [-1, 5]).shape).toEqual([0, 5]);
  });
  test("transpose", () => {
    expect(nestedValue(f.transpose(x))).toEqual([
      [1, 4],
      [2, 5],
      [3, 6],
    ]);
    const y = random([2, 3, 4], 8);
    const moved = f.transpose(y, [-1, 0, 1]);
    expect(moved.shape).toEqual([4, 2, 3]);
    const [from, to] = [dataOf(y), dataOf(moved)];
    for (let i = 0; i < 2; i++)
      for (let j = 0; j < 3; j++)
        for (let k = 0; k < 4; k++) expect(to[(k * 2 + i) * 3 + j]).toBe(from[(i * 3 + j) * 4 + k]);
    expect(f.transpose(x, [0, 1])).toBe(x);
  });
  test("broadcastTo", () => {
    expect(nestedValue(f.broadcastTo(f64([[1], [2]]), [2, 2, 3]))).toEqual([
      [
        [1, 1, 1],
        [2, 2, 2],
      ],
      [
        [1, 1, 1],
        [2, 2, 2],
      ],
    ]);
    expect(nestedValue(f.broadcastTo(f64(7), [2]))).toEqual([7, 7]);
  });
  test("slice: bounds from the end, steps", () => {
    expect(nestedValue(f.slice(x, { axis: 1, start: -2 }))).toEqual([
      [2, 3],
      [5, 6],
    ]);
    expect(nestedValue(f.slice(x, { axis: -1, step: 2 }))).toEqual([
      [1, 3],
      [4, 6],
    ]);
    expect(nestedValue(f.slice(x, { axis: 0, stop: -1 }))).toEqual([[1, 2, 3]]);
    expect(nestedValue(f.slice(x, { axis: 0, start: 1, stop: 1 }))).toEqual([]);
  });
  test("concat", () => {
    expect(nestedValue(f.concat([x, f64([[7, 8, 9]])]))).toEqual([
      [1, 2, 3],
      [4, 5, 6],
      [7, 8, 9],
    ]);
    expect(nestedValue(f.concat([x, f64([[7], [8]])], -1))).toEqual([
      [1, 2, 3, 7],
      [4, 5, 6, 8],
    ]);
  });
  test("pad", () => {
    expect(
      nestedValue(
        f.pad(
          x,
          [
            [0, 1],
            [2, 0],
          ],
          -1,
        ),
      ),
    ).toEqual([
      [-1, -1, 1, 2, 3],
      [-1, -1, 4, 5, 6],
      [-1, -1, -1, -1, -1],
    ]);
  });
  test("take: any axis, indices of any rank, clamped at both ends", () => {
    expect(nestedValue(f.take(x, i32([1, 0, 9, -4])))).toEqual([
      [4, 5, 6],
      [1, 2, 3],
      [4, 5, 6],
      [1, 2, 3],
    ]);
    expect(nestedValue(f.take(x, i32([[2], [0]]), -1))).toEqual([
      [[3], [1]],
      [[6], [4]],
    ]);
    expect(nestedValue(f.take(x, i32(1), 1))).toEqual([2, 5]);
  });
  test("oneHot", () => {
    expect(nestedValue(f.oneHot(u8([2, 0]), 3))).toEqual([
      [0, 0, 1],
      [1, 0, 0],
    ]);
    expect(nestedValue(f.oneHot(i32([[3], [-1]]), 2, "int32"))).toEqual([[[0, 0]], [[0, 0]]]);
    expect(f.oneHot(i32(1), 4).dtype).toBe("float32");
  });
});

describe("leaves", () => {
  test("iota, zeros, ones, full", () => {
    expect(nestedValue(f.iota([2, 3], 1))).toEqual([
      [0, 1, 2],
      [0, 1, 2],
    ]);
    expect(nestedValue(f.iota([2, 3]))).toEqual([
      [0, 0, 0],
      [1, 1, 1],
    ]);
    expect(nestedValue(f.zeros([2]))).toEqual([0, 0]);
    expect(nestedValue(f.ones([2], "uint8"))).toEqual([1, 1]);
    expect(nestedValue(f.full([2], 0.1))).toEqual([Math.fround(0.1), Math.fround(0.1)]);
    expect(f.fullLike(i32([[1, 2]]), 3)).toMatchObject({ shape: [1, 2], dtype: "int32" });
  });
  test("constant: scalars, empty arrays, typed arrays", () => {
    expect(nestedValue(f.constant(3))).toBe(3);
    expect(f.constant([]).shape).toEqual([0]);
    expect(f.constant([[], []]).shape).toEqual([2, 0]);
    expect(nestedValue(f.constantArray(Float64Array.of(1, 2), [2, 1], "float64"))).toEqual([[1], [2]]);
  });
});

describe("random tensors are the specified functions of key and place", () => {
  const key = keyFromSeed(11);
  const places = [0, 1, 2, 3, 4, 5];
  test.each<[string, Tensor, (place: number) => number, DType]>([
    ["uniform", f.randomUniform(key, [2, 3]), (i) => uniformFromBits(bitsOf(key, i)), "float32"],
    ["normal", f.randomNormal(key, [2, 3]), (i) => normalFromBits(bitsOf(key, i), 1), "float32"],
    [
      "truncated normal",
      f.randomTruncatedNormal(key, [2, 3]),
      (i) => normalFromBits(bitsOf(key, i), 0.9544997361036416),
      "float32",
    ],
    [
      "Bernoulli",
      f.randomBernoulli(key, [2, 3], 0.4),
      (i) => Number(uniformFromBits(bitsOf(key, i)) < Math.fround(0.4)),
      "uint8",
    ],
    ["bits", f.randomBits(key, [2, 3]), (i) => bitsOf(key, i), "int32"],
  ])("%s", (_, tensor, expected, dtype) => {
    expect(tensor).toMatchObject({ shape: [2, 3], dtype });
    expect(dataOf(tensor)).toEqual(places.map(expected));
  });
  test("a key that is a tensor gives the same values", () => {
    expect(dataOf(f.randomNormal(i32([...key]), [7]))).toEqual(dataOf(f.randomNormal(key, [7])));
  });
  test("permutation, whole and in part", () => {
    const whole = f.randomPermutation(key, 50);
    expect(dataOf(whole)).toEqual(Array.from({ length: 50 }, (_, i) => permute(key, i, 50)));
    expect(dataOf(whole).toSorted((a, b) => a - b)).toEqual(Array.from({ length: 50 }, (_, i) => i));
    expect(dataOf(f.permutationAt(key, i32([49, 3]), 50))).toEqual([
      permute(key, 49, 50),
      permute(key, 3, 50),
    ]);
    expect(dataOf(f.randomPermutation(key, 0))).toEqual([]);
    for (const count of [-1, 1.5, 2 ** 31])
      expect(() => f.permutationAt(key, i32([0]), count)).toThrow(
        `permutationAt: count ${count}; expected an integer from 0 to 2^30.`,
      );
  });
  test("foldInTensor gives other keys for other steps", () => {
    const keys = Array.from({ length: 100 }, (_, n) => dataOf(f.foldInTensor(key, i32(n))).join());
    expect(new Set(keys).size).toBe(100);
    expect(keys[3]).toBe([bitsOf(key, 6), bitsOf(key, 7)].join());
  });
});
