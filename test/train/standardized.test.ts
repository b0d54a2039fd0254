/** Training, predicting and curvature on standardized images: the same as on images that were standardized beforehand. */
import { expect, test } from "vitest";
import { cpuBackend } from "../../src/backends/cpu/index.js";
import { referenceBackend } from "../../src/backends/reference/index.js";
import type { HostTensor } from "../../src/base/shape.js";
import {
  classification,
  type Dataset,
  type Split,
  sourceOf,
  standardizeDataset,
} from "../../src/learn/datasets/index.js";
import { softmaxRegression } from "../../src/learn/models/index.js";
import { sgd } from "../../src/learn/optimizers/index.js";
import { classificationProblem } from "../../src/learn/problems/index.js";
import { hessianOf, splitLoss } from "../../src/theory/index.js";
import { type LaneTraining, predict } from "../../src/train/index.js";
import { greatestDifference, lanesOf, train } from "./support.js";

/** Images of 2 x 2 with 3 channels, of which the second is faint and the third is constant in training. */
const raw = classification({
  name: "tints",
  inputs: Uint8Array.from({ length: 30 * 12 }, (_, i) => {
    const [example, channel] = [Math.floor(i / 12), i % 3];
    if (channel === 2) return example < 20 ? 9 : 10;
    return channel === 0 ? (example * 37 + i * 11) % 256 : 100 + ((example * 5 + i) % 4);
  }),
  targets: Array.from({ length: 30 }, (_, i) => (i * 7) % 3),
  exampleShape: [2, 2, 3],
  scale: 1 / 255,
  split: { train: 20, validation: 10 },
});

const standardized = standardizeDataset(raw, "channel");

/** The same numbers in float64, worked out on the host. */
function beforehand(): Dataset {
  const scale = (standardized.scale as HostTensor).data;
  const offset = (standardized.offset as HostTensor).data;
  const made = (split: Split): Split => {
    const data = Float64Array.from(split.inputs.data, (value, i) => value * scale[i % 3] + offset[i % 3]);
    return { ...split, inputs: { ...split.inputs, dtype: "float64", data } };
  };
  return { ...raw, scale: 1, offset: 0, train: made(raw.train), validation: made(raw.validation!) };
}

const problem = classificationProblem({ dataset: sourceOf(raw), model: softmaxRegression() });

const training = (dataset: Dataset): LaneTraining => {
  const choice = sgd({ lr: [0.1, 0.5] });
  return {
    problem,
    dataset,
    choice,
    lanes: lanesOf(choice),
    seed: 2,
    batchSize: 8,
    steps: 30,
    shuffle: true,
    dtype: "float64",
    evaluate: ["validation"],
    evaluateEvery: 3,
    recordEvery: 1,
    recordParameters: false,
  };
};

test.each([
  ["reference", referenceBackend],
  ["cpu", cpuBackend],
] as const)("%s: the rows of two lanes and their parameters", async (_, backend) => {
  const inside = await train(training(standardized), backend());
  const outside = await train(training(beforehand()), backend());
  for (const lane of [0, 1]) {
    expect(greatestDifference(outside.rows[lane], inside.rows[lane])).toBeLessThan(1e-11);
    for (const [name, values] of Object.entries(outside.outcomes[lane].parameters!))
      expect(inside.outcomes[lane].parameters![name]).toEqual(
        values.map((value) => expect.closeTo(value, 10)),
      );
  }
});

test("predictions, the gradient and the Hessian's products", () => {
  const weights = Float64Array.from({ length: 36 }, (_, i) => Math.sin(i));
  const bias = Float64Array.of(0.1, -0.2, 0.3);
  const [W, b] = Object.keys(problem.build(raw).parameters);
  const values = {
    [W]: { shape: [3, 12], dtype: "float64", data: weights } as const,
    [b]: { shape: [3], dtype: "float64", data: bias } as const,
  };
  const answers = (dataset: Dataset) => {
    const backend = referenceBackend();
    const predictions = predict({ problem, dataset, split: "validation", values, backend });
    const loss = splitLoss({ problem, dataset, backend, dtype: "float64", partSize: 8 });
    const { gradient } = loss.objective(Float64Array.of(...weights, ...bias));
    loss.release();
    const hessian = hessianOf({ problem, dataset, parameters: { [W]: weights, [b]: bias } });
    const product = hessian.product(Float64Array.from({ length: 39 }, (_, i) => Math.cos(i)));
    return { predictions, numbers: [...gradient, hessian.loss, ...product] };
  };
  const [inside, outside] = [answers(standardized), answers(beforehand())];
  expect(inside.predictions.classes).toEqual(outside.predictions.classes);
  expect(inside.numbers).toEqual(outside.numbers.map((value) => expect.closeTo(value, 10)));
});
