/** Averages of the parameters against loops by hand; what evaluations look at; compaction; going on from a checkpoint. */
import { describe, expect, test } from "vitest";
import { cpuBackend } from "../../src/backends/cpu/index.js";
import { referenceBackend } from "../../src/backends/reference/index.js";
import type { TypedArray } from "../../src/base/dtype.js";
import { explainPlan } from "../../src/compile/explain.js";
import { planProgram } from "../../src/compile/planProgram.js";
import { type Average, ema, swa } from "../../src/learn/averages/index.js";
import { batchNorm, dense, dropout } from "../../src/learn/layers/index.js";
import { layersModel } from "../../src/learn/models/index.js";
import { adam, momentum, sgd } from "../../src/learn/optimizers/index.js";
import { classificationProblem } from "../../src/learn/problems/index.js";
import {
  evaluateEntry,
  type LaneTraining,
  type LearnedModel,
  type LoopSnapshot,
  laneProgram,
  metricsOf,
  variableNames as names,
  statisticsEntry,
  stepEntry,
  trainLanes,
} from "../../src/train/index.js";
import { writeInitialValues } from "../../src/train/initialValues.js";
import { classifying, descent, greatestDifference, train, withoutTime } from "./support.js";

const backends = [
  ["reference", referenceBackend],
  ["cpu", cpuBackend],
] as const;

const kinds: readonly (readonly [string, Average, (step: number) => number])[] = [
  // What the t-th iterate weighs against all before it, from the definitions.
  ["EMA", ema({ decay: 0.8 }), (t) => 0.2 / (1 - 0.8 ** t)],
  ["SWA", swa({ from: 0.5, every: "epoch" }), (t) => (t < 12 ? 1 : t % 3 === 0 ? 1 / (t / 3 - 3) : 0)],
];

/** Batch statistics and dropout, in float64; the last batch of an epoch is short. */
async function normalised(average: Average | undefined, changes: Partial<LaneTraining> = {}) {
  const choice = momentum({ lr: [0.1, 0.3], ...(average && { average }) });
  const training = await classifying(choice, {
    dtype: "float64",
    batchSize: 36,
    evaluateEvery: 4,
    ...changes,
  });
  const model = layersModel({
    name: "normalised",
    layers: (outputs) => [dense(6), batchNorm(), dropout(0.2), dense(outputs)],
  });
  return { ...training, problem: classificationProblem({ dataset: training.problem.dataset!, model }) };
}

describe.each(kinds)("%s", (_, average, weight) => {
  test.each(backends)("on %s the averages are those of a loop over the iterates", async (_name, backend) => {
    const training = await normalised(average);
    const program = laneProgram(training, 2);
    const executable = backend().compile(program.program);
    writeInitialValues(executable, training, program);
    const followed = new Map<string, readonly [string, number[]]>();
    for (const name of Object.keys(program.built.parameters))
      followed.set(name, [names.parameter(name), [...executable.read(names.parameter(name))]]);
    for (const name of Object.keys(program.built.state!))
      followed.set(name, [names.state(name), [...executable.read(names.state(name))]]);
    expect(followed.size).toBe(8);
    for (let t = 1; t <= training.steps; t++) {
      executable.run(stepEntry, 1);
      for (const [name, [variable, expected]] of followed) {
        executable.read(variable).forEach((iterate, i) => {
          expected[i] += weight(t) * (iterate - expected[i]);
        });
        executable.read(names.average(name)).forEach((value, i) => {
          expect(Math.abs(value - expected[i])).toBeLessThanOrEqual(1e-12 * Math.max(1, Math.abs(value)));
        });
      }
    }
    executable.release();
  });

  test("changes no iterate, and rows evaluate the averages", async () => {
    const training = await normalised(average);
    const rows = (await train(training, cpuBackend())).rows;
    const plain = await normalised(undefined);
    const iterates = (await train(plain, cpuBackend())).rows;
    // The same training by hand: averages in place of parameters for the length of an evaluation.
    const averagedProgram = laneProgram(training, 2);
    const plainProgram = laneProgram(plain, 2);
    const [ours, theirs] = [averagedProgram, plainProgram].map(({ program }) =>
      cpuBackend().compile(program),
    );
    writeInitialValues(ours, training, averagedProgram);
    writeInitialValues(theirs, plain, plainProgram);
    const own = plainProgram.model;
    for (let step = 4; step <= training.steps; step += 4) {
      ours.run(stepEntry, 4);
      const { statistics } = averagedProgram;
      if (statistics && step >= statistics.from) {
        ours.write(names.position, [0]);
        ours.run(statisticsEntry, statistics.parts);
      }
      for (const { name, variable } of own) theirs.write(variable, ours.read(names.average(name)));
      theirs.write(names.position, [0]);
      for (const metric of ["loss", "accuracy"]) theirs.write(names.total(metric), [0, 0]);
      theirs.run(evaluateEntry("validation"), 1);
      const losses = [...theirs.read(names.total("loss"))].map((total) => total / 30);
      for (const lane of [0, 1]) {
        const [row, iterate] = [rows, iterates].map((all) => all[lane].find((one) => one.step === step)!);
        expect(row.validationLoss).toBeCloseTo(losses[lane], 12);
        expect(row.trainLoss).toBeCloseTo(iterate.trainLoss, 12);
        if (step === training.steps) expect(row.validationLoss).not.toBeCloseTo(iterate.validationLoss, 8);
      }
    }
    for (const executable of [ours, theirs]) executable.release();
  });

  test("a lane is the run alone, also once others have ended and it was compacted", async () => {
    const four = await normalised(average, {
      choice: momentum({ lr: [0.1, 1e300, 0.3, 1e301], average }),
      lanes: [0.1, 1e300, 0.3, 1e301].map((lr) => ({ lr, momentum: 0.9, weightDecay: 0 })),
    });
    const together = await train(four, cpuBackend());
    expect(together.outcomes.map(({ status }) => status)).toEqual([
      "completed",
      "diverged",
      "completed",
      "diverged",
    ]);
    for (const lane of [0, 2]) {
      const alone = await train({ ...four, lanes: [four.lanes[lane]] }, cpuBackend());
      expect(greatestDifference(alone.rows[0], together.rows[lane])).toBeLessThanOrEqual(1e-11);
    }
  });

  test("goes on from a checkpoint bit for bit", async () => {
    const training = await normalised(average);
    const whole = await train(training, cpuBackend());
    const snapshots: LoopSnapshot[] = [];
    const checkpoints = { every: { steps: 1 }, save: (snapshot: LoopSnapshot) => snapshots.push(snapshot) };
    await train(training, cpuBackend(), { checkpoints });
    const middle = snapshots.filter(({ step }) => step > 8 && step < 20);
    expect(middle.length).toBeGreaterThan(0);
    for (const snapshot of middle) {
      const rest = await train(training, cpuBackend(), { from: { snapshot, source: "a test" } });
      for (const lane of [0, 1]) {
        const later = whole.rows[lane].filter(({ step }) => step >= rest.rows[lane][0].step);
        expect(later.length).toBeLessThan(whole.rows[lane].length);
        expect(withoutTime(rest.rows[lane])).toEqual(withoutTime(later));
        expect(rest.outcomes[lane].parameters).toEqual(whole.outcomes[lane].parameters);
      }
    }
  });
});

describe("batch statistics of an average of several iterates", () => {
  const layers = (outputs: number) => [dense(3), batchNorm(), dense(outputs)];

  async function averaging(changes: Partial<LaneTraining> = {}) {
    const choice = momentum({ lr: [0.1, 0.3], average: swa({ from: 0.5, every: 2 }) });
    const training = await classifying(choice, {
      dtype: "float64",
      batchSize: 36,
      shuffle: false,
      ...changes,
    });
    const model = layersModel({ name: "normalised", layers });
    return { ...training, problem: classificationProblem({ dataset: training.problem.dataset!, model }) };
  }

  test.each([
    ["whole batches", {}, 36],
    ["micro-batches", { microBatch: 18 }, 18],
  ] as const)("are the means over those of all batches, by plain loops: %s", async (_name, changes, size) => {
    const training = await averaging(changes);
    const models: LearnedModel[] = [];
    await trainLanes({ ...training, keepModel: true }, cpuBackend(), {
      rows: () => {},
      model: (lane, model) => {
        models[lane] = model;
      },
      finish: () => {},
    });
    const { inputs } = training.dataset.train;
    for (const { last } of models) {
      const stored = (ending: string) =>
        Object.entries(last).find(([name]) => name.endsWith(ending))![1].data;
      const [weight, bias] = [stored("dense1.weight"), stored("dense1.bias")];
      const batches = Array.from({ length: Math.ceil(90 / size) }, (_, batch) =>
        Array.from({ length: Math.min(size, 90 - batch * size) }, (_, i) => batch * size + i),
      );
      for (let unit = 0; unit < 3; unit++) {
        const moments = batches.map((batch) => {
          const values = batch.map((n) =>
            Array.from({ length: 5 }, (_, i) => inputs.data[n * 5 + i] * weight[unit * 5 + i]).reduce(
              (sum, value) => sum + value,
              bias[unit],
            ),
          );
          const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
          const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
          return { mean, variance: squares / (values.length - 1) };
        });
        const over = (of: (one: (typeof moments)[number]) => number): number =>
          moments.reduce((sum, one) => sum + of(one), 0) / moments.length;
        expect(stored(".mean")[unit]).toBeCloseTo(
          over(({ mean }) => mean),
          10,
        );
        expect(stored(".variance")[unit]).toBeCloseTo(
          over(({ variance }) => variance),
          10,
        );
      }
    }
  });

  test("do not depend on how often one looks, or on ranks", async () => {
    const rare = await train(await averaging({ shuffle: true, evaluateEvery: 24 }), cpuBackend());
    const often = await train(await averaging({ shuffle: true, evaluateEvery: 1 }), cpuBackend());
    const onTwo = cpuBackend({ ranks: 2 });
    const oneRank = await train(await averaging({ batchSize: 30, shuffle: true }), cpuBackend());
    for (const lane of [0, 1]) {
      const [expected, received] = [rare, often].map(({ rows }) => rows[lane].at(-1)!);
      expect(received.validationLoss).toBe(expected.validationLoss);
      expect(received.finalTrainLoss).toBe(expected.finalTrainLoss);
    }
    // A rank takes statistics of its part of a batch: so do micro-batches of that size on one.
    const parts = await train(
      await averaging({ batchSize: 30, microBatch: 15, shuffle: true }),
      cpuBackend(),
    );
    const ranks = await train(await averaging({ batchSize: 30, shuffle: true }), onTwo);
    await onTwo.close();
    for (const lane of [0, 1]) {
      expect(greatestDifference(parts.rows[lane], ranks.rows[lane])).toBeLessThanOrEqual(1e-10);
      expect(greatestDifference(oneRank.rows[lane], ranks.rows[lane])).toBeGreaterThan(1e-6);
    }
  });

  test("are those of the iterate while it is one, and averaged with a moving average", async () => {
    const { statistics } = laneProgram(await averaging(), 2);
    // Steps 12, 14, ... count: with 14 there are two.
    expect(statistics).toEqual({ from: 14, parts: 3 });
    const choice = momentum({ lr: [0.1, 0.3], average: ema() });
    expect(laneProgram({ ...(await averaging()), choice }, 2).statistics).toBeUndefined();
    const plain = await classifying(momentum({ average: swa() }));
    expect(laneProgram(plain, 1).statistics).toBeUndefined();
  });
});

test("kept models and final parameters are the averages", async () => {
  const training = await normalised(ema({ decay: 0.8 }), { keepModel: true, steps: 8 });
  const models: LearnedModel[] = [];
  const ends: (Readonly<Record<string, readonly number[]>> | undefined)[] = [];
  await trainLanes(training, cpuBackend(), {
    rows: () => {},
    model: (lane, model) => {
      models[lane] = model;
    },
    finish: (lane, { parameters }) => {
      ends[lane] = parameters;
    },
  });
  const program = laneProgram(training, 2);
  const executable = cpuBackend().compile(program.program);
  writeInitialValues(executable, training, program);
  executable.run(stepEntry, 8);
  const laneOf = (values: TypedArray, lane: number): number[] => [
    ...values.subarray((lane * values.length) / 2, ((lane + 1) * values.length) / 2),
  ];
  for (const lane of [0, 1]) {
    expect(Object.keys(models[lane].last)).toHaveLength(8);
    for (const [name, { data }] of Object.entries(models[lane].last))
      expect([...data]).toEqual(laneOf(executable.read(names.average(name)), lane));
    for (const [name, values] of Object.entries(ends[lane]!))
      expect(values).toEqual([...models[lane].last[name].data]);
  }
  executable.release();
});

test("without batches the training loss is that of the average, and steps tell that of the iterates", async () => {
  const average = swa({ from: 0, every: 1 });
  const training = descent([0.02], { choice: sgd({ lr: [0.02], average }), steps: 30 });
  const plain = await train(descent([0.02], { steps: 30 }), cpuBackend());
  const { rows, outcomes } = await train(training, cpuBackend());
  const steps = rows[0].filter((row) => "iterateLoss" in row);
  // Rows of evaluations take the place of those of steps.
  expect(steps.map(({ step }) => step)).toEqual(
    Array.from({ length: 30 }, (_, i) => i).filter((i) => i === 0 || i % 10 !== 0),
  );
  for (const row of steps) {
    const iterate = plain.rows[0].find(({ step }) => step === row.step)!;
    expect(row.iterateLoss).toBe(iterate.trainLoss);
    expect(row["parameter.W"]).toBe(iterate["parameter.W"]);
  }
  const evaluated = rows[0].filter((row) => "trainLoss" in row);
  expect(evaluated.map(({ step }) => step)).toEqual([10, 20, 30]);
  expect(metricsOf(training)).toEqual(expect.arrayContaining(["trainLoss", "iterateLoss"]));
  // Polyak's and Ruppert's: the mean of the iterates 1 to 30.
  const iterates = plain.rows[0].slice(1);
  for (const name of ["W", "b"]) {
    const mean = iterates.reduce((sum, row) => sum + row[`parameter.${name}`], 0) / 30;
    expect(outcomes[0].parameters![name][0]).toBeCloseTo(mean, 12);
  }
});

test("an average costs a step its own reading and writing alone", async () => {
  const explained = async (average?: Average) => {
    const training = await classifying(adam({ ...(average && { average }) }), { hidden: 200 });
    const { entries } = explainPlan(planProgram(laneProgram(training, 1).program), {
      gemmGflops: 1,
      loopGflops: 1,
      bandwidthGBs: 1,
    });
    return entries.find(({ name }) => name === stepEntry)!;
  };
  const plain = await explained();
  // 5 inputs, 200 units, 3 classes, weights and biases in float32, read and written.
  const traffic = 2 * 4 * (200 * 6 + 3 * 201);
  for (const [, average] of kinds) {
    const own = await explained(average);
    expect(own.kernels.length).toBe(plain.kernels.length);
    expect(own.bytes - plain.bytes).toBeGreaterThanOrEqual(traffic);
    // The weight and whether it is small, once for each of four tensors.
    expect(own.bytes - plain.bytes).toBeLessThanOrEqual(traffic + 64);
  }
});
