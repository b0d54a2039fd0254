/** What a training hands on: rows, divergence, ends; and how often it compiles. */
import { describe, expect, test } from "vitest";
import { cpuBackend } from "../../src/backends/cpu/index.js";
import { nullBackend } from "../../src/backends/null/index.js";
import { referenceBackend } from "../../src/backends/reference/index.js";
import type { Plan } from "../../src/compile/plan.js";
import { add, log, mul, square, sum } from "../../src/graph/index.js";
import { regression, sourceOf } from "../../src/learn/datasets/index.js";
import { softmaxRegression } from "../../src/learn/models/index.js";
import { adam, sgd } from "../../src/learn/optimizers/index.js";
import { functionProblem, regressionProblem } from "../../src/learn/problems/index.js";
import { laneProgram, stepEntry, variableNames } from "../../src/train/index.js";
import { classifying, descent, train } from "./support.js";

/** Eigenvalues of exercise 1's Hessian [[60, 20], [20, 8]]. */
const greatestEigenvalue = 34 + Math.sqrt(26 ** 2 + 20 ** 2);

describe("rows", () => {
  test("one for each step and one at the end, with loss and parameters before the step's update", async () => {
    const { rows, outcomes } = await train(descent([0.01], { steps: 25 }), referenceBackend());
    expect(rows[0].map(({ step }) => step)).toEqual(Array.from({ length: 26 }, (_, step) => step));
    let [W, b] = [0.3, -0.3];
    for (const row of rows[0]) {
      const errors = [1, 2, 3, 4].map((x) => W * x + b - (1 - x));
      expect(row.trainLoss).toBeCloseTo(
        errors.reduce((total, error) => total + error ** 2, 0),
        10,
      );
      expect(row["parameter.W"]).toBeCloseTo(W, 12);
      expect(row["parameter.b"]).toBeCloseTo(b, 12);
      const slope = errors.reduce((total, error, i) => total + 2 * error * (i + 1), 0);
      const offset = errors.reduce((total, error) => total + 2 * error, 0);
      [W, b] = [W - 0.01 * slope, b - 0.01 * offset];
    }
    expect(outcomes[0]).toMatchObject({ status: "completed", stepsDone: 25 });
    expect(outcomes[0].parameters).toEqual({
      W: [rows[0][25]["parameter.W"]],
      b: [rows[0][25]["parameter.b"]],
    });
  });

  test("seldom where seldom is asked for, and always at the last step", async () => {
    const { rows } = await train(
      descent([0.01], { steps: 23, recordEvery: 7, evaluateEvery: 10 }),
      cpuBackend(),
    );
    expect(rows[0].map(({ step }) => step)).toEqual([0, 7, 10, 14, 20, 21, 23]);
  });

  test("epochs count passes over the data; a row at each evaluation", async () => {
    const training = await classifying(adam(), { batchSize: 40, steps: 9, recordEvery: 0, evaluateEvery: 3 });
    const { rows, outcomes } = await train(training, cpuBackend());
    expect(rows[0].map(({ step, epoch }) => [step, epoch])).toEqual([
      [3, 1],
      [6, 2],
      [9, 3],
    ]);
    expect(outcomes[0]).toMatchObject({ stepsDone: 9, epochsDone: 3 });
    expect(Object.keys(rows[0][0]).sort()).toEqual(
      ["step", "epoch", "timeS", "trainLoss", "validationLoss", "validationAccuracy"].sort(),
    );
    expect(Object.keys(rows[0][2]).sort()).toEqual(
      [...Object.keys(rows[0][0]), "finalTrainLoss", "finalTrainAccuracy"].sort(),
    );
    const times = rows[0].map(({ timeS }) => timeS);
    expect(times).toEqual([...times].sort((a, b) => a - b));
    expect(times[0]).toBeGreaterThan(0);
    expect(outcomes[0].timeS).toBe(times[2]);
  });
});

describe("the last row of a training on batches", () => {
  test("holds loss and accuracy of the final parameters on all training examples", async () => {
    const training = await classifying(adam({ lr: [0.01, 0.1] }), {
      batchSize: 40,
      steps: 7,
      dtype: "float64",
    });
    const { train: split, classes } = training.dataset;
    const { rows, outcomes } = await train(training, cpuBackend());
    for (const lane of [0, 1]) {
      const [weight, bias] = Object.values(outcomes[lane].parameters!);
      let [loss, right] = [0, 0];
      for (let i = 0; i < split.count; i++) {
        const x = Array.from(split.inputs.data.subarray(5 * i, 5 * i + 5));
        const logits = Array.from({ length: classes! }, (_, c) =>
          x.reduce((sum, value, j) => sum + value * weight[5 * c + j], bias[c]),
        );
        const label = split.targets.data[i];
        loss += Math.log(logits.reduce((sum, logit) => sum + Math.exp(logit), 0)) - logits[label];
        right += logits.indexOf(Math.max(...logits)) === label ? 1 : 0;
      }
      const last = rows[lane].at(-1)!;
      expect(last.step).toBe(7);
      expect(last.finalTrainLoss).toBeCloseTo(loss / split.count, 12);
      expect(last.finalTrainAccuracy).toBeCloseTo(right / split.count, 12);
      expect(rows[lane].filter((row) => "finalTrainLoss" in row)).toHaveLength(1);
    }
  });

  test("holds the sum where the problem descends a sum, whatever the batches", async () => {
    const inputs = Array.from({ length: 13 }, (_, i) => [Math.sin(i)]);
    const targets = inputs.map(([x], i) => 2 * x - 1 + 0.3 * Math.cos(5 * i));
    const source = sourceOf(regression({ name: "line", inputs, targets }));
    const problem = regressionProblem({ dataset: source, model: softmaxRegression(), reduction: "sum" });
    const dataset = await source.load();
    const training = descent([0.05], { problem, dataset, batchSize: 5, steps: 8, recordParameters: false });
    const { rows, outcomes } = await train(training, referenceBackend());
    const [weight, bias] = Object.values(outcomes[0].parameters!);
    const errors = inputs.map(([x], i) => weight[0] * x + bias[0] - targets[i]);
    const sum = errors.reduce((total, error) => total + error ** 2, 0);
    expect(rows[0].at(-1)!.finalTrainLoss).toBeCloseTo(sum, 6);
    expect(rows[0].at(-1)).not.toHaveProperty("finalTrainAccuracy");
    const whole = await train({ ...training, batchSize: "full" }, referenceBackend());
    expect(whole.rows[0].filter((row) => "finalTrainLoss" in row)).toEqual([]);
  });
});

describe("divergence", () => {
  test("of gradient descent comes where the theory has it, and as fast", async () => {
    const limit = 2 / greatestEigenvalue;
    const rates = [0.5 * limit, 0.98 * limit, 1.05 * limit, 2 * limit];
    const { rows, outcomes } = await train(
      descent(rates, { steps: 20_000, recordEvery: 50, evaluateEvery: 5000 }),
      cpuBackend(),
    );
    expect(outcomes.map(({ status }) => status)).toEqual(["completed", "completed", "diverged", "diverged"]);
    for (const i of [2, 3]) {
      const growth = (1 - rates[i] * greatestEigenvalue) ** 2;
      const finite = rows[i].filter(({ trainLoss }) => trainLoss > 1e20 && trainLoss < 1e290);
      const [first, last] = [finite[0], finite.at(-1)!];
      const measured = (last.trainLoss / first.trainLoss) ** (1 / (last.step - first.step));
      expect(measured).toBeCloseTo(growth, 6);
      // The loss passes 1.8e308 when the direction of the greatest eigenvalue has grown so far.
      const overflow = first.step + Math.log(Number.MAX_VALUE / first.trainLoss) / Math.log(growth);
      const { divergence, stepsDone } = outcomes[i];
      expect(Math.abs(divergence!.step - overflow)).toBeLessThan(3);
      expect(stepsDone).toBe(divergence!.step);
      expect(divergence!.value).toBe(Number.POSITIVE_INFINITY);
      expect(divergence!.lastFiniteLoss).toBeGreaterThan(Number.MAX_VALUE / growth ** 2);
      expect(divergence!.lastFiniteLoss).toBeLessThanOrEqual(Number.MAX_VALUE);
    }
  });

  test("of a loss that is still a number at the end: past a thousand times the first", async () => {
    const rate = 3 / greatestEigenvalue;
    const { rows, outcomes } = await train(descent([rate], { steps: 30 }), cpuBackend());
    const first = rows[0][0].trainLoss;
    const beyond = rows[0].find(({ trainLoss }) => trainLoss > 1000 * first)!;
    expect(outcomes[0]).toMatchObject({
      status: "diverged",
      stepsDone: 30,
      divergence: { step: beyond.step, quantity: "loss", value: beyond.trainLoss },
    });
    expect(outcomes[0].divergence!.lastFiniteLoss).toBe(rows[0][30].trainLoss);
  });

  test("from the start: step 0, no finite loss before it", async () => {
    const problem = functionProblem({
      name: "nowhere",
      start: { x: [-1, 2] },
      loss: ({ x }) => sum(log(x)),
    });
    const { rows, outcomes } = await train(descent([0.1], { problem }), cpuBackend());
    expect(outcomes[0]).toMatchObject({
      status: "diverged",
      stepsDone: 0,
      divergence: { step: 0, value: Number.NaN, lastFiniteLoss: Number.NaN },
      parameters: { x: [expect.any(Number), expect.any(Number)] },
    });
    expect(rows[0]).toHaveLength(1);
    expect(rows[0][0]).toMatchObject({ step: 0, trainLoss: Number.NaN });
  });

  test("names the parameter that is no number any more", async () => {
    // One step takes the steep parameter past the largest number and leaves the flat one finite.
    const problem = functionProblem({
      name: "cliff",
      start: { flat: 1, steep: 1 },
      loss: ({ flat, steep }) => add(flat, mul(square(steep), 1e10)),
    });
    const { outcomes } = await train(descent([1e300], { problem, steps: 5 }), cpuBackend());
    expect(outcomes[0]).toMatchObject({
      status: "diverged",
      stepsDone: 1,
      divergence: {
        step: 1,
        quantity: "loss, with parameter steep",
        value: Number.POSITIVE_INFINITY,
        lastFiniteLoss: 1e10 + 1,
      },
    });
  });
});

describe("an abort", () => {
  test("ends what still trains as interrupted, and keeps its rows", async () => {
    const controller = new AbortController();
    const training = descent([0.01, 1], { steps: 1_000_000, recordEvery: 100, evaluateEvery: 100 });
    const seen: number[] = [];
    const { rows, outcomes } = await train(training, cpuBackend(), {
      signal: controller.signal,
      onProgress: ({ step }) => {
        seen.push(step);
        if (step >= 3000) controller.abort();
      },
    });
    expect(outcomes[1].status).toBe("diverged");
    expect(outcomes[0].status).toBe("interrupted");
    const { stepsDone } = outcomes[0];
    expect(stepsDone).toBe(seen.at(-1));
    expect(stepsDone).toBeLessThan(1_000_000);
    expect(rows[0].at(-1)!.step).toBe(stepsDone! - (stepsDone! % 100));
    const whole = await train(
      descent([0.01], { ...training, lanes: training.lanes.slice(0, 1), steps: 3000 }),
      cpuBackend(),
    );
    const losses = (of: typeof rows) => of[0].slice(0, 30).map(({ trainLoss }) => trainLoss);
    expect(losses(rows)).toEqual(losses(whole.rows));
  });

  test("before the start trains nothing", async () => {
    const { rows, outcomes } = await train(descent([0.01]), referenceBackend(), {
      signal: AbortSignal.abort(),
    });
    expect(rows).toEqual([[]]);
    expect(outcomes[0]).toMatchObject({ status: "interrupted", stepsDone: 0 });
  });
});

describe("compiling", () => {
  test("happens once for a whole training, evaluations and all", async () => {
    const plans: Plan[] = [];
    await train(
      await classifying(adam({ lr: [1e-3, 1e-2] })),
      nullBackend((plan) => plans.push(plan)),
    );
    expect(plans).toHaveLength(1);
    expect(Object.keys(plans[0].entries)).toEqual(["step", "evaluate validation", "evaluate train"]);
  });

  test("is not repeated for other hyperparameters, steps or seeds of a program", () => {
    const plans: Plan[] = [];
    const { program } = laneProgram(descent([0.01, 0.02]), 2);
    const executable = nullBackend((plan) => plans.push(plan)).compile(program);
    for (const rate of [0.1, 0.2, 0.3]) {
      executable.write(variableNames.hyper("lr"), [rate, 2 * rate]);
      executable.run(stepEntry, 10);
    }
    expect(plans).toHaveLength(1);
  });

  test("comes again only for the lanes that are left", async () => {
    const lanes: string[] = [];
    const counted = cpuBackend();
    await train(descent([0.01, 1, 0.02, 0.005, 10], { steps: 2000 }), {
      ...counted,
      compile: (program) => {
        lanes.push(program.name);
        return counted.compile(program);
      },
    });
    expect(lanes).toEqual(["linear-regression sgd x5", "linear-regression sgd x3"]);
  });
});

test("impossible trainings are refused by name", async () => {
  const refused = (changes: object) => train({ ...descent([0.01]), ...changes }, nullBackend());
  await expect(refused({ steps: 0 })).rejects.toThrow("training: steps is 0; expected a positive integer");
  await expect(refused({ lanes: [] })).rejects.toThrow("number of lanes is 0");
  await expect(refused({ evaluateEvery: 1.5 })).rejects.toThrow("evaluateEvery is 1.5");
  await expect(refused({ batchSize: -1 })).rejects.toThrow("batchSize is -1");
  await expect(refused({ lanes: [{ lr: 1 }] })).rejects.toThrow("no value for weightDecay");
  const training = await classifying(sgd(), { evaluate: ["test"] });
  await expect(train(training, nullBackend())).rejects.toThrow('data set "blobs" has no test split');
});
