/** The power of the certificate: small mistakes are found with room to spare, and as much is left to honest trainings. */
import { afterAll, describe, expect, test } from "vitest";
import { cpuBackend } from "../../src/backends/cpu/index.js";
import type { Backend } from "../../src/compile/backend.js";
import { certify } from "../../src/lab/certificate.js";
import { type Study, study } from "../../src/lab/index.js";
import { nearness } from "../../src/lab/parity.js";
import { blobs, classification, sourceOf } from "../../src/learn/datasets/index.js";
import {
  activation,
  batchNorm,
  convolution,
  dense,
  dropout,
  flatten,
  type Layer,
  maxPool,
} from "../../src/learn/layers/index.js";
import { layersModel } from "../../src/learn/models/index.js";
import { adam, momentum, type OptimizerChoice, sgd } from "../../src/learn/optimizers/index.js";
import { classificationProblem, type Problem } from "../../src/learn/problems/index.js";
import {
  masksByRank,
  meanOfMeans,
  offRate,
  othersExamples,
  ownStatistics,
  scaledGradient,
} from "../support/plantedMistakes.js";

const two = cpuBackend({ ranks: 2 });
afterAll(() => two.close());

/** Whether what the certificate finds is this many times what it allows, or what it allows this many times what it finds. */
const margin = 4;

const points = blobs({ classes: 4, count: 400 });
const pictures = sourceOf(
  classification({
    name: "pictures",
    inputs: Array.from({ length: 320 }, (_, i) =>
      Array.from({ length: 64 }, (_, place) => [
        Math.sin(i * 64 + place) +
          ((place >> 2) % 2 === i % 2 ? 0.5 : 0) +
          (place >> 5 === (i % 4) >> 1 ? 0.5 : 0),
      ]),
    ).map((pixels) => Array.from({ length: 8 }, (_, row) => pixels.slice(8 * row, 8 * row + 8))),
    targets: Array.from({ length: 320 }, (_, i) => i % 4),
  }),
);

const convolutions = (norm: () => readonly Layer[]): Layer[] =>
  [4, 8].flatMap((filters) => [
    convolution(filters, { kernel: 3, padding: "same" }),
    ...norm(),
    activation("relu"),
    maxPool(2),
  ]);
const normalization = (): Layer[] => [batchNorm({ synchronized: true })];
const hidden = (units: number): Layer[] => [dense(units), activation("relu")];

const models = {
  linear: [points, (outputs: number) => [dense(outputs)]],
  perceptron: [points, (outputs: number) => [...hidden(32), ...hidden(16), dense(outputs)]],
  dropout: [points, (outputs: number) => [...hidden(48), dropout(0.3), dense(outputs)]],
  normalized: [
    points,
    (outputs: number) => [dense(16), ...normalization(), activation("relu"), dense(outputs)],
  ],
  convolutional: [pictures, (outputs: number) => [...convolutions(() => []), flatten(), dense(outputs)]],
  "convolutional, normalized": [
    pictures,
    (outputs: number) => [...convolutions(normalization), flatten(), dropout(0.3), dense(outputs)],
  ],
} as const;
type ModelName = keyof typeof models;

const optimizers = {
  SGD: sgd({ lr: 0.1 }),
  momentum: momentum({ lr: 0.02, momentum: 0.9 }),
  Adam: adam({ lr: 1e-2 }),
} as const;

interface Asked {
  readonly seed?: number;
  readonly batchSize?: number;
  readonly optimizer?: OptimizerChoice;
}

function trained(
  model: ModelName,
  { seed = 0, batchSize = 40, optimizer = optimizers.Adam }: Asked = {},
): Study {
  const [dataset, layers] = models[model];
  return study({
    name: "planted",
    problem: classificationProblem({ dataset, model: layersModel({ name: model, layers }) }),
    optimizers: [optimizer],
    seeds: [seed],
    epochs: 20,
    batchSize,
  });
}

/** How far what is nearest to its bound is from it: 1 at the bound, more where a mistake is found. */
async function found(asked: Study, backend: Backend = two): Promise<number> {
  const { quantities, verdict } = await certify(asked, { backend, steps: 20 });
  const most = nearness(quantities[0]);
  expect(verdict).toBe(most > 1 ? "failed" : "passed");
  return most;
}

const planted = (asked: Study, mistake: (problem: Problem) => Problem): Promise<number> =>
  found({ ...asked, problem: mistake(asked.problem) });

describe.each(Object.keys(models) as ModelName[])("%s", (model) => {
  test.each(Object.entries(optimizers))(
    "%s: honest ranks pass, a gradient off by a thousandth and a rate off by a ten-thousandth do not",
    async (_, optimizer) => {
      for (const seed of [0, 1]) {
        expect(await found(trained(model, { seed, optimizer }))).toBeLessThan(1 / margin);
      }
      const asked = trained(model, { optimizer });
      expect(await planted(asked, scaledGradient(1e-3))).toBeGreaterThan(margin);
      expect(await found(asked, offRate(two, 1e-4))).toBeGreaterThan(margin);
    },
    60_000,
  );

  test("a rank that sees the examples of another does not pass", async () => {
    expect(await planted(trained(model), othersExamples)).toBeGreaterThan(1000);
  });

  test("nor does the mean over parts that a short last batch leaves unequal", async () => {
    const short = trained(model, { batchSize: 44 });
    expect(await found(short)).toBeLessThan(1 / margin);
    expect(await planted(short, meanOfMeans)).toBeGreaterThan(margin);
  });
});

test.each<ModelName>(["dropout", "convolutional, normalized"])(
  "%s: masks by rank in place of by example do not pass",
  async (model) => {
    expect(await planted(trained(model), masksByRank)).toBeGreaterThan(1000);
  },
);

test.each<ModelName>(["normalized", "convolutional, normalized"])(
  "%s: statistics that are not synchronized do not pass",
  async (model) => {
    expect(await planted(trained(model), ownStatistics)).toBeGreaterThan(1000);
  },
);
