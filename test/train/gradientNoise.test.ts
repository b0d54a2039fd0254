/** Gradient noise: the estimators are unbiased, and rows tell what the gradients of single examples say. */
import { afterAll, describe, expect, test } from "vitest";
import { cpuBackend } from "../../src/backends/cpu/index.js";
import { referenceBackend } from "../../src/backends/reference/index.js";
import { type Dataset, sourceOf } from "../../src/learn/datasets/dataset.js";
import { regression } from "../../src/learn/datasets/index.js";
import { perceptron } from "../../src/learn/models/index.js";
import { momentum, sgd } from "../../src/learn/optimizers/index.js";
import { regressionProblem } from "../../src/learn/problems/index.js";
import { betterSide } from "../../src/runs/index.js";
import {
  type GradientNoise,
  gradientNoise,
  type LaneTraining,
  type LoopSnapshot,
  metricsOf,
  noiseScale,
} from "../../src/train/index.js";
import { classifying, descent, greatestDifference, lanesOf, train, withoutTime } from "./support.js";

const backends = [1, 2, 3].map((ranks) => cpuBackend({ ranks }));
afterAll(async () => {
  await Promise.all(backends.map((backend) => backend.close()));
});

type Vector = readonly number[];

const meanOf = (vectors: readonly Vector[]): number[] =>
  vectors[0].map((_, i) => vectors.reduce((sum, vector) => sum + vector[i], 0) / vectors.length);
const squareOf = (vector: Vector): number => vector.reduce((sum, x) => sum + x * x, 0);

/** The estimates of one batch of gradients of single examples that is taken in parts, by their definition. */
function estimate(gradients: readonly Vector[], parts: readonly (readonly Vector[])[]): GradientNoise {
  const examples = gradients.length;
  const square = parts.reduce((sum, part) => sum + (part.length / examples) * squareOf(meanOf(part)), 0);
  return gradientNoise(
    { examples: examples / parts.length, squaredNorm: square },
    { examples, squaredNorm: squareOf(meanOf(gradients)) },
  );
}

const cut = <T>(list: readonly T[], size: number): T[][] =>
  Array.from({ length: Math.ceil(list.length / size) }, (_, i) => list.slice(i * size, (i + 1) * size));

const meanNoise = (all: readonly GradientNoise[]): GradientNoise => ({
  gradientSquare: meanOf(all.map((one) => [one.gradientSquare]))[0],
  gradientVariance: meanOf(all.map((one) => [one.gradientVariance]))[0],
});

describe("the estimators", () => {
  test("by value", () => {
    const few = { examples: 1, squaredNorm: 5 };
    expect(gradientNoise(few, { examples: 4, squaredNorm: 2 })).toEqual({
      gradientSquare: 1,
      gradientVariance: 4,
    });
    expect(gradientNoise(few, { examples: 2, squaredNorm: 1 })).toEqual({
      gradientSquare: -3,
      gradientVariance: 8,
    });
  });

  const population: readonly Vector[] = [
    [1, 2],
    [4, -1],
    [-2, 3],
  ];
  const mean = meanOf(population);
  const exact = {
    gradientSquare: squareOf(mean),
    gradientVariance: meanOf(population.map((x) => [squareOf(x.map((xi, i) => xi - mean[i]))]))[0],
  };
  /** Every batch of four that independent draws may give. */
  const batches = Array.from({ length: 3 ** 4 }, (_, n) =>
    [0, 1, 2, 3].map((place) => population[Math.floor(n / 3 ** place) % 3]),
  );

  test.each([
    ["of single examples", 1],
    ["of two examples", 2],
    ["of three and of one", 3],
  ])("are right in the mean over all batches, with parts %s", (_, size) => {
    const received = meanNoise(batches.map((batch) => estimate(batch, cut(batch, size))));
    expect(received.gradientSquare).toBeCloseTo(exact.gradientSquare, 12);
    expect(received.gradientVariance).toBeCloseTo(exact.gradientVariance, 12);
    expect(noiseScale(received)).toBeCloseTo(exact.gradientVariance / exact.gradientSquare, 12);
  });

  test("tell no scale where noise hides the gradient, and none below 0", () => {
    expect(noiseScale({ gradientSquare: 2, gradientVariance: 6 })).toBe(3);
    expect(noiseScale({ gradientSquare: 0, gradientVariance: 6 })).toBeUndefined();
    expect(noiseScale({ gradientSquare: -1, gradientVariance: 6 })).toBeUndefined();
    expect(noiseScale({ gradientSquare: 2, gradientVariance: -6 })).toBe(0);
  });

  test.each([
    [4, 4],
    [5, 4],
    [0, 4],
    [Number.NaN, 4],
  ])("refuse gradients of %d and %d examples", (few, many) => {
    expect(() =>
      gradientNoise({ examples: few, squaredNorm: 1 }, { examples: many, squaredNorm: 1 }),
    ).toThrow(
      `gradientNoise: gradients of ${few} and of ${many} examples; expected more than 0, and more of the second.`,
    );
  });
});

/** 90 examples in batches of 36: three parts of 12, the last batch of 18 of two, the second of them short. */
const asked = {
  batchSize: 36,
  microBatch: 12,
  steps: 6,
  evaluateEvery: 3,
  gradientNoise: true,
  dtype: "float64",
} as const;

/** Of softmax regression from zeros: (softmax - target) times the inputs and 1, for each example of the training split. */
function gradientsAtZero({ train, classes }: Dataset): number[][] {
  const [count, width] = train.inputs.shape;
  const inputs = Array.from(train.inputs.data as Float32Array);
  return Array.from({ length: count }, (_, n) => {
    const x = [...inputs.slice(n * width, (n + 1) * width), 1];
    return Array.from(
      { length: classes! },
      (_, c) => 1 / classes! - (train.targets.data[n] === c ? 1 : 0),
    ).flatMap((error) => x.map((xi) => error * xi));
  });
}

describe("the rows of a training", () => {
  const still = (changes: Partial<LaneTraining> = {}) =>
    classifying(sgd({ lr: 0 }), { ...asked, shuffle: false, ...changes });

  test("tell the means over the steps since the last evaluation", async () => {
    const training = await still();
    const gradients = gradientsAtZero(training.dataset);
    const expected = meanNoise(cut(gradients, 36).map((batch) => estimate(batch, cut(batch, 12))));
    for (const backend of [...backends, referenceBackend()]) {
      const { rows } = await train(training, backend);
      const evaluated = rows[0].filter((row) => "gradientSquare" in row);
      expect(evaluated.map(({ step }) => step)).toEqual([3, 6]);
      for (const row of evaluated) {
        expect(row.gradientSquare).toBeCloseTo(expected.gradientSquare, 12);
        expect(row.gradientVariance).toBeCloseTo(expected.gradientVariance, 12);
        expect(row.gradientNoiseScale).toBeCloseTo(expected.gradientVariance / expected.gradientSquare, 10);
      }
    }
  });

  test.each([2, 3])("tell it by the shares of %i ranks, where batches are taken whole", async (ranks) => {
    // On three ranks the last one has no example of the last batch; on two it leaves a single part, which tells nothing.
    const training = await still({ microBatch: undefined });
    const gradients = gradientsAtZero(training.dataset);
    const told = cut(gradients, 36).filter((batch) => batch.length > 36 / ranks);
    const expected = meanNoise(told.map((batch) => estimate(batch, cut(batch, 36 / ranks))));
    const { rows } = await train(training, backends[ranks - 1]);
    const evaluated = rows[0].filter((row) => "gradientSquare" in row);
    expect(evaluated.map(({ step }) => step)).toEqual([3, 6]);
    for (const row of evaluated) {
      expect(row.gradientSquare).toBeCloseTo(expected.gradientSquare, 12);
      expect(row.gradientVariance).toBeCloseTo(expected.gradientVariance, 12);
    }
    const micro = await train(await still(), backends[ranks - 1]);
    const alone = await train(await still(), backends[0]);
    expect(greatestDifference(alone.rows[0], micro.rows[0])).toBeLessThanOrEqual(1e-11);
  });

  test.each([
    ["five micro-batches", 8, 1],
    ["the shares of two ranks", undefined, 2],
  ])("converge to tr(Sigma) / |G|^2 of a linear model, by %s", async (_, microBatch, ranks) => {
    const count = 400;
    const inputs = Array.from({ length: count }, (_, n) => [Math.sin(n * n), Math.cos(3 * n * n)]);
    const targets = inputs.map(([a, b], n) => 1 + a - 2 * b + 0.5 * Math.sin(7 * n * n));
    const source = sourceOf(regression({ name: "plane", inputs, targets }));
    const training: LaneTraining = {
      ...(await classifying(sgd({ lr: 0 }), { ...asked, dataset: await source.load() })),
      problem: regressionProblem({ dataset: source, model: perceptron({ hidden: [] }) }),
      evaluate: [],
      batchSize: 40,
      microBatch,
      steps: 1000,
      evaluateEvery: 1000,
      recordEvery: 0,
    };
    const { rows, outcomes } = await train(training, backends[ranks - 1]);
    const [w, b] = ["dense1.weight", "dense1.bias"].map((name) => outcomes[0].parameters![name]);
    // Of (w x + b - y)^2.
    const gradients = inputs.map((x, n) => {
      const error = 2 * (w[0] * x[0] + w[1] * x[1] + b[0] - targets[n]);
      return [error * x[0], error * x[1], error];
    });
    const mean = meanOf(gradients);
    const square = squareOf(mean);
    const variance =
      gradients.reduce((sum, own) => sum + squareOf(own.map((x, i) => x - mean[i])), 0) / (count - 1);
    const [row] = rows[0].filter((one) => "gradientNoiseScale" in one);
    expect(row.gradientVariance / variance).toBeCloseTo(1, 1);
    expect(row.gradientSquare / square).toBeCloseTo(1, 1);
    expect(row.gradientNoiseScale / (variance / square)).toBeCloseTo(1, 1);
  });

  test("leave out batches of a single part", async () => {
    // The last batch has 10 examples.
    const training = await still({ batchSize: 40, microBatch: 20, evaluateEvery: 1, steps: 3 });
    const gradients = gradientsAtZero(training.dataset);
    const { rows } = await train(training, backends[0]);
    const evaluated = rows[0].filter((row) => "validationLoss" in row);
    expect(evaluated.map((row) => "gradientSquare" in row)).toEqual([true, true, false]);
    const first = gradients.slice(0, 40);
    const expected = estimate(first, cut(first, 20));
    expect(evaluated[0].gradientVariance).toBeCloseTo(expected.gradientVariance, 12);
  });

  test("are those of the mean loss where a problem sums it", async () => {
    const inputs = Array.from({ length: 50 }, (_, n) => [Math.sin(n), Math.cos(2 * n)]);
    const targets = inputs.map(([a, b], n) => a - 2 * b + Math.sin(7 * n));
    const dataset = regression({ name: "waves", inputs, targets });
    const rowsOf = async (reduction: "mean" | "sum") => {
      const source = sourceOf(dataset);
      const problem = regressionProblem({ dataset: source, model: perceptron({ hidden: [5] }), reduction });
      const training: LaneTraining = {
        ...(await still({ batchSize: 20, microBatch: 4, dataset: await source.load() })),
        problem,
        evaluate: [],
      };
      return (await train(training, backends[0])).rows[0].filter((row) => "gradientSquare" in row);
    };
    const [mean, sum] = [await rowsOf("mean"), await rowsOf("sum")];
    expect(mean).toHaveLength(2);
    mean.forEach((row, i) => {
      for (const metric of ["gradientSquare", "gradientVariance"])
        expect(sum[i][metric] / row[metric]).toBeCloseTo(1, 11);
      expect(row.gradientVariance).toBeGreaterThan(0);
    });
  });

  test("are each lane's own, in float32 too", async () => {
    for (const [dtype, tolerance] of [
      ["float64", 1e-11],
      ["float32", 1e-4],
    ] as const) {
      const choice = momentum({ lr: [0.01, 0.3] });
      const training = await classifying(choice, { ...asked, dtype, hidden: 9 });
      const { rows } = await train(training, backends[0]);
      expect(rows[0].at(-1)!.gradientSquare).not.toBe(rows[1].at(-1)!.gradientSquare);
      for (const [lane, own] of lanesOf(choice).entries()) {
        const alone = await train({ ...training, lanes: [own] }, backends[0]);
        expect(greatestDifference(alone.rows[0], rows[lane])).toBeLessThanOrEqual(tolerance);
      }
    }
  });

  test("change nothing else, and are the metrics that are announced", async () => {
    const training = await classifying(momentum({ lr: [0.1, 0.2] }), asked);
    const { rows } = await train(training, backends[0]);
    const { rows: plain } = await train({ ...training, gradientNoise: false }, backends[0]);
    const noise = ["gradientSquare", "gradientVariance", "gradientNoiseScale"];
    const without = rows.map((lane) =>
      withoutTime(lane).map((row) =>
        Object.fromEntries(Object.entries(row).filter(([metric]) => !noise.includes(metric))),
      ),
    );
    expect(without).toEqual(plain.map(withoutTime));
    expect(metricsOf(training)).toEqual(expect.arrayContaining(noise));
    expect(metricsOf({ ...training, gradientNoise: false })).not.toContain("gradientSquare");
    for (const metric of noise) expect(betterSide(metric)).toBeUndefined();
  });

  test("go on from a checkpoint bit for bit", async () => {
    const training = await classifying(momentum({ lr: [0.1, 0.2] }), asked);
    const snapshots: LoopSnapshot[] = [];
    const whole = await train(training, backends[0], {
      checkpoints: { every: { steps: 1 }, save: (snapshot) => snapshots.push(snapshot) },
    });
    const rest = await train(training, backends[0], { from: { snapshot: snapshots[0], source: "a test" } });
    expect(snapshots[0].step).toBe(1);
    const at3 = (rows: Parameters<typeof withoutTime>[0]) =>
      withoutTime(rows.filter(({ step }) => step === 3));
    expect(at3(rest.rows[1])).toEqual(at3(whole.rows[1]));
    expect(at3(rest.rows[1])[0]).toHaveProperty("gradientVariance");
  });
});

describe("trainings that can't tell their noise are refused", () => {
  const remedy =
    "; expected batches that are drawn from the training data, and a microBatch of at most half of one, or several ranks.";
  const mistakes: [string, () => LaneTraining | Promise<LaneTraining>, string][] = [
    [
      "without data",
      () => descent([0.01], { gradientNoise: true }),
      `the problem "linear-regression" has no data${remedy}`,
    ],
    [
      "whole batches of one rank",
      () => classifying(sgd(), { ...asked, microBatch: 36 }),
      `one rank takes the batches of 36 examples whole${remedy}`,
    ],
    [
      "all of the data",
      () => classifying(sgd(), { ...asked, batchSize: "full" }),
      `each batch is all of the 90 training examples${remedy}`,
    ],
    [
      "batches as large as the data",
      () => classifying(sgd(), { ...asked, batchSize: 96 }),
      `each batch is all of the 90 training examples${remedy}`,
    ],
  ];
  test.each(mistakes)("%s", async (_, make, message) => {
    await expect(train(await make(), backends[0])).rejects.toThrow(
      `training: gradientNoise compares the parts of a batch, and ${message}`,
    );
  });
});
