/** Trainings to a target: against the run of a study, by each rule, and where the target is not met. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { cpuBackend } from "../../src/backends/cpu/index.js";
import { inThread, runStudy, type Study, study } from "../../src/lab/index.js";
import {
  type MeasuredRanks,
  type TargetOptions,
  targetOf,
  trainToTarget,
} from "../../src/lab/targetTraining.js";
import { blobs } from "../../src/learn/datasets/index.js";
import { perceptron } from "../../src/learn/models/index.js";
import { adam, sgd } from "../../src/learn/optimizers/index.js";
import { classificationProblem } from "../../src/learn/problems/index.js";
import { cosine } from "../../src/learn/schedules/index.js";
import { openStore } from "../../src/runs/index.js";

const root = mkdtempSync(join(tmpdir(), "slalom-target-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));

const problem = classificationProblem({
  dataset: blobs({ classes: 4, count: 500 }),
  model: perceptron({ hidden: [24] }),
});

const small = study({
  name: "to-target",
  problem,
  optimizers: [adam({ lr: 2e-3 })],
  seeds: [3],
  epochs: 12,
  batchSize: 40,
  targets: [{ metric: "validationAccuracy", value: 0.8 }],
});

const point = (ranks: number, batchSize: number, median: number): MeasuredRanks => ({
  ranks,
  batchSize,
  stepS: { median },
  speedup: 1,
});

const toTarget = async (asked: Study, value: number, options: Partial<TargetOptions> = {}) =>
  trainToTarget(asked, {
    target: await targetOf(asked, { value }),
    rules: ["kept"],
    measured: [point(1, 40, 0.5), point(2, 40, 0.25)],
    backendOf: async (ranks) => cpuBackend({ ranks }),
    ...options,
  });

describe("trainings to a target", () => {
  test("meet it where the study's own run does, in the measured step's time on each number of ranks", async () => {
    const store = openStore(root);
    await runStudy(small, { store, executor: inThread(cpuBackend()) });
    const [run] = store.openStudy(small.name).runs();
    const { step, epoch } = run.summary!.targets[0];
    expect(step).toBeGreaterThan(0);

    const { trainings, ...asked } = await toTarget(small, 0.8);
    expect(asked).toEqual({
      target: { metric: "validationAccuracy", value: 0.8, direction: "above" },
      seed: 3,
      epochs: 12,
      evaluatedEvery: 1,
      baseBatchSize: 40,
      baseLearningRate: 2e-3,
    });
    expect(trainings).toHaveLength(1);
    expect(trainings[0]).toMatchObject({
      rule: "kept",
      batchSize: 40,
      learningRate: 2e-3,
      ranks: 2,
      outcome: "reached",
      reached: { steps: step, epochs: epoch },
      times: [
        { ranks: 1, seconds: 0.5 * step! },
        { ranks: 2, seconds: 0.25 * step! },
      ],
    });
    expect(trainings[0].best!.value).toBeGreaterThanOrEqual(0.8);
    expect(trainings[0].best!.epochs).toBe(epoch);
  }, 60_000);

  test("of several seeds tell the one in the middle, and each", async () => {
    const { trainings, ...asked } = await toTarget(small, 0.8, { seeds: 3 });
    expect(asked).toMatchObject({ seed: 3, seeds: [3, 4, 5] });
    const alone: number[] = [];
    for (const seed of [3, 4, 5]) {
      const { trainings: own } = await toTarget({ ...small, seeds: [seed] }, 0.8);
      expect(own[0]).not.toHaveProperty("seeds");
      alone.push(own[0].reached!.steps);
    }
    const sorted = [...alone].sort((a, b) => a - b);
    const [{ seeds, reached, times }] = trainings;
    expect(seeds!.map((one) => one.reached!.steps)).toEqual(sorted);
    expect(new Map(seeds!.map((one) => [one.seed, one.reached!.steps]))).toEqual(
      new Map(alone.map((steps, i) => [3 + i, steps])),
    );
    expect(reached!.steps).toBe(sorted[1]);
    expect(times[0]).toEqual({ ranks: 1, seconds: 0.5 * sorted[1] });
  }, 60_000);

  test("take the learning rate of each rule, with a warm-up for the linear one", async () => {
    const { trainings } = await toTarget(small, 2, {
      rules: ["kept", "linear", "squareRoot"],
      epochs: 1,
      warmupEpochs: 0.5,
      measured: [point(1, 160, 1), point(1, 40, 1), point(1, 10, 1)],
    });
    const { count } = (await problem.dataset!.load()).train;
    const half = Math.round(Math.ceil(count / 160) / 2);
    expect(
      trainings.map(({ batchSize, rule, learningRate, warmupSteps }) => [
        batchSize,
        rule,
        learningRate,
        warmupSteps,
      ]),
    ).toEqual([
      [10, "kept", 2e-3, undefined],
      [10, "linear", 5e-4, undefined],
      [10, "squareRoot", 1e-3, undefined],
      [40, "kept", 2e-3, undefined],
      [40, "linear", 2e-3, undefined],
      [40, "squareRoot", 2e-3, undefined],
      [160, "kept", 2e-3, undefined],
      [160, "linear", 8e-3, half],
      [160, "squareRoot", 4e-3, undefined],
    ]);
    const best = trainings.map((training) => training.best!.value);
    // At the study's own batch the rules are one training; elsewhere they are not.
    expect(new Set(best.slice(3, 6)).size).toBe(1);
    expect(new Set(best.slice(0, 3)).size).toBeGreaterThan(1);
  }, 60_000);

  test("say where it was not met, and what was best", async () => {
    const { trainings } = await toTarget(small, 0.9999, { epochs: 2 });
    const [{ outcome, reached, best, times }] = trainings;
    expect({ outcome, reached, times }).toEqual({ outcome: "not reached", reached: undefined, times: [] });
    expect(best!.value).toBeGreaterThan(0.25);
    expect(best!.value).toBeLessThan(0.9999);
    expect([1, 2]).toContain(best!.epochs);
  }, 60_000);

  test("say where they diverged", async () => {
    const wild = study({ name: "wild", problem, optimizers: [sgd({ lr: 1e30 })], epochs: 2, batchSize: 40 });
    const { trainings } = await toTarget(wild, 0.9999);
    expect(trainings[0]).toMatchObject({ outcome: "diverged", times: [] });
  }, 60_000);

  test("leave out what has no certificate, and keep a schedule of the study", async () => {
    const { speedup: _none, ...failed } = point(2, 40, 0.25);
    const scheduled = study({
      name: "scheduled",
      problem,
      optimizers: [adam({ lr: 2e-3, schedule: cosine() })],
      epochs: 3,
      batchSize: 40,
    });
    const { trainings, epochs } = await toTarget(scheduled, 2, { measured: [point(1, 40, 0.5), failed] });
    expect(epochs).toBe(3);
    expect(trainings.map(({ ranks, warmupSteps }) => [ranks, warmupSteps])).toEqual([[1, undefined]]);
    const linear = await toTarget(scheduled, 2, { rules: ["linear"], measured: [point(1, 80, 0.5)] });
    expect(linear.trainings[0].warmupSteps).toBeGreaterThan(1);
  }, 60_000);

  test("are by the metric that is named, which the evaluations must measure", async () => {
    expect(await targetOf(small, { metric: "validationLoss", value: 0.5 })).toEqual({
      metric: "validationLoss",
      value: 0.5,
      direction: "below",
    });
    await expect(targetOf(small, { metric: "validationAcuracy", value: 0.5 })).rejects.toThrow(
      /metric of the target "validationAcuracy".*validationAccuracy/s,
    );
  });
});
