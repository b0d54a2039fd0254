/** The random numbers: published known answers, distributions, independence. Keys are fixed, so no test is a gamble. */
import { describe, expect, test } from "vitest";
import {
  foldIn,
  type Key,
  keyFromSeed,
  normalFromBits,
  permute,
  randomBits,
  threefry2x32,
  uniformFromBits,
} from "../../src/base/random.js";
import { integersFrom } from "../support/numbers.js";
import { centralQuantile, chiSquareDeviation, kolmogorovSmirnov, normalCdf } from "./normal.js";

const key = keyFromSeed(2024);
const indices = (count: number) => Array.from({ length: count }, (_, i) => i);
const hex = (words: readonly number[]) => words.map((word) => (word >>> 0).toString(16).padStart(8, "0"));
const meanOf = (values: readonly number[]) => values.reduce((total, x) => total + x, 0) / values.length;

describe("Threefry-2x32, 20 rounds", () => {
  test.each([
    [0, 0, 0, 0, "6b200159", "99ba4efe"],
    [0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, "1cb996fc", "bb002be7"],
    [0x13198a2e, 0x03707344, 0x243f6a88, 0x85a308d3, "c4923a9c", "483df7a0"],
  ])("key %i %i, counter %i %i: the answer published with Random123", (k0, k1, c0, c1, first, second) => {
    expect(hex(threefry2x32([k0, k1], c0, c1))).toEqual([first, second]);
    expect(hex(threefry2x32([k0 | 0, k1 | 0], c0 | 0, c1 | 0))).toEqual([first, second]);
  });
  test("words are int32", () => {
    for (let i = 0; i < 100; i++) for (const word of threefry2x32(key, i, 0)) expect(word).toBe(word | 0);
  });
});

describe("keys", () => {
  test("a seed's 53 bits all count", () => {
    expect(keyFromSeed(7)).toEqual([0, 7]);
    expect(keyFromSeed(2 ** 32 + 7)).toEqual([1, 7]);
    expect(keyFromSeed(2 ** 53 - 1)).toEqual([2 ** 21 - 1, -1]);
  });
  test("derived keys differ from each other, from their parents' draws and over levels", () => {
    const seen = new Set<string>();
    for (let i = 0; i < 2000; i++) {
      seen.add(foldIn(key, i).join());
      seen.add(foldIn(foldIn(key, i), i).join());
      seen.add(threefry2x32(key, i, 0).join());
    }
    expect(seen.size).toBe(6000);
  });
  test("derived keys differ in half of their bits, whatever bit of the index changes", () => {
    const ones = (x: number) => (x >>> 0).toString(2).replaceAll("0", "").length;
    for (let bit = 0; bit < 32; bit++) {
      const flips = indices(200).map((i) => {
        const [a, b] = [foldIn(key, i), foldIn(key, i ^ (1 << bit))];
        return ones(a[0] ^ b[0]) + ones(a[1] ^ b[1]);
      });
      // 64 fair bits, 200 times: mean 32, standard error 4 / sqrt(200) = 0.28.
      expect(Math.abs(meanOf(flips) - 32)).toBeLessThan(1.4);
    }
  });
  test("draws of neighbouring keys are uncorrelated", () => {
    const n = 20_000;
    const draws = (k: Key) => indices(n).map((i) => uniformFromBits(randomBits(k, i)) - 0.5);
    const [a, b, c] = [draws(foldIn(key, 0)), draws(foldIn(key, 1)), draws(key)];
    const correlation = (x: number[], y: number[]) => 12 * meanOf(x.map((value, i) => value * y[i]));
    for (const [x, y] of [
      [a, b],
      [a, c],
      [a.slice(1), a.slice(0, -1)],
    ])
      expect(Math.abs(correlation(x, y))).toBeLessThan(4 / Math.sqrt(n));
  });
});

describe("uniform", () => {
  const n = 50_000;
  const draws = indices(n).map((i) => uniformFromBits(randomBits(key, i)));

  test("24 bits, on [0, 1), exact in float32", () => {
    expect(uniformFromBits(0)).toBe(0);
    expect(uniformFromBits(-1)).toBe(1 - 2 ** -24);
    expect(uniformFromBits(1 << 31)).toBe(0.5);
    for (const x of draws.slice(0, 1000)) expect(Math.fround(x)).toBe(x);
  });
  test("equally likely everywhere, singly and in pairs", () => {
    const cells = new Float64Array(1000);
    const pairs = new Float64Array(32 * 32);
    draws.forEach((x, i) => {
      cells[Math.floor(x * 1000)]++;
      if (i > 0) pairs[Math.floor(draws[i - 1] * 32) * 32 + Math.floor(x * 32)]++;
    });
    expect(Math.abs(chiSquareDeviation(cells))).toBeLessThan(3.5);
    expect(Math.abs(chiSquareDeviation(pairs))).toBeLessThan(3.5);
    expect(kolmogorovSmirnov(draws, (x) => x)).toBeLessThan(1.95);
  });
  test("each of the 32 bits is fair", () => {
    for (let bit = 0; bit < 32; bit++) {
      const share = meanOf(indices(10_000).map((i) => (randomBits(key, i) >>> bit) & 1));
      expect(Math.abs(share - 0.5)).toBeLessThan(0.02);
    }
  });
});

describe("normal", () => {
  const n = 40_000;
  const reach = 0.9544997361036416;
  const draws = indices(n).map((i) => normalFromBits(randomBits(key, i), 1));
  const truncated = indices(n).map((i) => normalFromBits(randomBits(key, i), reach));
  const momentsOf = (values: number[]) => [1, 2, 3, 4].map((power) => meanOf(values.map((x) => x ** power)));

  test("moments 0, 1, 0, 3 within five standard errors", () => {
    const errors = [1, Math.SQRT2, Math.sqrt(15), Math.sqrt(96)].map(
      (deviation) => (5 * deviation) / Math.sqrt(n),
    );
    momentsOf(draws).forEach((moment, i) => {
      expect(Math.abs(moment - [0, 1, 0, 3][i])).toBeLessThan(errors[i]);
    });
  });
  test("its distribution is the normal one", () => {
    expect(kolmogorovSmirnov(draws, normalCdf)).toBeLessThan(1.95);
  });
  test("truncated: inside two deviations, with the moments and distribution of the cut normal", () => {
    expect(Math.max(...truncated.map(Math.abs))).toBeLessThanOrEqual(2 + 1e-6);
    const density = Math.exp(-2) / Math.sqrt(2 * Math.PI);
    const variance = 1 - (4 * density) / reach;
    const moments = momentsOf(truncated);
    expect(Math.abs(moments[0])).toBeLessThan(5 / Math.sqrt(n));
    expect(Math.abs(moments[1] - variance)).toBeLessThan(5 / Math.sqrt(n));
    const cdf = (x: number) => (normalCdf(x) - normalCdf(-2)) / reach;
    expect(kolmogorovSmirnov(truncated, cdf)).toBeLessThan(1.95);
  });

  test.each([
    ["whole", 1],
    ["truncated", reach],
  ])("%s: the inversion is exact to seven units of float32's precision", (_, share) => {
    const next = integersFrom(3);
    const extremes = [0, -1, 1 << 31, (1 << 31) - 1, 1 << 9, 0x1ff, -512, 0x7ffffe00];
    const words = [...extremes, ...indices(2000).map(() => (next() << 1) | 0)];
    for (const bits of words) {
      const x = ((bits >>> 9) + 0.5) * 2 ** -22 - 1;
      const exact = Math.sign(x) * centralQuantile(Math.abs(Math.fround(x * Math.fround(share))));
      expect(Math.abs(normalFromBits(bits, share) / exact - 1), `bits ${bits}`).toBeLessThan(7 * 2 ** -23);
    }
  });
  test("symmetric, never 0, finite at both ends", () => {
    for (const bits of [0, 5 << 9, 12345 << 9, 0x7ffffe00])
      expect(normalFromBits(~bits, 1)).toBe(-normalFromBits(bits, 1));
    expect(normalFromBits(1 << 31, 1)).toBeGreaterThan(0);
    expect(normalFromBits(-1, 1)).toBeGreaterThan(5);
    expect(normalFromBits(-1, 1)).toBeLessThan(5.5);
  });
});

describe("permutation", () => {
  test.each([1, 2, 3, 10, 16, 17, 100, 255, 256, 257, 1000, 50_000])(
    "of %i elements is a bijection",
    (count) => {
      for (const seed of count > 10_000 ? [1] : [1, 2, 3]) {
        const seen = new Uint8Array(count);
        for (let i = 0; i < count; i++) seen[permute(foldIn(key, seed), i, count)]++;
        expect(seen.every((times) => times === 1)).toBe(true);
      }
    },
  );
  test("part of one of 2^30 elements: inside, without repetition", () => {
    const images = indices(1000).map((i) => permute(key, i * 2 ** 20, 2 ** 30));
    expect(new Set(images).size).toBe(1000);
    expect(images.every((image) => image >= 0 && image < 2 ** 30)).toBe(true);
    expect(
      Math.abs(
        chiSquareDeviation(
          images.reduce(
            (cells, image) => cells.with(image >>> 26, cells[image >>> 26] + 1),
            new Float64Array(16),
          ),
        ),
      ),
    ).toBeLessThan(3.5);
  });

  const keys = indices(20_000).map((i) => foldIn(key, i));
  test.each([2, 3, 4, 5, 6, 7, 8, 10, 30, 100])(
    "of %i elements: first, second and last go everywhere",
    (count) => {
      const places = [0, 1, count - 1].map(() => new Float64Array(count));
      const pairs = new Float64Array(count * (count - 1));
      for (const k of keys) {
        const [first, second, last] = [0, 1, count - 1].map((position) => permute(k, position, count));
        [first, second, last].forEach((image, i) => {
          places[i][image]++;
        });
        pairs[first * (count - 1) + second - (second > first ? 1 : 0)]++;
      }
      for (const counts of [...places, pairs]) expect(Math.abs(chiSquareDeviation(counts))).toBeLessThan(3.5);
    },
  );
  test("all 120 orders of 5 elements are equally likely", () => {
    const orders = new Map<string, number>();
    for (const k of keys) {
      const order = indices(5)
        .map((i) => permute(k, i, 5))
        .join();
      orders.set(order, (orders.get(order) ?? 0) + 1);
    }
    expect(orders.size).toBe(120);
    expect(Math.abs(chiSquareDeviation([...orders.values()]))).toBeLessThan(3.5);
  });
  test("a thousand elements have one fixed point on average and no order left", () => {
    const fixed: number[] = [];
    const correlations: number[] = [];
    for (const k of keys.slice(0, 100)) {
      const images = indices(1000).map((i) => permute(k, i, 1000));
      fixed.push(images.filter((image, i) => image === i).length);
      correlations.push((12 / 1e6) * meanOf(images.map((image, i) => (image - 499.5) * (i - 499.5))));
    }
    expect(Math.abs(meanOf(fixed) - 1)).toBeLessThan(0.4);
    expect(Math.abs(meanOf(correlations))).toBeLessThan(4 / Math.sqrt(1000 * 100));
    expect(Math.max(...correlations.map(Math.abs))).toBeLessThan(5 / Math.sqrt(1000));
  });
});
