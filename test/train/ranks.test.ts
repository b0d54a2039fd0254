/** A batch divided among ranks trains what one rank trains, up to rounding. */
import { afterAll, describe, expect, test } from "vitest";
import { cpuBackend } from "../../src/backends/cpu/index.js";
import type { Plan } from "../../src/compile/plan.js";
import { planProgram } from "../../src/compile/planProgram.js";
import { ema } from "../../src/learn/averages/index.js";
import { batchNorm, dense } from "../../src/learn/layers/index.js";
import { layersModel, perceptron } from "../../src/learn/models/index.js";
import { adam, lamb, momentum, type OptimizerChoice } from "../../src/learn/optimizers/index.js";
import { classificationProblem } from "../../src/learn/problems/index.js";
import { type LaneTraining, laneProgram, stepEntry } from "../../src/train/index.js";
import { classifying, train } from "./support.js";
import { largestDifference, type TrainedValues, trainedValues } from "./values.js";

const backends = [1, 2, 3].map((ranks) => cpuBackend({ ranks }));
afterAll(async () => {
  await Promise.all(backends.map((backend) => backend.close()));
});

/** A perceptron large enough that its weights are shared among ranks, with dropout. */
async function dropping(choice: OptimizerChoice, changes: Partial<LaneTraining> = {}): Promise<LaneTraining> {
  const training = await classifying(choice, changes);
  const model = perceptron({ hidden: [900], dropout: 0.3 });
  return { ...training, problem: classificationProblem({ dataset: training.problem.dataset!, model }) };
}

const trained = (training: LaneTraining, ranks: number): TrainedValues =>
  trainedValues(training, backends[ranks - 1]);

const bounds = { float32: 1e-5, float64: 1e-12 } as const;

describe.each(["float32", "float64"] as const)("%s", (dtype) => {
  test.each<[string, () => Promise<LaneTraining>]>([
    ["softmax regression, momentum", () => classifying(momentum({ lr: [0.1, 0.2] }), { dtype, steps: 30 })],
    ["dropout, Adam", () => dropping(adam({ lr: 1e-3, eps: 1e-3 }), { dtype, steps: 30 })],
    ["dropout, LAMB", () => dropping(lamb({ lr: 1e-2, eps: 1e-3 }), { dtype, steps: 30 })],
    [
      "dropout, clipped gradients",
      () => dropping(momentum({ lr: 0.05, clipNorm: 0.5 }), { dtype, steps: 30 }),
    ],
    ["a short last batch", () => dropping(momentum({ lr: 0.05 }), { dtype, steps: 30, batchSize: 42 })],
    [
      "dropout, an average",
      () => dropping(momentum({ lr: 0.05, average: ema({ decay: 0.9 }) }), { dtype, steps: 30 }),
    ],
    ["the whole split", () => classifying(momentum({ lr: 0.1 }), { dtype, steps: 30, batchSize: "full" })],
  ])("%s: 2 and 3 ranks against 1", async (_, make) => {
    const training = await make();
    const expected = trained(training, 1);
    for (const ranks of [2, 3]) {
      expect(largestDifference(expected, trained(training, ranks))).toBeLessThanOrEqual(bounds[dtype]);
    }
  });
});

test("two runs on two ranks agree bit for bit", async () => {
  const training = await dropping(adam());
  expect(trained(training, 2)).toEqual(trained(training, 2));
});

test("rows of a training: losses and evaluations up to rounding", async () => {
  const training = await dropping(momentum({ lr: 0.05 }), { dtype: "float64", batchSize: 42, steps: 9 });
  const [expected, received] = await Promise.all(
    [backends[0], backends[2]].map((one) => train(training, one)),
  );
  expect(received.rows[0].length).toBe(expected.rows[0].length);
  expected.rows[0].forEach((row, i) => {
    const other = received.rows[0][i];
    expect(Object.keys(other)).toEqual(Object.keys(row));
    for (const [name, value] of Object.entries(row)) {
      if (name === "timeS") continue;
      expect(Math.abs(other[name] - value)).toBeLessThanOrEqual(1e-12 * Math.max(1, Math.abs(value)));
    }
  });
});

test("a batch that ranks can't divide is refused with the next that they can", async () => {
  const training = await classifying(momentum(), { batchSize: 31 });
  expect(() => laneProgram(training, 1, 2)).toThrow(
    "training: a batch of 31 examples on 2 ranks; expected a multiple of 2, such as 30 or 32. Take another batch size, or other ranks.",
  );
});

test("batch statistics of a rank without examples are refused", async () => {
  const training = await classifying(momentum(), { batchSize: 42 });
  const model = layersModel({
    name: "normalised",
    layers: (outputs) => [dense(8), batchNorm(), dense(outputs)],
  });
  const normalised = {
    ...training,
    problem: classificationProblem({ dataset: training.problem.dataset!, model }),
  };
  expect(() => laneProgram(normalised, 1, 2)).toThrow(
    /the last batch has 6 examples of 42, which leaves one of 2 ranks without any/,
  );
  expect(() => laneProgram({ ...normalised, batchSize: 30 }, 1, 2)).not.toThrow();
});

describe("barriers", () => {
  const barriers = (plan: Plan, entry: string): number =>
    plan.entries[entry].kernels.filter(({ kind }) => kind === "barrier").length;

  test.each([
    ["Adam", adam()],
    ["momentum", momentum()],
  ])("a step of a perceptron by %s has two", async (_, choice) => {
    const training = await dropping(choice);
    const plan = planProgram(laneProgram(training, 1, 2).program, { check: true });
    expect(barriers(plan, stepEntry)).toBe(2);
    const alone = planProgram(laneProgram(training, 1).program, { check: true });
    expect(barriers(alone, stepEntry)).toBe(0);
  });
});
