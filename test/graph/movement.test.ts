/** Values of what moves elements, makes leaves or draws numbers. */
import { describe, expect, test } from "vitest";
import type { DType } from "../../src/base/dtype.js";
import {
  randomBits as bitsOf,
  keyFromSeed,
  normalFromBits,
  permute,
  uniformFromBits,
} from "../../src/base/random.js";
import type { Tensor } from "../../src/graph/index.js";
import * as f from "../../src/graph/index.js";
import { dataOf, f64, i32, nestedValue, random, u8 } from "./support.js";

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
