/** Scaling studies: what is measured, what is certified, and what is not drawn. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { cpuBackend } from "../../src/backends/cpu/index.js";
import { type Study, study } from "../../src/lab/index.js";
import { type ScalingStudy, scale } from "../../src/lab/scaling.js";
import { keepScaling, loadScaling } from "../../src/lab/scalingStore.js";
import { blobs } from "../../src/learn/datasets/index.js";
import { perceptron } from "../../src/learn/models/index.js";
import { adam } from "../../src/learn/optimizers/index.js";
import { classificationProblem } from "../../src/learn/problems/index.js";
import { speedupFigure } from "../../src/report/scaling/speedup.js";

const root = mkdtempSync(join(tmpdir(), "slalom-scaling-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));

const small = study({
  name: "scaled",
  problem: classificationProblem({
    dataset: blobs({ classes: 4, count: 400 }),
    model: perceptron({ hidden: [24] }),
  }),
  optimizers: [adam({ lr: 1e-2 })],
  epochs: 10,
  batchSize: 40,
});

const measured = (mode: "strong" | "weak"): Promise<ScalingStudy> =>
  scale(small, {
    mode,
    ranks: [2],
    batchSizes: [20, 40],
    certifySteps: 5,
    sampleS: 0.005,
    backendOf: async (ranks) => cpuBackend({ ranks }),
  });

describe("a scaling study", () => {
  test("divides a batch among ranks, or gives each its own", async () => {
    const [strong, weak] = [await measured("strong"), await measured("weak")];
    const sizes = ({ curves }: ScalingStudy): number[][] =>
      curves.flatMap(({ points }) => points.map(({ ranks, batchSize }) => [ranks, batchSize]));
    expect(sizes(strong)).toEqual([
      [1, 20],
      [2, 20],
      [1, 40],
      [2, 40],
    ]);
    expect(sizes(weak)).toEqual([
      [1, 20],
      [2, 40],
      [1, 40],
      [2, 80],
    ]);
    for (const { points } of [...strong.curves, ...weak.curves]) {
      const [one, two] = points;
      expect(one.speedup).toBe(1);
      expect(one.certificate).toBeUndefined();
      expect(two.certificate).toMatchObject({ ranks: 2, steps: 5, batchSize: two.batchSize, passed: true });
      expect(two.examplesPerS).toBeCloseTo(two.batchSize / two.stepS.median, 6);
      expect(two.speedup).toBeCloseTo(two.examplesPerS / one.examplesPerS, 9);
      expect(two.efficiency).toBeCloseTo(two.speedup! / 2, 9);
      expect(two.stepS.least).toBeLessThanOrEqual(two.stepS.median);
      expect(two.stepS.greatest).toBeGreaterThanOrEqual(two.stepS.median);
    }
    const path = keepScaling(join(root, "scaled"), strong);
    expect(path).toBe(join(root, "scaled", "scaling", "strong.json"));
    expect(loadScaling(path)).toEqual(strong);
  }, 60_000);

  test("tells up to which number of ranks another one pays, and draws the curves", async () => {
    const point = (ranks: number, examplesPerS: number) => ({
      ranks,
      processes: 1,
      batchSize: 40,
      stepS: { median: 1, least: 1, greatest: 1 },
      examplesPerS,
      speedup: examplesPerS / 100,
      efficiency: examplesPerS / 100 / ranks,
    });
    const { curves, ...rest } = await measured("strong");
    const points = [point(1, 100), point(2, 190), point(4, 205)];
    const drawn = speedupFigure({ ...rest, curves: [{ batchSize: 40, points, paysUpTo: 2 }] });
    expect(drawn).toContain("batch 40");
    expect(drawn).toContain("ideal");
    const alone = speedupFigure({
      ...rest,
      curves: [{ batchSize: 40, points: [point(1, 100)], paysUpTo: 1 }],
    });
    expect(alone).toContain("speed-up");
    expect(curves.every(({ paysUpTo }) => paysUpTo === 1 || paysUpTo === 2)).toBe(true);
  }, 60_000);

  test("is not drawn where ranks have no certificate", async () => {
    const { curves, ...rest } = await measured("strong");
    const [{ points, ...curve }] = curves;
    const [one, { speedup: _s, efficiency: _e, ...two }] = points;
    expect(() => speedupFigure({ ...rest, curves: [{ ...curve, points: [one, two] }] })).toThrow(
      /batch 20: 2 ranks have no certificate that passed; expected one/,
    );
  }, 60_000);

  test("measures whole batches, also of a study that takes them in parts and looks at their noise", async () => {
    const parts: Study = { ...small, microBatch: 10, gradientNoise: true };
    const { curves } = await scale(parts, {
      mode: "strong",
      ranks: [2],
      batchSizes: [40],
      certifySteps: 3,
      sampleS: 0.005,
      backendOf: async (ranks) => cpuBackend({ ranks }),
    });
    expect(curves[0].points.map(({ certificate }) => certificate?.passed)).toEqual([undefined, true]);
  }, 60_000);

  test.each<[string, number[], number[], RegExp]>([
    ["no ranks", [], [40], /ranks ; expected positive integers/],
    ["half a rank", [1.5], [40], /ranks 1\.5; expected positive integers/],
    ["a batch that two ranks can't divide", [2], [41], /a batch of 41 examples on 2 ranks/],
  ])("refuses %s", async (_, ranks, batchSizes, message) => {
    const backendOf = async (count: number) => cpuBackend({ ranks: count });
    await expect(
      scale(small, { mode: "strong", ranks, batchSizes, backendOf, sampleS: 0.005 }),
    ).rejects.toThrow(message);
  });
});
