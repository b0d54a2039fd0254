/** A study as work: its runs, its tasks, their labels; what it needs before it starts. */
import { describe, expect, test } from "vitest";
import { type StudyOptions, study } from "../../src/lab/index.js";
import {
  checkMetrics,
  configurationsOf,
  isDeterministic,
  laneTraining,
  recordOf,
  tasksFor,
} from "../../src/lab/tasks.js";
import { ema, swa } from "../../src/learn/averages/index.js";
import { blobs } from "../../src/learn/datasets/index.js";
import { zeroValues } from "../../src/learn/initializers/index.js";
import { dense, dropout } from "../../src/learn/layers/index.js";
import { layersModel, type Model, perceptron, softmaxRegression } from "../../src/learn/models/index.js";
import { adam, momentum, sgd } from "../../src/learn/optimizers/index.js";
import { classificationProblem, linearRegression } from "../../src/learn/problems/index.js";
import { cosine } from "../../src/learn/schedules/index.js";
import { runId } from "../../src/runs/index.js";

const source = blobs({ count: 250, split: { train: 205, validation: 45 } });
const problem = classificationProblem({ dataset: source, model: softmaxRegression() });
const versions = { slalom: "0", node: "0", backend: "test", cpu: "test" };

const small = (options: Partial<StudyOptions> = {}) =>
  study({
    problem,
    optimizers: [momentum({ lr: [0.1, 0.2, 0.3], momentum: [0.5, 0.9] }), adam({ lr: [0.01, 0.02] })],
    seeds: 2,
    epochs: 3,
    batchSize: 50,
    ...options,
  });

describe("runs", () => {
  test("are the product of the settings in their order, for each seed", async () => {
    const runs = configurationsOf(small(), await source.load(), [0, 1], "cpu");
    expect(
      runs.map(({ choice, configuration: { optimizer, hyperparameters: h, seed } }) =>
        [choice, optimizer, h.lr, h.momentum, seed].join(" "),
      ),
    ).toEqual([
      "0 momentum 0.1 0.5 0",
      "0 momentum 0.1 0.5 1",
      "0 momentum 0.1 0.9 0",
      "0 momentum 0.1 0.9 1",
      "0 momentum 0.2 0.5 0",
      "0 momentum 0.2 0.5 1",
      "0 momentum 0.2 0.9 0",
      "0 momentum 0.2 0.9 1",
      "0 momentum 0.3 0.5 0",
      "0 momentum 0.3 0.5 1",
      "0 momentum 0.3 0.9 0",
      "0 momentum 0.3 0.9 1",
      "1 adam 0.01  0",
      "1 adam 0.01  1",
      "1 adam 0.02  0",
      "1 adam 0.02  1",
    ]);
    // 205 examples in batches of 50: four whole ones and a short one.
    expect(new Set(runs.map(({ configuration }) => configuration.steps))).toEqual(new Set([15]));
  });

  test("of two choices of one optimizer have names that tell them apart, and ids of their own", () => {
    const optimizers = [
      sgd({ lr: 0.1 }),
      sgd({ lr: 0.1, schedule: cosine() }),
      sgd({ lr: 0.1, clipNorm: 1, decoupledWeightDecay: 0.01 }),
      sgd({ lr: 0.1 }),
      sgd({ lr: 0.1, schedule: cosine() }),
      adam(),
      adam({ average: ema() }),
      adam({ average: ema({ decay: 0.99 }), schedule: cosine() }),
      adam({ average: swa({ from: 0.5 }) }),
    ];
    const asked = small({ optimizers });
    expect(recordOf(asked, versions, false).optimizers.map(({ label }) => label)).toEqual([
      "Gradient descent",
      "Gradient descent (cosine)",
      "Gradient descent (clip 1, decay 0.01)",
      "Gradient descent (2)",
      "Gradient descent (cosine, 2)",
      "Adam",
      "Adam (EMA 0.999)",
      "Adam (cosine, EMA 0.99)",
      "Adam (SWA 0.5)",
    ]);
    expect(recordOf(asked, versions, false).optimizers.at(-1)?.average).toEqual({
      id: "swa",
      parameters: { from: 0.5, every: "epoch" },
    });
    const ids = configurationsOf({ ...asked, steps: 5 }, undefined, [0], "cpu").map(({ configuration }) =>
      runId(configuration),
    );
    expect(new Set(ids).size).toBe(optimizers.length);
  });
});

test("gradient noise is in the study's record where it is asked for, and in its trainings", async () => {
  const dataset = await source.load();
  const [asked, plain] = [small({ microBatch: 25, gradientNoise: true }), small({ microBatch: 25 })];
  expect(recordOf(asked, versions, false).options).toMatchObject({ gradientNoise: true });
  expect(recordOf(plain, versions, false).options ?? {}).not.toHaveProperty("gradientNoise");
  const [task] = tasksFor(configurationsOf(asked, dataset, [0], "cpu"), { workers: 1, maxLanes: 64 });
  expect(laneTraining(asked, dataset, task).gradientNoise).toBe(true);
  expect(laneTraining(plain, dataset, task).gradientNoise).toBe(false);
});

test("what a run is told beyond its settings is in its record, its study's and its training", async () => {
  const dataset = await source.load();
  const earlyStopping = { patience: 2, metric: "trainLoss", minDelta: 0 };
  const asked = small({ microBatch: 25, earlyStopping });
  expect(recordOf(asked, versions, false)).toMatchObject({ microBatch: 25, earlyStopping });
  const runs = configurationsOf(asked, dataset, [0], "cpu");
  for (const { configuration } of runs)
    expect(configuration).toMatchObject({
      microBatch: 25,
      earlyStopping: { ...earlyStopping, evaluateEvery: 5 },
    });
  const [task] = tasksFor(runs, { workers: 1, maxLanes: 64 });
  expect(laneTraining(asked, dataset, task)).toMatchObject({ microBatch: 25, earlyStopping });
  const plain = configurationsOf(small(), dataset, [0], "cpu").map(({ configuration }) =>
    runId(configuration),
  );
  expect(runs.map(({ configuration }) => runId(configuration))).not.toEqual(plain);
});

describe("tasks", () => {
  const sizes = (workers: number, maxLanes: number): string[] => {
    const runs = configurationsOf({ ...small(), steps: 15 }, undefined, [0, 1], "cpu");
    const tasks = tasksFor(runs, { workers, maxLanes });
    const covered = tasks.flatMap(({ configurations }) => configurations.map(runId)).sort();
    expect(covered).toEqual(runs.map(({ configuration }) => runId(configuration)).sort());
    for (const { choice, seed, configurations } of tasks) {
      for (const configuration of configurations) {
        expect(configuration.seed).toBe(seed);
        expect(configuration.optimizer).toBe(["momentum", "adam"][choice]);
      }
    }
    return tasks.map(({ choice, seed, configurations }) => `${choice}/${seed}: ${configurations.length}`);
  };

  test("hold the lanes of one optimizer and seed, dearest first", () => {
    expect(sizes(1, 64)).toEqual(["0/0: 6", "0/1: 6", "1/0: 2", "1/1: 2"]);
  });

  test("are split evenly where lanes are limited", () => {
    expect(sizes(1, 5)).toEqual(["0/0: 3", "0/0: 3", "0/1: 3", "0/1: 3", "1/0: 2", "1/1: 2"]);
  });

  test("are no longer than a worker's share", () => {
    expect(sizes(4, 64)).toEqual(["0/0: 3", "0/0: 3", "0/1: 3", "0/1: 3", "1/0: 2", "1/1: 2"]);
    expect(new Set(sizes(16, 64).map((task) => task.split(": ")[1]))).toEqual(new Set(["1"]));
  });

  test("tell the loop to evaluate each epoch, or without batches to record each step", async () => {
    const dataset = await source.load();
    const asked = small();
    const [task] = tasksFor(configurationsOf(asked, dataset, [0], "cpu"), { workers: 1, maxLanes: 64 });
    expect(laneTraining(asked, dataset, task)).toMatchObject({
      steps: 15,
      evaluate: ["validation"],
      evaluateEvery: 5,
      recordEvery: 0,
      recordParameters: false,
      lanes: task.configurations.map(({ hyperparameters }) => hyperparameters),
    });
    const exact = study({ problem: linearRegression(), optimizers: [sgd()], steps: 350 });
    const [own] = tasksFor(configurationsOf(exact, undefined, [0], "cpu"), { workers: 1, maxLanes: 64 });
    expect(laneTraining(exact, undefined, own)).toMatchObject({
      evaluate: [],
      evaluateEvery: 3,
      recordEvery: 1,
      recordParameters: true,
    });
  });
});

test("evaluations fall on whole steps, as many epochs apart as asked for", async () => {
  const dataset = await source.load();
  const every = (options: Partial<StudyOptions>): number => {
    const asked = small(options);
    return laneTraining(asked, dataset, { choice: 0, seed: 0, configurations: [] }).evaluateEvery;
  };
  // Five steps an epoch.
  expect(every({ evaluateEvery: 4 })).toBe(4);
  expect(every({ evaluateEvery: { steps: 7 } })).toBe(7);
  expect(every({ evaluateEvery: { epochs: 0.4 } })).toBe(2);
  expect(every({ evaluateEvery: { epochs: 0.5 } })).toBe(3);
  expect(every({ evaluateEvery: { epochs: 3 } })).toBe(15);
  expect(every({ evaluateEvery: { epochs: 0.01 } })).toBe(1);
  expect(every({ evaluateEvery: { epochs: 2 }, batchSize: "full" })).toBe(2);
});

describe("a seed changes nothing", () => {
  const isSame = async (options: Partial<StudyOptions>): Promise<boolean> =>
    isDeterministic(small(options), await source.load());
  const withModel = (model: Model) => classificationProblem({ dataset: source, model });

  test("where the start is fixed and the order too", async () => {
    expect(await isSame({ batchSize: "full" })).toBe(true);
    expect(await isSame({ shuffle: false })).toBe(true);
    const exact = study({ problem: linearRegression(), optimizers: [sgd()] });
    expect(isDeterministic(exact, undefined)).toBe(true);
  });

  test("but not where batches are shuffled, the start is drawn, or units are dropped", async () => {
    expect(await isSame({})).toBe(false);
    expect(await isSame({ batchSize: "full", problem: withModel(perceptron({ hidden: [4] })) })).toBe(false);
    const dropping = layersModel({
      name: "dropping",
      layers: (outputs) => [dropout(0.5), dense(outputs, { initializer: zeroValues })],
    });
    expect(await isSame({ batchSize: "full", problem: withModel(dropping) })).toBe(false);
  });
});

describe("before training", () => {
  test("a target on a metric that no row holds is refused with those that exist", async () => {
    const dataset = await source.load();
    const withTarget = (metric: string, options: Partial<StudyOptions> = {}) =>
      checkMetrics(small({ ...options, targets: [{ metric, value: 0.5 }] }), dataset);
    expect(() => withTarget("validationAcuracy")).toThrow(
      /metric of a target "validationAcuracy"\. Did you mean "validationAccuracy"\? Valid: .*trainLoss/,
    );
    expect(() => withTarget("testLoss")).toThrow(/Valid: .*validationLoss/);
    expect(() => withTarget("batchLoss")).toThrow(/"batchLoss"/);
    withTarget("batchLoss", { recordEvery: 1 });
    withTarget("trainLoss");
    const exact = study({
      problem: linearRegression(),
      optimizers: [sgd()],
      targets: [{ metric: "parameter.W", value: -1 }],
    });
    checkMetrics(exact, undefined);
  });
});
