/** Forecasts: the model of a step, of the all-reduce, and both against numbers worked out by hand. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { cpuBackend } from "../../src/backends/cpu/index.js";
import { forecast, type StepTime, stepModel } from "../../src/lab/forecast.js";
import { study } from "../../src/lab/index.js";
import { allReduceSeconds, type Link, linkFrom, links } from "../../src/lab/links.js";
import { measuredLink } from "../../src/lab/measuredLink.js";
import { keepForecast, loadForecast, loadScaling } from "../../src/lab/scalingStore.js";
import { summedPerStep } from "../../src/lab/summed.js";
import { blobs } from "../../src/learn/datasets/index.js";
import { perceptron } from "../../src/learn/models/index.js";
import { adam } from "../../src/learn/optimizers/index.js";
import { classificationProblem } from "../../src/learn/problems/index.js";

const root = mkdtempSync(join(tmpdir(), "slalom-forecast-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));

const link: Link = { name: "simple", alphaS: 1e-3, betaSPerByte: 1e-6, source: "given" };

/** 2 ms, and 1 ms an example. */
const steps: StepTime[] = [10, 30, 100].map((batchSize) => ({
  batchSize,
  seconds: 2e-3 + 1e-3 * batchSize,
}));

const forecastOf = (options: Partial<Parameters<typeof forecast>[0]> = {}) =>
  forecast({ mode: "strong", steps, link, bytes: 12_000, ranks: [2, 4], batchSizes: [60], ...options });

describe("the model of a step", () => {
  test("finds the fixed part and that of each example", () => {
    const { fixedS, perExampleS, largestError } = stepModel(steps);
    expect(fixedS).toBeCloseTo(2e-3, 12);
    expect(perExampleS).toBeCloseTo(1e-3, 12);
    expect(largestError).toBeLessThan(1e-9);
  });

  test("weighs errors relative to the steps, and tells the largest", () => {
    const bent = [
      { batchSize: 1, seconds: 2 },
      { batchSize: 2, seconds: 3 },
      { batchSize: 4, seconds: 4.5 },
    ];
    const errorsOf = (a: number, b: number): number[] =>
      bent.map(({ batchSize, seconds }) => (a + b * batchSize) / seconds - 1);
    const squares = (a: number, b: number): number =>
      errorsOf(a, b).reduce((sum, error) => sum + error ** 2, 0);
    const { fixedS, perExampleS, largestError } = stepModel(bent);
    for (const [da, db] of [
      [0.01, 0],
      [-0.01, 0],
      [0, 0.01],
      [0, -0.01],
      [0.01, -0.005],
      [-0.01, 0.005],
    ]) {
      expect(squares(fixedS, perExampleS)).toBeLessThan(squares(fixedS + da, perExampleS + db));
    }
    expect(largestError).toBeCloseTo(Math.max(...errorsOf(fixedS, perExampleS).map(Math.abs)), 12);
    expect(largestError).toBeGreaterThan(0.01);
  });

  test("has no part below 0", () => {
    const convex = stepModel([
      { batchSize: 1, seconds: 1 },
      { batchSize: 2, seconds: 4 },
    ]);
    // Through 0: b minimizes (b - 1)^2 + (b / 2 - 1)^2.
    expect(convex.fixedS).toBe(0);
    expect(convex.perExampleS).toBeCloseTo(1.2, 12);
    const falling = stepModel([
      { batchSize: 1, seconds: 4 },
      { batchSize: 2, seconds: 1 },
    ]);
    // Flat: a minimizes (a / 4 - 1)^2 + (a - 1)^2.
    expect(falling.perExampleS).toBe(0);
    expect(falling.fixedS).toBeCloseTo(20 / 17, 12);
  });

  test("of one size counts all as the examples'", () => {
    const alone = stepModel([{ batchSize: 50, seconds: 0.1 }]);
    expect(alone.fixedS).toBe(0);
    expect(alone.perExampleS).toBeCloseTo(0.002, 12);
  });
});

describe("the model of an all-reduce", () => {
  test("has two phases of N - 1 messages of an N-th", () => {
    expect(allReduceSeconds(link, 12_000, 1)).toBe(0);
    expect(allReduceSeconds(link, 12_000, 2)).toBeCloseTo(2 * (1e-3 + 6e-3), 12);
    expect(allReduceSeconds(link, 12_000, 4)).toBeCloseTo(6 * (1e-3 + 3e-3), 12);
  });

  test("gives back the link that its times come from", () => {
    for (const ranks of [2, 3, 8]) {
      const bytes = 1_000_000;
      const times = {
        smallS: allReduceSeconds(link, 0, ranks),
        largeS: allReduceSeconds(link, bytes, ranks),
        bytes,
      };
      const found = linkFrom(times, ranks, "measured: here");
      expect(found.alphaS).toBeCloseTo(link.alphaS, 12);
      expect(found.betaSPerByte).toBeCloseTo(link.betaSPerByte, 15);
    }
    // Noise below 0 is no time.
    const none = linkFrom({ smallS: -1e-9, largeS: -1e-3, bytes: 100 }, 2, "measured: here");
    expect([none.alphaS, none.betaSPerByte]).toEqual([0, 0]);
  });

  test("orders the published links, each with its source", () => {
    expect(links.map(({ name }) => name)).toEqual(["nvlink", "infiniband", "ethernet"]);
    const times = links.map((one) => allReduceSeconds(one, 13e6, 4));
    expect(times).toEqual([...times].sort((a, b) => a - b));
    // Four ranks, 13 MB, 75 GB/s: 2 * 3/4 * 13 MB / 75 GB/s is 0.26 ms, and six messages 0.02 ms.
    expect(times[0]).toBeCloseTo(2.804e-4, 7);
    for (const { source } of links) expect(source).toMatch(/^published: /);
  });

  test("is measured between the ranks of a backend", async () => {
    const backend = cpuBackend({ ranks: 2, gemm: "wasm" });
    try {
      const found = measuredLink(backend);
      expect(found.name).toBe("measured");
      expect(found.source).toContain("2 ranks");
      // Two threads meet in less than 10 ms, and sum more than 10 MB/s, on any machine.
      expect(found.alphaS).toBeLessThan(1e-2);
      expect(found.betaSPerByte).toBeLessThan(1e-7);
      expect(found.alphaS).toBeGreaterThanOrEqual(0);
      expect(found.betaSPerByte).toBeGreaterThanOrEqual(0);
    } finally {
      await backend.close();
    }
    expect(() => measuredLink(cpuBackend())).toThrow(/1 rank; expected several/);
  }, 60_000);
});

describe("a forecast", () => {
  test("adds the share of the batch and the all-reduce", () => {
    const [{ points, batchSize, paysUpTo }] = forecastOf().curves;
    expect(batchSize).toBe(60);
    const stepS = [0.062, 0.032 + 0.014, 0.017 + 0.024];
    expect(points.map(({ ranks }) => ranks)).toEqual([1, 2, 4]);
    points.forEach((point, i) => {
      expect(point.stepS).toBeCloseTo(stepS[i], 10);
      expect(point.examplesPerS).toBeCloseTo(60 / stepS[i], 6);
      expect(point.speedup).toBeCloseTo(stepS[0] / stepS[i], 10);
      expect(point.efficiency).toBeCloseTo(stepS[0] / stepS[i] / point.ranks, 10);
      expect(point.hiddenS).toBe(0);
    });
    // 0.062 to 0.046 gains a third, to 0.041 another eighth.
    expect(paysUpTo).toBe(4);
    expect(forecastOf({ ranks: [2, 4, 8] }).curves[0].paysUpTo).toBe(4);
  });

  test("of weak scaling keeps the share", () => {
    const [{ points }] = forecastOf({ mode: "weak" }).curves;
    expect(points.map((point) => point.batchSize)).toEqual([60, 120, 240]);
    for (const { computeS } of points) expect(computeS).toBeCloseTo(0.062, 10);
    expect(points[2].efficiency).toBeCloseTo(0.062 / (0.062 + 0.024), 10);
  });

  test("waits for the rank with the most examples", () => {
    const [{ points }] = forecastOf({ batchSizes: [50], ranks: [4] }).curves;
    expect(points[1].computeS).toBeCloseTo(2e-3 + 13e-3, 10);
  });

  test("hides the all-reduce behind as much of the backward pass as it is told", () => {
    const hidden = (overlap: number) =>
      forecastOf({ overlap }).curves[0].points.map(({ hiddenS }) => hiddenS);
    // Two thirds of 30 ms and of 15 ms are 20 ms and 10 ms; the all-reduces take 14 ms and 24 ms.
    expect(hidden(0.5)[1]).toBeCloseTo(0.01, 10);
    expect(hidden(1)[1]).toBeCloseTo(0.014, 10);
    expect(hidden(1)[2]).toBeCloseTo(0.01, 10);
    expect(forecastOf({ overlap: 1 }).curves[0].points[2].stepS).toBeCloseTo(0.017 + 0.014, 10);
  });

  test("stands beside what was measured, at those ranks too", () => {
    const measured = [
      { ranks: 1, batchSize: 60, stepS: { median: 0.062 } },
      { ranks: 3, batchSize: 60, stepS: { median: 0.05 } },
      { ranks: 2, batchSize: 61, stepS: { median: 0.05 } },
    ];
    const [{ points }] = forecastOf({ ranks: [8], measured }).curves;
    expect(points.map(({ ranks }) => ranks)).toEqual([1, 2, 3, 8]);
    expect(points[0].measured!.ratio).toBeCloseTo(1, 10);
    // 20 examples, and four messages of a third.
    expect(points[2].measured!.stepS).toBe(0.05);
    expect(points[2].measured!.ratio).toBeCloseTo((0.022 + 4 * (1e-3 + 4e-3)) / 0.05, 10);
    expect([points[1].measured, points[3].measured]).toEqual([undefined, undefined]);
  });

  test("is kept apart, with all that it was made of", () => {
    const made = {
      ...forecastOf(),
      study: "small",
      optimizer: "Adam",
      stepsFrom: "given",
      date: "2025-01-01T00:00:00.000Z",
    };
    const path = keepForecast(root, made);
    expect(path).toBe(join(root, "scaling", "strong-forecast.json"));
    expect(loadForecast(path)).toEqual(made);
    expect(() => loadScaling(path)).toThrow(
      /holds no scaling study; expected a file that slalom scale wrote/,
    );
    expect(() => loadForecast(join(root, "none.json"))).toThrow(/none\.json can't be read as a forecast/);
  });

  test.each<[string, Partial<Parameters<typeof forecast>[0]>, RegExp]>([
    ["no steps", { steps: [] }, /forecast: steps ; expected some of examples above 0/],
    ["a step of no time", { steps: [{ batchSize: 1, seconds: 0 }] }, /steps 1=0; expected/],
    ["half a rank", { ranks: [0.5] }, /ranks 0\.5; expected positive integers/],
    ["no batch", { batchSizes: [] }, /batch ; expected positive integers/],
    ["more than all overlap", { overlap: 1.5 }, /an overlap of 1\.5; expected a share from 0 to 1/],
  ])("refuses %s", (_, options, message) => {
    expect(() => forecastOf(options)).toThrow(message);
  });
});

test("what ranks sum is the gradients, the loss and the metrics", async () => {
  const small = study({
    name: "summed",
    problem: classificationProblem({
      dataset: blobs({ classes: 4, count: 400 }),
      model: perceptron({ hidden: [24] }),
    }),
    optimizers: [adam({ lr: 1e-2 })],
    epochs: 1,
    batchSize: 40,
  });
  const built = small.problem.build(await small.problem.dataset!.load());
  const elements = Object.values(built.parameters).reduce(
    (sum, { shape }) => sum + shape.reduce((product, size) => product * size, 1),
    0,
  );
  const { bytes, tensors } = await summedPerStep(small);
  expect(tensors).toBeGreaterThan(Object.keys(built.parameters).length);
  expect(bytes).toBeGreaterThan(4 * elements);
  expect(bytes).toBeLessThanOrEqual(4 * (elements + 1 + built.metrics.length));
});
