/** Best settings, times to targets, sensitivity, rates and budgets, on numbers that are worked out by hand. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  bestSetting,
  compareBudgets,
  convergenceRate,
  expectedBest,
  firstWithin,
  sensitivity,
  type Trial,
  timeToTarget,
} from "../../../src/lab/statistics/index.js";
import { theilSen } from "../../../src/lab/statistics/rate.js";

const trialsOf = (table: Record<string, readonly number[]>): Trial[] =>
  Object.entries(table).flatMap(([lr, values]) =>
    values.map((select, seed) => ({
      setting: `lr=${lr}`,
      hyperparameters: { lr: Number(lr) },
      seed,
      select,
      report: 1 - select,
    })),
  );

describe("bestSetting", () => {
  it("chooses by the mean over seeds and reports the other metric", () => {
    const best = bestSetting(trialsOf({ 0.01: [0.5, 0.7], 0.1: [0.3, 0.5], 1: [0.2, 0.9] }), {
      better: "lower",
    })!;
    expect(best).toMatchObject({ setting: "lr=0.1", hyperparameters: { lr: 0.1 }, edges: {} });
    expect(best.select.estimate).toBeCloseTo(0.4, 14);
    expect(best.report!.estimate).toBeCloseTo(0.6, 14);
    expect(best.values).toEqual([
      { seed: 0, value: 0.7 },
      { seed: 1, value: 0.5 },
    ]);
    expect(best.settings).toEqual({ tried: 3, diverged: 0, incomplete: 0 });
    // Resamples (0,0) (0,1) (1,0) (1,1): means 0.3 against 0.2, then 0.4 twice, then 0.5 (0.7, 0.9).
    expect(best.choice).toEqual({ stability: 0.75, range: { lr: { low: 0.1, high: 1 } } });
  });

  it("never lets a diverged or incomplete setting win, and marks the edge of the grid", () => {
    const trials = trialsOf({ 0.01: [0.5, 0.6], 0.1: [0.1, Number.NaN], 1: [0.05] });
    const best = bestSetting(trials, { better: "lower" })!;
    expect(best.setting).toBe("lr=0.01");
    expect(best.edges).toEqual({ lr: "lowest" });
    expect(best.settings).toEqual({ tried: 3, diverged: 1, incomplete: 1 });
    expect(bestSetting(trialsOf({ 1: [Number.NaN], 2: [Infinity] }), { better: "lower" })).toBeUndefined();
    expect(bestSetting([], { better: "lower" })).toBeUndefined();
  });

  it("with one seed gives the choice no range", () => {
    const best = bestSetting(trialsOf({ 0.1: [0.9], 1: [0.8] }), { better: "higher" })!;
    expect(best.setting).toBe("lr=0.1");
    expect(best.choice).toBeUndefined();
    expect(best.select.high).toBe(Infinity);
  });

  it("never loses to another complete setting", () => {
    const table = fc.array(fc.array(fc.integer({ min: 0, max: 9 }), { minLength: 3, maxLength: 3 }), {
      minLength: 1,
      maxLength: 6,
    });
    fc.assert(
      fc.property(table, (rows) => {
        const trials = trialsOf(Object.fromEntries(rows.map((row, i) => [String(i + 1), row])));
        const best = bestSetting(trials, { better: "lower" })!;
        const sums = rows.map((row) => row.reduce((a, b) => a + b));
        expect(best.select.estimate * 3).toBeCloseTo(Math.min(...sums), 9);
        const { low, high } = best.choice!.range.lr;
        expect(low).toBeLessThanOrEqual(high);
      }),
      { numRuns: 50 },
    );
  });
});

describe("timeToTarget", () => {
  it("counts a run that never got there as infinitely slow", () => {
    const never = { step: null, epoch: null, timeS: null };
    const at = (step: number) => ({ step, epoch: step / 10, timeS: step / 8 });
    expect(timeToTarget([at(30), never, at(10), at(20)])).toEqual({
      runs: 4,
      reached: 3,
      steps: { median: 25, lowerQuartile: 17.5, upperQuartile: Infinity },
      epochs: { median: 2.5, lowerQuartile: 1.75, upperQuartile: Infinity },
      seconds: { median: 3.125, lowerQuartile: 2.1875, upperQuartile: Infinity },
    });
    expect(timeToTarget([at(1), never, never])?.steps.median).toBe(Infinity);
    expect(timeToTarget([{ step: 1, epoch: null, timeS: 1 }])?.epochs).toBeUndefined();
    expect(timeToTarget([])).toBeUndefined();
  });
});

describe("sensitivity", () => {
  const runs = (table: [number, number[]][]) =>
    table.flatMap(([x, values]) => values.map((value, seed) => ({ x, seed, value })));

  it("interpolates the ends on the log axis", () => {
    const found = sensitivity(
      runs([
        [0.01, [3]],
        [0.1, [1]],
        [1, [1.25]],
        [10, [1.75]],
      ]),
      { better: "lower", tolerance: { relative: 0.5 } },
    );
    // Threshold 1.5: a quarter of the way from 0.1 down to 0.01, half of the way from 1 up to 10.
    expect(found.best).toEqual({ x: 0.1, mean: 1 });
    expect(found.threshold).toBe(1.5);
    expect(found.range).toMatchObject({ lowEnd: "crossing", highEnd: "crossing" });
    expect(Math.log10(found.range!.low)).toBeCloseTo(-1.25, 12);
    expect(Math.log10(found.range!.high)).toBeCloseTo(0.5, 12);
    expect(found.range!.decades).toBeCloseTo(1.75, 12);
  });

  it("is contiguous, open at the grid's end, and stops at a divergence", () => {
    const found = sensitivity(
      runs([
        [0.001, [0.9, 0.9]],
        [0.01, [0.91, 0.9]],
        [0.1, [0.95, 0.93]],
        [1, [0.92, Number.NaN]],
        [10, [0.94, 0.94]],
      ]),
      { better: "higher", tolerance: { absolute: 0.05 } },
    );
    expect(found.best!.x).toBe(0.1);
    expect(found.range).toEqual({ low: 0.001, high: 0.1, decades: 2, lowEnd: "grid", highEnd: "divergence" });
    expect(found.points[3]).toMatchObject({ mean: -Infinity, runs: 2, diverged: 1, interval: undefined });
    // Resampling seed 1 twice the best is 10, where the grid ends and 1 diverges: widths 0, 2, 2, 2,
    // whose 2.5 % quantile lies 0.075 of the way from the first to the second.
    expect(found.decadesInterval!.low).toBeCloseTo(0.15, 12);
    expect(found.decadesInterval!.high).toBe(2);
  });

  it("has no best where all diverged", () => {
    const found = sensitivity(runs([[1, [Number.NaN]]]), { better: "lower", tolerance: { absolute: 1 } });
    expect(found.best).toBeUndefined();
    expect(found.points).toHaveLength(1);
  });
});

describe("convergenceRate", () => {
  const curve = (steps: number, of: (step: number) => number) => {
    const step = Float64Array.from({ length: steps }, (_, i) => i);
    return { step, value: step.map(of) };
  };

  it("matches scipy.stats.theilslopes on seven points", () => {
    const steps = [0, 1, 2, 4, 7, 9, 12];
    const found = theilSen(
      [0, -0.6, -1.1, -1.7, -3.9, -4.6, -6.4].map((logGap, i) => ({ step: steps[i], logGap })),
    );
    expect(found.slope).toBeCloseTo(-0.53, 12);
    expect(found.intercept).toBeCloseTo(0.42, 12);
  });

  it("finds the rate of gradient descent behind a fast transient", () => {
    const found = convergenceRate(
      curve(200, (t) => 5 + 2 * 0.97 ** t + 100 * 0.7 ** t),
      5,
    )!;
    expect(found.factor).toBeCloseTo(0.97, 6);
    expect(Math.exp(found.intercept)).toBeCloseTo(2, 2);
    expect(found.window).toEqual([100, 199]);
    expect(found.residual).toBeLessThan(1e-6);
  });

  it("leaves out where rounding stalls it", () => {
    const found = convergenceRate(
      curve(2000, (t) => 0.9 ** t + 1e-20 * (1 + 0.5 * Math.sin(7 * t))),
      0,
    )!;
    expect(found.factor).toBeCloseTo(0.9, 4);
    expect(found.window[1]).toBeLessThan(440); // 0.9^437 = 1e-20
    const exact = convergenceRate(
      curve(2000, (t) => (t < 100 ? 0.9 ** t : 0)),
      0,
    )!;
    expect(exact.factor).toBeCloseTo(0.9, 10);
    expect(exact.window).toEqual([50, 99]);
  });

  it("is not bent by the dips of an oscillation, nor by steps far apart", () => {
    const found = convergenceRate(
      curve(1000, (t) => 0.98 ** t * (1e-4 + Math.cos(0.37 * t) ** 2)),
      0,
    )!;
    expect(found.factor).toBeCloseTo(0.98, 3);
    const sparse = { step: [0, 50, 100, 200, 400, 500, 600, 700, 800, 900], value: [] as number[] };
    sparse.value = sparse.step.map((t) => 0.99 ** t);
    expect(convergenceRate(sparse, 0)!.ratePerStep).toBeCloseTo(-Math.log(0.99), 12);
  });

  it("reports growth as a factor above one, and nothing from too few points", () => {
    expect(
      convergenceRate(
        curve(100, (t) => 1.05 ** t),
        0,
      )!.factor,
    ).toBeCloseTo(1.05, 10);
    expect(
      convergenceRate(
        curve(4, (t) => 0.5 ** t),
        0,
      ),
    ).toBeUndefined();
    expect(
      convergenceRate(
        curve(100, () => 1),
        2,
      ),
    ).toBeUndefined();
  });

  it("finds the first point near the optimum", () => {
    expect(
      firstWithin(
        curve(20, (t) => 3 + 0.5 ** t),
        3,
        0.1,
      ),
    ).toEqual({ step: 4, index: 4 });
    expect(
      firstWithin(
        curve(20, () => Number.NaN),
        3,
        0.1,
      ),
    ).toBeUndefined();
  });
});

describe("budgets", () => {
  it("expects the mean over all draws of that many settings", () => {
    // itertools.combinations: mean of min over pairs 0.355, mean of max over triples 0.73.
    const scores = [0.5, 0.3, 0.9, 0.4, 0.35];
    expect(expectedBest(scores, 2, "lower")).toBeCloseTo(0.355, 12);
    expect(expectedBest(scores, 3, "higher")).toBeCloseTo(0.73, 12);
    expect(expectedBest(scores, 5, "lower")).toBe(0.3);
    expect(expectedBest([1, Number.NaN, 2], 1, "lower")).toBe(Infinity);
    expect(expectedBest([1, Number.NaN, 2], 2, "lower")).toBeCloseTo(4 / 3, 12); // min of 1-2, 1-x, 2-x
    expect(expectedBest(scores, 6, "lower")).toBeNaN();
  });

  it("flags unequal tuning", () => {
    const found = compareBudgets(
      [
        { name: "sgd", scores: [3, 1], runs: 4, steps: 400 },
        { name: "adam", scores: [2, 2, 0.5], runs: 6, steps: 600 },
      ],
      "lower",
    );
    expect(found).toMatchObject({ equal: false, smallest: 2 });
    expect(found.optimizers[0]).toEqual({ name: "sgd", settings: 2, runs: 4, steps: 400, bestAtEqual: 1 });
    expect(found.optimizers[1].bestAtEqual).toBeCloseTo(1, 12); // pairs: 2, 0.5, 0.5
  });
});
