/** Batch normalisation over the batch of all ranks: they train what one rank trains with whole batches. */
import { afterAll, describe, expect, test } from "vitest";
import { cpuBackend } from "../../src/backends/cpu/index.js";
import { referenceBackend } from "../../src/backends/reference/index.js";
import { planProgram } from "../../src/compile/planProgram.js";
import type { Program } from "../../src/compile/program.js";
import * as g from "../../src/graph/index.js";
import { ema, swa } from "../../src/learn/averages/index.js";
import { sourceOf } from "../../src/learn/datasets/dataset.js";
import { classification } from "../../src/learn/datasets/index.js";
import { activation, batchNorm, dense } from "../../src/learn/layers/index.js";
import { convNet, layersModel, type Model, resnet } from "../../src/learn/models/index.js";
import { adam, momentum, type OptimizerChoice } from "../../src/learn/optimizers/index.js";
import { classificationProblem } from "../../src/learn/problems/index.js";
import { type LaneTraining, laneProgram, stepEntry } from "../../src/train/index.js";
import { grad } from "../../src/transform/index.js";
import { classifying, greatestDifference, train } from "./support.js";
import { largestDifference, type TrainedValues, trainedValues } from "./values.js";

const backends = [1, 2, 3].map((ranks) => cpuBackend({ ranks }));
afterAll(async () => {
  await Promise.all(backends.map((backend) => backend.close()));
});

const normalised = (synchronized: boolean): Model =>
  layersModel({
    name: "normalised",
    layers: (outputs) => [
      dense(12, { bias: "none" }),
      batchNorm({ synchronized, momentum: 0.75 }),
      activation("tanh"),
      dense(7, { bias: "none" }),
      batchNorm({ synchronized }),
      dense(outputs),
    ],
  });

async function vectors(
  choice: OptimizerChoice,
  { model = normalised(true), ...changes }: Partial<LaneTraining> & { readonly model?: Model } = {},
): Promise<LaneTraining> {
  const training = await classifying(choice, changes);
  return { ...training, problem: classificationProblem({ dataset: training.problem.dataset!, model }) };
}

/** 8 x 8 images of noise with a bar at a place that tells the class. */
async function images(model: Model, changes: Partial<LaneTraining> = {}): Promise<LaneTraining> {
  const count = 110;
  const data = new Uint8Array(count * 64);
  for (let n = 0; n < count; n++)
    for (let i = 0; i < 64; i++) data[n * 64 + i] = i % 8 === 2 * (n % 4) ? 200 : (n * 31 + i * 17) % 90;
  const dataset = classification({
    name: "bars",
    inputs: { shape: [count, 8, 8, 1], dtype: "uint8", data },
    targets: Uint8Array.from({ length: count }, (_, n) => n % 4),
    classes: 4,
    scale: 1 / 255,
    split: { validation: 20 },
  });
  return {
    ...(await classifying(momentum({ lr: 0.05 }), { dataset, steps: 6, ...changes })),
    problem: classificationProblem({ dataset: sourceOf(dataset), model }),
  };
}

const trained = (training: LaneTraining, ranks: number): TrainedValues =>
  trainedValues(training, backends[ranks - 1]);

const bounds = { float32: 1e-4, float64: 1e-11 } as const;

describe.each(["float32", "float64"] as const)("parameters and running statistics, %s", (dtype) => {
  test.each<[string, () => Promise<LaneTraining>]>([
    ["two lanes of a perceptron", () => vectors(momentum({ lr: [0.05, 0.1] }), { dtype, steps: 12 })],
    [
      "Adam and an average",
      () => vectors(adam({ lr: 1e-2, eps: 1e-2, average: ema({ decay: 0.9 }) }), { dtype, steps: 12 }),
    ],
    ["a short last batch", () => vectors(momentum({ lr: 0.05 }), { dtype, steps: 12, batchSize: 36 })],
    [
      "a last batch without examples for the last rank",
      () => vectors(momentum({ lr: 0.05 }), { dtype, steps: 12, batchSize: 42 }),
    ],
    ["the whole split", () => vectors(momentum({ lr: 0.05 }), { dtype, steps: 12, batchSize: "full" })],
    ["a residual network", () => images(resnet({ width: 2, batchNorm: { synchronized: true } }), { dtype })],
    [
      "a convolutional network",
      () =>
        images(convNet({ filters: [2, 3], hidden: 6, dropout: 0.3, batchNorm: { synchronized: true } }), {
          dtype,
        }),
    ],
  ])("%s: 2 and 3 ranks against 1", async (_, make) => {
    const training = await make();
    const expected = trained(training, 1);
    expect([...expected.keys()].some((name) => name.startsWith("state/"))).toBe(true);
    for (const ranks of [2, 3])
      expect(largestDifference(expected, trained(training, ranks))).toBeLessThanOrEqual(bounds[dtype]);
  });
});

test("without it ranks train something else", async () => {
  const training = await vectors(momentum({ lr: 0.05 }), {
    model: normalised(false),
    dtype: "float64",
    steps: 12,
  });
  expect(largestDifference(trained(training, 1), trained(training, 2))).toBeGreaterThan(1e-3);
});

test("one rank compiles to the same with it and without", async () => {
  const [asked, plain] = await Promise.all(
    [true, false].map(async (synchronized) => {
      const training = await vectors(momentum({ lr: 0.05 }), { model: normalised(synchronized) });
      return planProgram(laneProgram(training, 1).program).entries[stepEntry];
    }),
  );
  expect(asked).toEqual(plain);
});

test("rows of two ranks are those of the reference backend", async () => {
  const training = await vectors(momentum({ lr: 0.05 }), { dtype: "float64", steps: 6 });
  const [expected, received] = await Promise.all(
    [referenceBackend(), backends[1]].map((backend) => train(training, backend)),
  );
  expect(expected.rows[0].some((row) => "validationLoss" in row)).toBe(true);
  expect(greatestDifference(expected.rows[0], received.rows[0])).toBeLessThanOrEqual(1e-11);
});

test("statistics that are taken anew for an average of iterates are of whole batches too", async () => {
  const choice = momentum({ lr: 0.05, average: swa({ from: 0.2, every: 1 }) });
  const training = await vectors(choice, { dtype: "float64", batchSize: 42, steps: 9 });
  const [expected, received] = await Promise.all(
    [backends[0], backends[1]].map((backend) => train(training, backend)),
  );
  expect(greatestDifference(expected.rows[0], received.rows[0])).toBeLessThanOrEqual(1e-11);
});

test("gradients on two ranks are those of finite differences", () => {
  const [rows, channels] = [6, 3];
  const built = batchNorm({ synchronized: true }).build([2, channels]);
  const type = { x: [rows, 2, channels], scale: [channels], shift: [channels] } as const;
  const variables = Object.fromEntries(
    Object.entries(type).map(([name, shape]) => [name, g.variable(name, shape, "float64")]),
  );
  const { x, scale, shift } = variables;
  const own = g.add(g.iota([rows / 2]), g.mul(g.rank(), rows / 2));
  const state = { mean: g.zeros([channels], "float64"), variance: g.ones([channels], "float64") };
  const y = built.apply({ scale, shift, ...state }, g.take(x, own), {
    training: true,
    key: g.keyFromSeed(0),
    sumOverRanks: g.allReduceSum,
  });
  // Each example has a weight of its own, so that no gradient vanishes by symmetry.
  const weights = g.reshape(g.cast(g.add(own, 1), "float64"), [rows / 2, 1, 1]);
  const ofRank = g.sum(g.mul(weights, g.add(g.sin(y), g.square(y))));
  const gradients = grad(ofRank, [x, scale, shift]);
  const program: Program = {
    name: "gradients",
    variables,
    entries: {
      look: {
        updates: {},
        traces: {
          loss: g.allReduceSum(ofRank),
          ...Object.fromEntries(Object.keys(type).map((name, i) => [name, g.allReduceSum(gradients[i])])),
        },
      },
    },
    traceCapacity: 1,
    ranks: 2,
  };
  const executable = backends[1].compile(program);
  const values: Record<string, number[]> = {
    x: Array.from({ length: rows * 2 * channels }, (_, i) => Math.sin(3 * i * i + 1) + (i % 3)),
    scale: [1.5, -0.5, 0.8],
    shift: [0.1, 0.2, -0.3],
  };
  const lossAt = (name: string, place: number, change: number): number => {
    executable.write(name, values[name].with(place, values[name][place] + change));
    executable.run("look", 1);
    executable.write(name, values[name]);
    return executable.trace("look", "loss")[0];
  };
  for (const [name, own] of Object.entries(values)) executable.write(name, own);
  executable.run("look", 1);
  const exact = Object.keys(type).map((name) => [name, [...executable.trace("look", name)]] as const);
  const h = 1e-5;
  for (const [name, gradient] of exact) {
    expect(Math.max(...gradient.map(Math.abs))).toBeGreaterThan(0.1);
    gradient.forEach((derivative, place) => {
      expect((lossAt(name, place, h) - lossAt(name, place, -h)) / (2 * h)).toBeCloseTo(derivative, 6);
    });
  }
  executable.release();
});

test("a batch that is taken in parts is refused", async () => {
  const training = await vectors(momentum({ lr: 0.05 }), { microBatch: 10 });
  expect(() => laneProgram(training, 1)).toThrow(
    'training: "batchNorm1.mean" follows from all of a batch, and a batch of 30 examples is taken in parts of 10, one after another; expected whole batches. Leave the micro-batch out, or normalise by parts (batchNorm without synchronized).',
  );
  expect(() => laneProgram({ ...training, microBatch: 30 }, 1)).not.toThrow();
});
