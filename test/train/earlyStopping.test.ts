/** Lanes that stop early: when, with which rows and finals, what they restore, and that a resumed training stops alike. */
import { describe, expect, test } from "vitest";
import { cpuBackend } from "../../src/backends/cpu/index.js";
import { blobs } from "../../src/learn/datasets/index.js";
import { perceptron } from "../../src/learn/models/index.js";
import { adam } from "../../src/learn/optimizers/index.js";
import { classificationProblem } from "../../src/learn/problems/index.js";
import type { EarlyStopping, MetricRow } from "../../src/runs/records.js";
import type { RunOutcome } from "../../src/runs/summary.js";
import { afterEvaluation, stopped, type Waiting } from "../../src/train/earlyStopping.js";
import {
  type LaneTraining,
  type LearnedModel,
  type LoopSnapshot,
  type TrainLanesOptions,
  trainLanes,
} from "../../src/train/index.js";
import { greatestDifference, withoutTime } from "./support.js";

describe("patience", () => {
  /** The step at which a sequence of evaluations, one each ten steps, is at its end. */
  function endOf(values: readonly number[], options: Partial<EarlyStopping>) {
    const all: EarlyStopping = { patience: 3, metric: "validationLoss", minDelta: 0, ...options };
    let waiting: Waiting | undefined;
    for (const [i, value] of values.entries()) {
      waiting = afterEvaluation(waiting, 10 * (i + 1), value, all);
      const end = stopped(waiting, 10 * (i + 1), all);
      if (end) return end;
    }
    return undefined;
  }

  test("counts evaluations that are no better than the best so far", () => {
    expect(endOf([5, 4, 4, 4.5, 3, 3.1, 3.2, 3], {})).toEqual({
      step: 80,
      reason: "validationLoss was not better than 3, of step 50, for 3 evaluations",
    });
    expect(endOf([5, 4, 4, 4.5, 3, 3.1, 3.2], {})).toBeUndefined();
    expect(endOf([5, 6], { patience: 1 })?.reason).toMatch(/for 1 evaluation$/);
  });

  test("an accuracy has to rise, a loss to fall", () => {
    expect(endOf([0.5, 0.6, 0.7, 0.7, 0.7, 0.65], { metric: "validationAccuracy" })?.step).toBe(60);
    expect(endOf([0.5, 0.6, 0.7, 0.8], {})?.step).toBe(40);
  });

  test("what is better by less than minDelta does not count, however often", () => {
    const values = [1, 0.95, 0.9, 0.85, 0.8];
    expect(endOf(values, { minDelta: 0.2 })).toEqual({
      step: 40,
      reason: "validationLoss was not better than 1, of step 10, by more than 0.2 for 3 evaluations",
    });
    expect(endOf(values, { minDelta: 0.12 })).toBeUndefined();
  });

  test("what is no number is never better", () => {
    expect(endOf([Number.NaN, 2, Number.NaN, Number.NaN, Number.NaN], {})?.step).toBe(50);
    expect(endOf([Number.NaN, Number.NaN, Number.NaN], {})?.step).toBe(30);
  });
});

const rates = [3e-4, 0.1, 0.03, 0.01];
const patience = 4;

/** Classes that overlap and a model that learns the 60 examples by heart: the validation loss rises soon. */
async function overfitting(changes: Partial<LaneTraining> = {}): Promise<LaneTraining> {
  const source = blobs({ classes: 3, count: 240, separation: 1, split: { validation: 100, test: 80 } });
  return {
    problem: classificationProblem({ dataset: source, model: perceptron({ hidden: [40] }) }),
    dataset: await source.load(),
    choice: adam({ lr: rates }),
    lanes: rates.map((lr) => ({ lr, beta1: 0.9, beta2: 0.999, eps: 1e-8, weightDecay: 0 })),
    seed: 2,
    batchSize: 20,
    steps: 300,
    shuffle: true,
    dtype: "float64",
    evaluate: ["validation"],
    evaluateAtEnd: ["test"],
    evaluateEvery: 6,
    recordEvery: 0,
    recordParameters: false,
    keepModel: true,
    earlyStopping: { patience, metric: "validationLoss", minDelta: 0 },
    ...changes,
  };
}

async function run(training: LaneTraining, options: TrainLanesOptions = {}) {
  const rows = training.lanes.map((): MetricRow[] => []);
  const outcomes: RunOutcome[] = [];
  const models: LearnedModel[] = [];
  await trainLanes(
    training,
    cpuBackend({ gemm: "wasm" }),
    {
      rows: (lane, more) => rows[lane].push(...more),
      finish: (lane, outcome) => {
        outcomes[lane] = outcome;
      },
      model: (lane, model) => {
        models[lane] = model;
      },
    },
    options,
  );
  return { rows, outcomes, models };
}

/** Where the rows of a training that never stops say that it would, or its last step. */
function expectedEnd(rows: readonly MetricRow[]): { step: number; best: number } {
  let [best, waited] = [rows[0], 0];
  for (const row of rows.slice(1)) {
    if (row.validationLoss < best.validationLoss) [best, waited] = [row, 0];
    else waited++;
    if (waited === patience) return { step: row.step, best: best.step };
  }
  return { step: rows[rows.length - 1].step, best: best.step };
}

describe("lanes", () => {
  test("stop each at its own step, and rows end there as those of a run of that length", async () => {
    const training = await overfitting();
    const { rows, outcomes, models } = await run(training);
    const whole = await run(await overfitting({ earlyStopping: undefined }));
    const ends = whole.rows.map(expectedEnd);
    // The slowest goes all the way, the others stop at different times.
    expect(ends[0].step).toBe(300);
    expect(new Set(ends.map(({ step }) => step)).size).toBeGreaterThan(2);
    for (const [lane, { step, best }] of ends.entries()) {
      expect(outcomes[lane]).toMatchObject({ status: "completed", stepsDone: step, epochsDone: step / 3 });
      expect(outcomes[lane].stoppedEarly).toEqual(
        step === 300
          ? undefined
          : { step, reason: expect.stringContaining(`of step ${best}, for 4 evaluations`) },
      );
      const short = await run(
        await overfitting({ steps: step, earlyStopping: undefined, lanes: [training.lanes[lane]] }),
      );
      expect(greatestDifference(short.rows[0], rows[lane])).toBeLessThanOrEqual(1e-10);
      const last = rows[lane].at(-1)!;
      expect(last.step).toBe(step);
      expect(Object.keys(last)).toEqual(expect.arrayContaining(["finalTrainLoss", "testAccuracy"]));
      expect(rows[lane].slice(0, -1).some((row) => "finalTrainLoss" in row || "testLoss" in row)).toBe(false);
      expect(outcomes[lane].final).toMatchObject({ bestStep: best, bestEpoch: best / 3 });
      expect([models[lane].step, models[lane].best?.step]).toEqual([step, best]);
    }
  });

  test("that stopped are compacted away", async () => {
    const widths: string[] = [];
    const backend = cpuBackend({ gemm: "wasm" });
    await trainLanes(
      await overfitting(),
      {
        ...backend,
        compile: (program) => {
          widths.push(program.name.replace(/.* x/, ""));
          return backend.compile(program);
        },
      },
      { rows: () => {}, finish: () => {} },
    );
    expect(widths).toEqual(["4", "3", "2", "1"]);
  });

  test("restore their best: finals and models are those of a run that ended there", async () => {
    const earlyStopping = { patience, metric: "validationLoss", minDelta: 0, restore: "best" } as const;
    const training = await overfitting({ earlyStopping });
    const { rows, outcomes, models } = await run(training);
    for (const [lane, outcome] of outcomes.entries()) {
      const losses = rows[lane].map((row) => row.validationLoss);
      const best = rows[lane][losses.indexOf(Math.min(...losses))];
      const short = await run(
        await overfitting({ steps: best.step, earlyStopping: undefined, lanes: [training.lanes[lane]] }),
      );
      const last = short.rows[0].at(-1)!;
      const { final } = outcome;
      for (const metric of [
        "trainLoss",
        "validationLoss",
        "validationAccuracy",
        "finalTrainLoss",
        "testLoss",
      ])
        expect(final![metric], metric).toBeCloseTo(last[metric], 10);
      expect(final).toMatchObject({
        bestStep: best.step,
        bestTestLoss: final!.testLoss,
        bestTestAccuracy: final!.testAccuracy,
      });
      // The steps that were made count all the same.
      expect(outcome.stepsDone).toBe(rows[lane].at(-1)!.step);
      expect(outcome.stepsDone! - best.step).toBe(outcome.stoppedEarly ? 6 * patience : 0);
      expect(models[lane].step).toBe(best.step);
      for (const [name, { data }] of Object.entries(models[lane].last)) {
        expect(data).toEqual(models[lane].best!.values[name].data);
        data.forEach((value, i) => {
          expect(value).toBeCloseTo(short.models[0].last[name].data[i], 9);
        });
      }
      // The last row tells what was measured at its step; what is restored stands in the summary.
      expect(rows[lane].at(-1)).not.toHaveProperty("finalTrainLoss");
    }
  });

  test("wait by the training loss where there is nothing else", async () => {
    const changes = { evaluate: [], evaluateAtEnd: [], keepModel: false };
    const watched = { patience: 1, metric: "trainLoss", minDelta: 0.001 };
    const { rows, outcomes } = await run(await overfitting({ ...changes, earlyStopping: watched }));
    for (const [lane, { stoppedEarly, stepsDone }] of outcomes.entries()) {
      const losses = rows[lane].map((row) => row.trainLoss);
      const end = losses.findIndex((loss, i) => i > 0 && losses[i - 1] - loss <= 0.001);
      expect(rows[lane].at(-1)!.step).toBe(stepsDone);
      expect(end === -1 ? 300 : rows[lane][end].step).toBe(stepsDone);
      expect(stoppedEarly === undefined).toBe(stepsDone === 300);
    }
  });
});

test("a training that goes on from any checkpoint stops at the same steps, bit for bit", async () => {
  const earlyStopping = { patience, metric: "validationLoss", minDelta: 0, restore: "best" } as const;
  const training = await overfitting({ earlyStopping });
  const snapshots: LoopSnapshot[] = [];
  const whole = await run(training, {
    checkpoints: { every: { steps: 1 }, save: (snapshot) => snapshots.push(snapshot) },
  });
  const chosen = snapshots.filter((_, i) => i % 7 === 3);
  expect(chosen.length).toBeGreaterThan(2);
  for (const snapshot of chosen) {
    const rest = await run(training, { from: { snapshot: structuredClone(snapshot), source: "a test" } });
    for (const { number } of snapshot.lanes) {
      const later = whole.rows[number].filter(({ step }) => step > snapshot.step);
      expect(withoutTime(rest.rows[number])).toEqual(withoutTime(later));
      const { timeS: _ourTime, ledger: _ourLedger, ...ours } = rest.outcomes[number];
      const { timeS: _theirTime, ledger: _theirLedger, ...theirs } = whole.outcomes[number];
      expect(ours).toEqual(theirs);
      expect(rest.models[number]).toEqual(whole.models[number]);
    }
  }
});
