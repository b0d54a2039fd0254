/** Trainings as users start them, by emitted CUDA C on the CPU: the curves of reference. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { sourceOf } from "../../../../src/learn/datasets/dataset.js";
import { classification } from "../../../../src/learn/datasets/index.js";
import { convNet, type Model, perceptron, resnet } from "../../../../src/learn/models/index.js";
import { adam, lamb, type OptimizerChoice, sgd } from "../../../../src/learn/optimizers/index.js";
import { classificationProblem } from "../../../../src/learn/problems/index.js";
import type { LaneTraining } from "../../../../src/train/index.js";
import { integersFrom } from "../../../support/numbers.js";
import { greatestDifference, lanesOf, train } from "../../../train/support.js";
import { Emulation, missingCompiler } from "./emulation.js";
import { checkProgram } from "./structure.js";

/** Images of noise in which one brighter row tells the class. */
function rows() {
  const [count, side, classes] = [30, 8, 4];
  const next = integersFrom(3);
  const targets = Uint8Array.from({ length: count }, (_, n) => n % classes);
  const data = Uint8Array.from({ length: count * side * side }, (_, i) => {
    const [image, row] = [Math.floor(i / (side * side)), Math.floor(i / side) % side];
    return (next() % 60) + (row === 2 * targets[image] ? 150 : 0);
  });
  const inputs = { shape: [count, side, side, 1], dtype: "uint8" as const, data };
  return classification({ name: "rows", inputs, targets, classes, scale: 1 / 255 });
}

function training(model: Model, choice: OptimizerChoice, changes: Partial<LaneTraining> = {}): LaneTraining {
  const dataset = rows();
  return {
    problem: classificationProblem({ dataset: sourceOf(dataset), model }),
    dataset,
    choice,
    lanes: lanesOf(choice),
    seed: 1,
    // The last batch of an epoch is short.
    batchSize: 12,
    steps: 6,
    shuffle: true,
    dtype: "float32",
    evaluate: [],
    evaluateEvery: 6,
    recordEvery: 1,
    recordParameters: false,
    ...changes,
  };
}

/** Each with the difference that rounding may make in its metrics. */
const trainings: readonly (readonly [string, LaneTraining, number])[] = [
  [
    "a perceptron by lanes of sgd",
    training(perceptron({ hidden: [20] }), sgd({ lr: [0.1, 0.01, 0.5] })),
    1e-4,
  ],
  [
    "a convolutional network with batch normalisation and dropout by lanes of Adam",
    training(
      convNet({ filters: [4, 4], hidden: 16, dropout: 0.2, initializer: "he", batchNorm: true }),
      adam({ lr: [1e-2, 1e-3] }),
      { dtype: "float64" },
    ),
    1e-7,
  ],
  [
    "a residual network by LAMB",
    training(resnet({ width: 4 }), lamb(), { steps: 3, dtype: "float64" }),
    1e-7,
  ],
];

const missing = missingCompiler();

describe.skipIf(missing)(`trainings by emitted CUDA C on the CPU${missing ? `: ${missing}` : ""}`, () => {
  const emulation = new Emulation(checkProgram);
  const expected: Awaited<ReturnType<typeof train>>[] = [];
  beforeAll(async () => {
    for (const [, one] of trainings) expected.push(await train(one, emulation.collecting()));
    await emulation.compile();
  }, 600_000);
  afterAll(() => emulation.release());

  test.each(trainings.map(([name, one, tolerance], i) => [name, one, tolerance, i] as const))(
    "%s",
    { timeout: 300_000 },
    async (_, one, tolerance, i) => {
      const { rows } = await train(one, emulation.backend());
      // One before the first step, one after each.
      expect(rows.map(({ length }) => length)).toEqual(one.lanes.map(() => one.steps + 1));
      for (const [lane, received] of rows.entries())
        expect(greatestDifference(expected[i].rows[lane], received)).toBeLessThan(tolerance);
    },
  );
});
