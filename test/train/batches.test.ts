/** Which examples a step sees, and what it makes of them, against plain loops. */
import { describe, expect, test } from "vitest";
import { cpuBackend } from "../../src/backends/cpu/index.js";
import { referenceBackend } from "../../src/backends/reference/index.js";
import { type Dataset, sourceOf } from "../../src/learn/datasets/dataset.js";
import { regression } from "../../src/learn/datasets/index.js";
import { softmaxRegression } from "../../src/learn/models/index.js";
import { momentum, sgd } from "../../src/learn/optimizers/index.js";
import { regressionProblem } from "../../src/learn/problems/index.js";
import type { LaneTraining } from "../../src/train/index.js";
import { classifying, train } from "./support.js";

const backends = [
  ["reference", referenceBackend],
  ["cpu", cpuBackend],
] as const;

/** A loss whose gradient betrays the examples of a batch: y is 2^i, so a sum of targets names every summand. */
function telltale(count: number): Dataset {
  const powers = Array.from({ length: count }, (_, i) => 2 ** i);
  return regression({
    name: "powers",
    inputs: powers.map(() => [0]),
    targets: powers.map((power) => [power]),
    dtype: "float64",
  });
}

/** Numbers of the examples of every step: with W = 0 fixed by inputs 0 and the rate 0, the loss is sum 4^i. */
async function examplesSeen(
  backend: (typeof backends)[number][1],
  changes: Partial<LaneTraining>,
  count = 10,
): Promise<number[][]> {
  const dataset = telltale(count);
  const { rows } = await train(
    {
      ...(await classifying(sgd({ lr: [0, 0] }))),
      dataset,
      problem: regressionProblem({
        dataset: sourceOf(dataset),
        model: softmaxRegression(),
        reduction: "sum",
      }),
      lanes: [{ lr: 0, weightDecay: 0 }],
      dtype: "float64",
      evaluate: [],
      // The row of an evaluation takes the place of the step's own, so it comes once, at the end.
      evaluateEvery: 1000,
      ...changes,
    },
    backend(),
  );
  return rows[0].flatMap(({ batchLoss }) => (batchLoss === undefined ? [] : [digitsBase4(batchLoss)]));
}

/** The places of ones in base 4; a place twice would give a digit other than 0 and 1. */
function digitsBase4(value: number): number[] {
  const places: number[] = [];
  for (let place = 0, rest = value; rest > 0; place++, rest = Math.floor(rest / 4)) {
    if (rest % 4 > 1) throw new Error(`an example is in a batch ${rest % 4} times`);
    if (rest % 4 === 1) places.push(place);
  }
  return places;
}

const ascending = (numbers: readonly number[]): number[] => [...numbers].sort((a, b) => a - b);
const firstTen = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9];

describe.each(backends)("%s", (_, backend) => {
  test("without shuffling batches come in the data's order, the last one short", async () => {
    const epoch = [
      [0, 1, 2, 3],
      [4, 5, 6, 7],
      [8, 9],
    ];
    const seen = await examplesSeen(backend, { batchSize: 4, shuffle: false, steps: 6 });
    expect(seen).toEqual([...epoch, ...epoch]);
  });

  test("shuffled, every epoch is another permutation that holds each example once", async () => {
    const seen = await examplesSeen(backend, { batchSize: 4, shuffle: true, steps: 12 });
    const epochs = [0, 1, 2, 3].map((epoch) => seen.slice(3 * epoch, 3 * epoch + 3));
    for (const epoch of epochs) {
      expect(epoch.map(({ length }) => length)).toEqual([4, 4, 2]);
      expect(ascending(epoch.flat())).toEqual(firstTen);
    }
    expect(new Set(epochs.map((epoch) => JSON.stringify(epoch))).size).toBe(4);
  });

  test("the order is the seed's", async () => {
    const order = (seed: number) => examplesSeen(backend, { batchSize: 5, seed, steps: 4 });
    expect(await order(1)).toEqual(await order(1));
    expect(await order(1)).not.toEqual(await order(2));
  });

  test("a batch larger than the data is all of them", async () => {
    const seen = await examplesSeen(backend, { batchSize: 100, steps: 2 });
    expect(seen.map(ascending)).toEqual([firstTen, firstTen]);
  });
});

test("both backends draw the same order", async () => {
  const [a, b] = await Promise.all(
    [referenceBackend, cpuBackend].map((backend) => examplesSeen(backend, { batchSize: 3, steps: 12 })),
  );
  expect(a).toEqual(b);
});

/** Softmax regression with heavy ball in plain loops: losses of the steps, and the final means over a split. */
function plainTraining(
  dataset: Dataset,
  options: { lr: number; momentum: number; batches: readonly (readonly number[])[] },
) {
  const classes = dataset.classes!;
  const [size] = dataset.exampleShape;
  const weights = new Float64Array(size * classes);
  const biases = new Float64Array(classes);
  const velocity = new Float64Array((size + 1) * classes);
  const forward = (split: "train" | "validation", n: number) => {
    const { inputs, targets } = dataset[split]!;
    const x = [...inputs.data.subarray(n * size, (n + 1) * size)];
    const logits = Array.from(biases, (bias, c) =>
      x.reduce((sum, value, i) => sum + value * weights[i * classes + c], bias),
    );
    const greatest = Math.max(...logits);
    const total = logits.reduce((sum, logit) => sum + Math.exp(logit - greatest), 0);
    const probabilities = logits.map((logit) => Math.exp(logit - greatest) / total);
    const label = targets.data[n];
    return { x, label, probabilities, loss: -Math.log(probabilities[label]) };
  };
  const losses = options.batches.map((batch) => {
    let loss = 0;
    const gradient = new Float64Array(velocity.length);
    for (const n of batch) {
      const example = forward("train", n);
      loss += example.loss / batch.length;
      for (let c = 0; c < classes; c++) {
        const error = (example.probabilities[c] - Number(c === example.label)) / batch.length;
        example.x.forEach((value, i) => {
          gradient[i * classes + c] += value * error;
        });
        gradient[size * classes + c] += error;
      }
    }
    gradient.forEach((g, i) => {
      velocity[i] = options.momentum * velocity[i] + g;
      if (i < weights.length) weights[i] -= options.lr * velocity[i];
      else biases[i - weights.length] -= options.lr * velocity[i];
    });
    return loss;
  });
  const validation = Array.from({ length: dataset.validation!.count }, (_, n) => forward("validation", n));
  return {
    losses,
    validationLoss: validation.reduce((sum, { loss }) => sum + loss, 0) / validation.length,
    validationAccuracy:
      validation.filter(
        ({ probabilities, label }) => probabilities.indexOf(Math.max(...probabilities)) === label,
      ).length / validation.length,
  };
}

describe("against plain loops", () => {
  const choice = momentum({ lr: 0.05, momentum: 0.6 });
  const lanes = [{ lr: 0.05, momentum: 0.6, weightDecay: 0 }];

  test.each([
    ["a short last batch", 28 as const],
    ["batches that divide the data", 30 as const],
    ["the full batch", "full" as const],
  ])("%s", async (_, batchSize) => {
    const training = await classifying(choice, {
      lanes,
      batchSize,
      shuffle: false,
      steps: 11,
      evaluateEvery: 11,
      dtype: "float64",
    });
    const { count } = training.dataset.train;
    const size = batchSize === "full" ? count : batchSize;
    const perEpoch = Math.ceil(count / size);
    const batches = Array.from({ length: 11 }, (_, step) => {
      const from = (step % perEpoch) * size;
      return Array.from({ length: Math.min(size, count - from) }, (_, i) => from + i);
    });
    const plain = plainTraining(training.dataset, { lr: 0.05, momentum: 0.6, batches });
    for (const [, backend] of backends) {
      const { rows } = await train(training, backend());
      const metric = batchSize === "full" ? "trainLoss" : "batchLoss";
      const losses = rows[0].slice(0, 11).map((row) => row[metric]);
      losses.forEach((loss, step) => {
        expect(loss).toBeCloseTo(plain.losses[step], 12);
      });
      const last = rows[0].at(-1)!;
      expect(last.validationLoss).toBeCloseTo(plain.validationLoss, 12);
      expect(last.validationAccuracy).toBe(plain.validationAccuracy);
      if (batchSize !== "full")
        expect(last.trainLoss).toBeCloseTo(plain.losses.reduce((sum, loss) => sum + loss, 0) / 11, 12);
    }
  });
});

test("evaluation counts every example once where its batches do not divide the split", async () => {
  // 1,021 is prime: two batches of 1,000 places, of which 979 are beyond the end.
  const count = 1021;
  const examples = (from: number) => Array.from({ length: count }, (_, i) => [Math.sin(from + i)]);
  const dataset: Dataset = {
    ...regression({ name: "waves", inputs: examples(0), targets: examples(1), dtype: "float64" }),
    validation: regression({ name: "waves", inputs: examples(5), targets: examples(7), dtype: "float64" })
      .train,
  };
  const training: LaneTraining = {
    ...(await classifying(sgd({ lr: 0 }))),
    dataset,
    problem: regressionProblem({ dataset: sourceOf(dataset), model: softmaxRegression() }),
    dtype: "float64",
    steps: 1,
    evaluateEvery: 1,
  };
  const expected = examples(7).reduce((sum, [y]) => sum + y * y, 0) / count;
  for (const [, backend] of backends) {
    const { rows } = await train(training, backend());
    expect(rows[0].at(-1)!.validationLoss).toBeCloseTo(expected, 12);
  }
});
