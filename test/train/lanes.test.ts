/** A run in a lane is the run alone, on every library and backend; and what happens beside it changes nothing. */
import { describe, expect, test } from "vitest";
import { allGemm } from "../../src/backends/cpu/gemm/index.js";
import { cpuBackend } from "../../src/backends/cpu/index.js";
import { referenceBackend } from "../../src/backends/reference/index.js";
import type { Backend } from "../../src/compile/backend.js";
import { ema, swa } from "../../src/learn/averages/index.js";
import { mnistDataset } from "../../src/learn/datasets/index.js";
import { softmaxRegression } from "../../src/learn/models/index.js";
import { adam, lamb, lars, momentum, type OptimizerChoice, sgd } from "../../src/learn/optimizers/index.js";
import { classificationProblem } from "../../src/learn/problems/index.js";
import type { LaneTraining } from "../../src/train/index.js";
import { classifying, descent, greatestDifference, train, withoutTime } from "./support.js";

/** Updates of which each element follows from those at its place. */
const elementwise: readonly OptimizerChoice[] = [
  sgd({ lr: [0.01, 0.1, 0.5] }),
  momentum({ lr: [0.01, 0.1], momentum: [0.5, 0.9] }),
  adam({ lr: [1e-3, 1e-2, 1e-1] }),
  momentum({ lr: [0.05, 0.1, 0.2], average: ema({ decay: 0.9 }) }),
  sgd({ lr: [0.1, 0.2, 0.5], average: swa({ from: 0.2 }) }),
];

/** Updates by the norms of whole tensors. */
const layerwise: readonly OptimizerChoice[] = [
  lars({ lr: [0.1, 0.5], trustCoefficient: 0.1, weightDecay: 1e-3, minimumAxes: [0, 2] }),
  lamb({ lr: [0.01, 0.1], weightDecay: [0, 0.1] }),
];

const nameOf = ({ optimizer, average }: OptimizerChoice): string =>
  average ? `${optimizer.id}, ${average.title}` : optimizer.id;

/** Each lane's curve against that of a training with this lane alone. */
async function expectLanesAlone(training: LaneTraining, backend: Backend, tolerance: number): Promise<void> {
  const together = await train(training, backend);
  for (const [i, lane] of training.lanes.entries()) {
    const alone = await train({ ...training, lanes: [lane] }, backend);
    const difference = greatestDifference(alone.rows[0], together.rows[i]);
    expect(difference, `lane ${i}`).toBeLessThanOrEqual(tolerance);
    expect(together.outcomes[i].status).toBe(alone.outcomes[0].status);
  }
}

const named = (choices: readonly OptimizerChoice[]) =>
  choices.map((choice) => [nameOf(choice), choice] as const);

describe.each(named([...elementwise, ...layerwise]))("%s", (_, choice) => {
  // A single lane's axis of extent 1 vanishes from loops and products, so sums are added up in another order, as they
  // are by libraries, whose blocking follows the sizes: a few units of float32's last digit over 24 steps.
  test.each(allGemm().libraries)("with $title a lane is the run alone", async ({ name }) => {
    const backend = cpuBackend({ gemm: name });
    await expectLanesAlone(await classifying(choice), backend, 1e-5);
    await expectLanesAlone(await classifying(choice, { hidden: 9 }), backend, 1e-5);
  });

  test("on the reference backend bit for bit", async () => {
    await expectLanesAlone(await classifying(choice, { steps: 6 }), referenceBackend(), 0);
  });

  test("reference and cpu agree over 50 steps in float64", async () => {
    for (const hidden of [undefined, 7]) {
      const training = await classifying(choice, { steps: 50, dtype: "float64", evaluateEvery: 10, hidden });
      const oracle = await train(training, referenceBackend());
      for (const { name } of allGemm().libraries) {
        const compiled = await train(training, cpuBackend({ gemm: name }));
        for (const [i, rows] of oracle.rows.entries())
          expect(greatestDifference(rows, compiled.rows[i]), name).toBeLessThan(1e-10);
      }
    }
  });

  test("on images of MNIST", async () => {
    const source = mnistDataset({ trainCount: 600, validationCount: 200, testCount: 100 });
    const training: LaneTraining = {
      ...(await classifying(choice, { dataset: await source.load() })),
      problem: classificationProblem({ dataset: source, model: softmaxRegression() }),
      batchSize: 100,
      evaluate: ["validation", "test"],
      evaluateEvery: 6,
    };
    await expectLanesAlone(training, cpuBackend({ gemm: "wasm" }), 1e-5);
    await expectLanesAlone(training, cpuBackend(), 1e-5);
    const { rows } = await train(training, cpuBackend());
    for (const lane of rows) expect(lane.at(-1)!.validationAccuracy).toBeGreaterThan(0.3);
  });
});

// Sums over a tensor, which norms are, are added up in an order that follows the number of lanes.
test.each(named(elementwise))(
  "%s: with our own products among fewer lanes it is the same bit for bit",
  async (_, choice) => {
    for (const hidden of [undefined, 9]) {
      const training = await classifying(choice, { hidden });
      const all = await train(training, cpuBackend({ gemm: "wasm" }));
      const two = await train(
        { ...training, lanes: training.lanes.slice(0, 2) },
        cpuBackend({ gemm: "wasm" }),
      );
      for (const i of [0, 1]) expect(withoutTime(two.rows[i])).toEqual(withoutTime(all.rows[i]));
    }
  },
);

describe("lanes that end", () => {
  test("leave the others' curves as they are, bit for bit", async () => {
    const good = [0.01, 0.1, 0.3];
    const rates = [1e38, 0.01, 3e37, 0.1, 1e36, 0.3];
    const training = await classifying(sgd({ lr: rates }), { hidden: 8, steps: 60 });
    const alone = await classifying(sgd({ lr: good }), { hidden: 8, steps: 60 });
    const backend = cpuBackend({ gemm: "wasm" });
    const [mixed, pure] = [await train(training, backend), await train(alone, backend)];
    expect(mixed.outcomes.map(({ status }) => status)).toEqual(
      rates.map((rate) => (good.includes(rate) ? "completed" : "diverged")),
    );
    for (const [i, rate] of good.entries())
      expect(withoutTime(mixed.rows[rates.indexOf(rate)])).toEqual(withoutTime(pure.rows[i]));
  });

  test("keep the state of the others' optimizer", async () => {
    const choice = momentum({ lr: [0.005, 10, 0.01, 20], momentum: 0.9 });
    const lanes = choice.settings.lr.map((lr) => ({ lr, momentum: 0.9, weightDecay: 0 }));
    const training = { ...descent([1]), choice, lanes, steps: 700 };
    const mixed = await train(training, cpuBackend());
    expect(mixed.outcomes.map(({ status }) => status)).toEqual([
      "completed",
      "diverged",
      "completed",
      "diverged",
    ]);
    for (const i of [0, 2]) {
      const alone = await train({ ...training, lanes: [lanes[i]] }, cpuBackend());
      expect(withoutTime(mixed.rows[i])).toEqual(withoutTime(alone.rows[0]));
      expect(mixed.outcomes[i].parameters).toEqual(alone.outcomes[0].parameters);
    }
  });
});
