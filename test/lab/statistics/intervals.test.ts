/**
 * Intervals against scipy 1.17: `stats.norm`, `stats.t`, `stats.t.interval`; bootstrap numbers from numpy's
 * percentiles over itertools.product(values, repeat=5), BCa by Efron's formulas on the same list.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { keyFromSeed, normalFromBits, randomBits } from "../../../src/base/random.js";
import {
  normalCdf,
  normalQuantile,
  studentCdf,
  studentQuantile,
  studentTwoSided,
} from "../../../src/lab/statistics/distributions.js";
import { interval, mean, quantile } from "../../../src/lab/statistics/index.js";

const close = (received: number, expected: number, relative = 1e-11) =>
  expect(Math.abs(received - expected)).toBeLessThanOrEqual(relative * Math.abs(expected));

const losses = [0.2712, 0.2698, 0.2731, 0.2705, 0.2719];
const skewed = [1, 1.2, 1.1, 5, 1.3];

describe("distributions", () => {
  it.each([
    [-6, 9.865876450376946e-10],
    [-2.5, 0.006209665325776132],
    [-0.3, 0.3820885778110474],
    [1.96, 0.9750021048517795],
    [4, 0.9999683287581669],
  ])("normalCdf(%f)", (z, p) => close(normalCdf(z), p));

  it.each([
    [1e-6, -4.753424308822899],
    [0.025, -1.9599639845400545],
    [0.4, -0.2533471031357997],
    [0.975, 1.959963984540054],
  ])("normalQuantile(%f)", (p, z) => close(normalQuantile(p), z));

  it.each([
    [-2.5, 1, 0.12111894159084341],
    [0.7, 2, 0.7218034876835673],
    [3.1, 4, 0.9818894444812805],
    [-1.2, 30, 0.11976517544483119],
  ])("studentCdf(%f, %i)", (t, freedom, p) => {
    close(studentCdf(t, freedom), p);
    close(studentTwoSided(t, freedom), 2 * Math.min(p, 1 - p));
  });

  it.each([
    [0.975, 1, 12.706204736174694],
    [0.975, 4, 2.7764451051977934],
    [0.995, 2, 9.924843200918287],
    [0.05, 29, -1.6991270265334977],
  ])("studentQuantile(%f, %i)", (p, freedom, t) => close(studentQuantile(p, freedom), t));
});

describe("interval", () => {
  it("uses Student's t for the mean of few values", () => {
    const found = interval(losses);
    expect(found).toMatchObject({ method: "t", level: 0.95, n: 5 });
    close(found.estimate, 0.2713);
    close(found.low, 0.26971718276095835);
    close(found.high, 0.2728828172390416);
  });

  it("bootstraps over every resample where they are few", () => {
    const percentile = interval(losses, { method: "percentile" });
    close(percentile.low, 0.27036);
    close(percentile.high, 0.27234);
    const bca = interval(losses, { method: "bca" });
    close(bca.low, 0.27036);
    close(bca.high, 0.27238);
    const lopsided = interval(skewed, { method: "bca" });
    close(lopsided.low, 1.1);
    close(lopsided.high, 4.235166117609852);
  });

  it("uses BCa for many values, near scipy's with 400,000 resamples", () => {
    const values = [
      0.1, 0.4, 0.35, 0.22, 0.9, 1.7, 0.31, 0.28, 0.55, 0.61, 0.12, 0.19, 2.4, 0.33, 0.41, 0.44, 0.78, 0.15,
      0.26, 0.37, 0.52, 1.1,
    ];
    const found = interval(values);
    expect(found.method).toBe("bca");
    close(found.low, 0.40090909090909094, 0.02);
    close(found.high, 0.8931818181818183, 0.02);
    expect(interval(values)).toEqual(found);
    expect(interval(values, { resamplingSeed: 1 })).not.toEqual(found);
  });

  it("says which level a median of few values reaches", () => {
    // Binomial tails: 1 - 2 P(Bin(5) = 0) = 0.9375; of ten, dropping one at each end leaves 0.978515625.
    expect(interval(skewed, { statistic: "median" })).toEqual({
      estimate: 1.2,
      low: 1,
      high: 5,
      level: 0.9375,
      method: "order statistics",
      n: 5,
    });
    const ten = [9, 0, 1, 8, 2, 7, 3, 6, 4, 5];
    expect(interval(ten, { statistic: "median" })).toMatchObject({ low: 1, high: 8, level: 0.978515625 });
    expect(interval(ten, { statistic: "median", level: 0.6 })).toMatchObject({
      low: 3,
      high: 6,
      level: 0.65625,
    });
  });

  it("claims nothing from one value and refuses what is no number", () => {
    expect(interval([3])).toMatchObject({ estimate: 3, low: -Infinity, high: Infinity, method: "none" });
    expect(() => interval([1, Number.NaN])).toThrow(/received NaN; expected finite values/);
    expect(() => interval([])).toThrow(/no values/);
    expect(() => interval([1, 2], { level: 95 })).toThrow(/confidence level 95/);
    expect(() => interval([1, 2], { statistic: "median", method: "t" })).toThrow(/is for a mean/);
  });

  it("covers the true mean as often as it says; the percentile bootstrap does not", () => {
    const key = keyFromSeed(7);
    const trials = 1000;
    const covered = { t: 0, percentile: 0, median: 0 };
    for (let trial = 0; trial < trials; trial++) {
      const draw = (n: number, offset: number) =>
        Array.from({ length: n }, (_, i) => normalFromBits(randomBits(key, trial * 20 + offset + i), 1));
      const holds = ({ low, high }: { low: number; high: number }) => low <= 0 && 0 <= high;
      const five = draw(4, 0);
      if (holds(interval(five))) covered.t++;
      if (holds(interval(five, { method: "percentile" }))) covered.percentile++;
      if (holds(interval(draw(10, 8), { statistic: "median" }))) covered.median++;
    }
    // Three standard errors of 1,000 trials at 0.95: 0.021.
    expect(covered.t / trials).toBeGreaterThan(0.929);
    expect(covered.t / trials).toBeLessThan(0.971);
    expect(covered.percentile / trials).toBeLessThan(0.86);
    expect(covered.median / trials).toBeGreaterThan(0.957);
  }, 20_000);

  it("moves and scales with its values", () => {
    const values = fc.array(fc.integer({ min: -1000, max: 1000 }), { minLength: 2, maxLength: 5 });
    const methods = fc.constantFrom("t" as const, "percentile" as const, "bca" as const);
    fc.assert(
      fc.property(values, methods, (integers, method) => {
        const own = interval(integers, { method });
        const moved = interval(
          integers.map((value) => 8 * value + 64),
          { method },
        );
        expect(own.low).toBeLessThanOrEqual(own.estimate + 1e-9);
        expect(own.high).toBeGreaterThanOrEqual(own.estimate - 1e-9);
        expect(moved.low).toBeCloseTo(8 * own.low + 64, 6);
        expect(moved.high).toBeCloseTo(8 * own.high + 64, 6);
      }),
      { numRuns: 30 },
    );
  });
});

it("quantiles interpolate and bear infinities", () => {
  expect(quantile([4, 1, 3, 2], 0.25)).toBe(1.75);
  expect(quantile([1, Infinity, Infinity], 0.5)).toBe(Infinity);
  expect(quantile([1, 2, Infinity], 0.5)).toBe(2);
  expect(mean([1, 2, 6])).toBe(3);
});
