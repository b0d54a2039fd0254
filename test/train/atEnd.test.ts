/** What is looked at once, when training ends: the test split with the last and with the best parameters. */
import { describe, expect, test } from "vitest";
import { cpuBackend } from "../../src/backends/cpu/index.js";
import { sourceOf } from "../../src/learn/datasets/dataset.js";
import { blobs } from "../../src/learn/datasets/index.js";
import { perceptron } from "../../src/learn/models/index.js";
import { sgd } from "../../src/learn/optimizers/index.js";
import { classificationProblem } from "../../src/learn/problems/index.js";
import type { MetricRow } from "../../src/runs/records.js";
import type { RunOutcome } from "../../src/runs/summary.js";
import { type LaneTraining, type LearnedModel, predict, trainLanes } from "../../src/train/index.js";

const rates = [0.3, 0.02, 1e9];

async function training(changes: Partial<LaneTraining>): Promise<LaneTraining> {
  const source = blobs({ classes: 4, count: 260, separation: 2, split: { validation: 60, test: 80 } });
  const dataset = await source.load();
  return {
    problem: classificationProblem({ dataset: sourceOf(dataset), model: perceptron({ hidden: [7] }) }),
    dataset,
    choice: sgd({ lr: rates }),
    lanes: rates.map((lr) => ({ lr, weightDecay: 0 })),
    seed: 4,
    batchSize: 20,
    steps: 54,
    shuffle: true,
    dtype: "float32",
    evaluate: ["validation"],
    evaluateEvery: 6,
    recordEvery: 0,
    recordParameters: false,
    ...changes,
  };
}

async function run(given: LaneTraining) {
  const rows = given.lanes.map((): MetricRow[] => []);
  const outcomes: RunOutcome[] = [];
  const models: (LearnedModel | undefined)[] = [];
  await trainLanes(given, cpuBackend(), {
    rows: (lane, more) => rows[lane].push(...more),
    finish: (lane, outcome) => {
      outcomes[lane] = outcome;
    },
    model: (lane, model) => {
      models[lane] = model;
    },
  });
  return { rows, outcomes, models };
}

describe("test split at the end", () => {
  test("says what evaluating it each time says at the last and at the best step", async () => {
    const each = await run(await training({ evaluate: ["validation", "test"] }));
    const given = await training({ evaluateAtEnd: ["test"], keepModel: true });
    const once = await run(given);
    for (const lane of [0, 1]) {
      const rows = once.rows[lane];
      expect(rows.slice(0, -1).every((row) => !("testAccuracy" in row))).toBe(true);
      const last = each.rows[lane].at(-1)!;
      expect(rows.at(-1)!.testAccuracy).toBe(last.testAccuracy);
      expect(rows.at(-1)!.testLoss).toBe(last.testLoss);
      const accuracies = each.rows[lane].map((row) => row.validationAccuracy);
      const best = each.rows[lane][accuracies.indexOf(Math.max(...accuracies))];
      const { final } = once.outcomes[lane];
      expect(final).toEqual({
        bestTestLoss: best.testLoss,
        bestTestAccuracy: best.testAccuracy,
        bestStep: best.step,
        bestEpoch: best.epoch,
      });
      const { dataset, problem } = given;
      const model = once.models[lane]!;
      expect([model.step, model.best?.step]).toEqual([54, best.step]);
      const labels = dataset!.test!.targets.data;
      const share = (values: LearnedModel["last"]) => {
        const { classes } = predict({
          problem,
          dataset: dataset!,
          split: "test",
          values,
          backend: cpuBackend(),
        });
        return classes.filter((value, i) => value === labels[i]).length / labels.length;
      };
      expect(share(model.best!.values)).toBeCloseTo(best.testAccuracy, 6);
      expect(share(model.last)).toBeCloseTo(last.testAccuracy, 6);
    }
    // A lane that diverged has made no last step.
    expect(once.outcomes[2].status).toBe("diverged");
    expect(once.models[2]).toBeUndefined();
    expect(once.outcomes[2].final).toBeUndefined();
  });

  test("predictions are classes with their probabilities", async () => {
    const given = await training({ keepModel: true, lanes: [{ lr: 0.3, weightDecay: 0 }] });
    const { models } = await run(given);
    const { classes, probabilities } = predict({
      problem: given.problem,
      dataset: given.dataset!,
      split: "validation",
      values: models[0]!.last,
      backend: cpuBackend(),
    });
    expect(classes).toHaveLength(60);
    expect(new Set(classes).size).toBeGreaterThan(2);
    expect(probabilities.every((p) => p > 0.25 && p <= 1)).toBe(true);
    expect(() =>
      predict({
        problem: given.problem,
        dataset: { ...given.dataset!, test: undefined } as never,
        split: "test",
        values: models[0]!.last,
        backend: cpuBackend(),
      }),
    ).toThrow("has no test split");
  });
});

test("rows hold the accuracy of the training batches since the last row", async () => {
  const given = await training({ trainMetrics: true, lanes: [{ lr: 0.3, weightDecay: 0 }] });
  const { rows } = await run(given);
  const single = await run({ ...given, evaluateEvery: 1 });
  const ofStep = single.rows[0].map((row) => row.trainAccuracy);
  rows[0].forEach((row, i) => {
    const steps = ofStep.slice(6 * i, 6 * i + 6);
    expect(row.trainAccuracy).toBeCloseTo(steps.reduce((a, b) => a + b, 0) / 6, 6);
  });
  // 120 examples in batches of 20: every accuracy is a multiple of 1/20.
  expect(ofStep.every((value) => Math.abs(20 * value - Math.round(20 * value)) < 1e-5)).toBe(true);
});
