/** A batch in parts, one after another, trains what the whole batch trains, up to rounding, in the memory of a part. */
import { afterAll, describe, expect, test } from "vitest";
import { cpuBackend } from "../../src/backends/cpu/index.js";
import { referenceBackend } from "../../src/backends/reference/index.js";
import type { Backend } from "../../src/compile/backend.js";
import { planProgram } from "../../src/compile/planProgram.js";
import { cutout, elastic, flip, shift } from "../../src/learn/augmentations/index.js";
import { ema } from "../../src/learn/averages/index.js";
import { sourceOf } from "../../src/learn/datasets/dataset.js";
import { classification } from "../../src/learn/datasets/index.js";
import { batchNorm, dense } from "../../src/learn/layers/index.js";
import { convNet, layersModel, type Model, perceptron } from "../../src/learn/models/index.js";
import { adam, momentum, sgd } from "../../src/learn/optimizers/index.js";
import { classificationProblem } from "../../src/learn/problems/index.js";
import { type BatchSizes, batchSizes, partsAt } from "../../src/train/batchSizes.js";
import {
  accumulateEntry,
  type LaneTraining,
  type LoopSnapshot,
  laneProgram,
  variableNames as names,
  stepEntry,
} from "../../src/train/index.js";
import { writeInitialValues } from "../../src/train/initialValues.js";
import { classifying, greatestDifference, lanesOf, train, withoutTime } from "./support.js";

const backends = [1, 2, 3].map((ranks) => cpuBackend({ ranks }));
afterAll(async () => {
  await Promise.all(backends.map((backend) => backend.close()));
});

/** 90 examples in batches of 36: of three parts, the last batch of 18 of two, the second of them short. */
const inParts = { batchSize: 36, microBatch: 12, steps: 9, evaluateEvery: 3 } as const;

/** 8 x 8 images of noise with a bar at a place that tells the class. */
function images(count: number) {
  const data = new Uint8Array(count * 64);
  for (let n = 0; n < count; n++)
    for (let i = 0; i < 64; i++) data[n * 64 + i] = i % 8 === 2 * (n % 4) ? 200 : (n * 31 + i * 17) % 90;
  return classification({
    name: "bars",
    inputs: { shape: [count, 8, 8, 1], dtype: "uint8", data },
    targets: Uint8Array.from({ length: count }, (_, n) => n % 4),
    classes: 4,
    scale: 1 / 255,
    split: { validation: 20 },
  });
}

type Change = Partial<LaneTraining>;
const cases: readonly (readonly [string, (change: Change) => Promise<LaneTraining>])[] = [
  [
    "a perceptron with dropout, clipped gradients and an average",
    async (change) => {
      const choice = adam({ lr: [1e-3, 1e-2], eps: 1e-3, clipNorm: 0.5, average: ema({ decay: 0.9 }) });
      const training = await classifying(choice, { ...inParts, ...change });
      const model = perceptron({ hidden: [20], dropout: 0.3 });
      return { ...training, problem: classificationProblem({ dataset: training.problem.dataset!, model }) };
    },
  ],
  [
    "a convolutional network with dropout and augmentation",
    async (change) => {
      const dataset = images(110);
      const choice = momentum({ lr: [0.02, 0.05] });
      const model = convNet({ filters: [4, 4], hidden: 12, dropout: 0.3 });
      const augment = [shift(1), elastic({ strength: 4, smoothness: 2 }), flip(), cutout(2)];
      return {
        ...(await classifying(choice, { ...inParts, ...change, dataset })),
        problem: classificationProblem({ dataset: sourceOf(dataset), model, augment }),
      };
    },
  ],
];

describe.each(cases)("%s", (_, make) => {
  const compare = async (change: Change, backend: Backend = backends[0], tolerance = 1e-11) => {
    const whole = { dtype: "float64", trainMetrics: true, recordEvery: 1, ...change } as const;
    const expected = await train(await make({ ...whole, microBatch: undefined }), backends[0]);
    const received = await train(await make(whole), backend);
    for (const [lane, rows] of expected.rows.entries())
      expect(greatestDifference(rows, received.rows[lane])).toBeLessThanOrEqual(tolerance);
    return received;
  };

  test("gives the rows of the whole batch: losses, metrics, evaluations", async () => {
    const { rows } = await compare({});
    expect(rows[0].at(-1)).toMatchObject({ step: 9, trainAccuracy: expect.any(Number) });
    expect(rows[0].filter((row) => "batchLoss" in row)).toHaveLength(7);
  });

  test("in float32 to its rounding", async () => {
    await compare({ dtype: "float32" }, backends[0], 2e-5);
  });

  test.each([2, 3])("on %i ranks", async (ranks) => {
    await compare({}, backends[ranks - 1]);
  });

  test("on the reference backend", async () => {
    await compare({ steps: 3 }, referenceBackend());
  });

  test("where the batch is all of the data, and its loss the training loss", async () => {
    // 90 examples in parts of 24: the last has 18. A call of the program makes three at most.
    const { rows } = await compare({ batchSize: "full", microBatch: 24, trainMetrics: false, steps: 3 });
    expect(rows[0].filter((row) => "trainLoss" in row).map(({ step }) => step)).toContain(3);
  });

  test("a lane is the run alone", async () => {
    const training = await make({ dtype: "float64" });
    const together = await train(training, backends[0]);
    for (const [lane, own] of lanesOf(training.choice).entries()) {
      const alone = await train({ ...training, lanes: [own] }, backends[0]);
      expect(greatestDifference(alone.rows[0], together.rows[lane])).toBeLessThanOrEqual(1e-11);
    }
  });

  test("goes on from a checkpoint bit for bit", async () => {
    const training = await make({});
    const snapshots: LoopSnapshot[] = [];
    const whole = await train(training, backends[0], {
      checkpoints: { every: { steps: 1 }, save: (snapshot) => snapshots.push(snapshot) },
    });
    expect(snapshots.map(({ step }) => step)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    // What parts add up to is no part of it: between steps it says nothing.
    expect(Object.keys(snapshots[3].tensors).filter((name) => name.startsWith("accumulated"))).toEqual([]);
    for (const snapshot of [snapshots[1], snapshots[6]]) {
      const rest = await train(training, backends[0], { from: { snapshot, source: "a test" } });
      for (const [lane, rows] of rest.rows.entries()) {
        const later = whole.rows[lane].filter(({ step }) => step >= rows[0].step);
        expect(rows.length).toBeGreaterThan(0);
        expect(withoutTime(rows)).toEqual(withoutTime(later));
      }
    }
  });
});

describe("memory", () => {
  const wide: Model = convNet({ filters: [8, 8], hidden: 16, dropout: 0 });
  const large = async (
    microBatch: number | undefined,
    batchSize: number | "full" = 960,
  ): Promise<LaneTraining> => {
    const dataset = images(980);
    return {
      ...(await classifying(sgd({ lr: 0.1 }), { dataset, batchSize, microBatch, steps: 2 })),
      problem: classificationProblem({ dataset: sourceOf(dataset), model: wide }),
    };
  };

  test("of the plan and of the program is that of a part", async () => {
    const bytes = async (training: LaneTraining) => {
      const { program } = laneProgram(training, 1);
      const executable = backends[0].compile(program);
      const owned = executable.bytes;
      executable.release();
      return [planProgram(program).arenaBytes, owned];
    };
    const whole = await bytes(await large(undefined));
    const parts = await bytes(await large(60));
    const small = await bytes(await large(undefined, 60));
    for (const i of [0, 1]) {
      expect(parts[i]).toBeLessThan(whole[i] / 3);
      // The data and gradients aside it does not depend on the batch; evaluation looks at no more examples either.
      expect(parts[i]).toBeLessThan(small[i]);
    }
    expect((await bytes(await large(60, "full")))[0]).toBeLessThan(whole[0] / 3);
  });
});

test("batch statistics are of a part, running ones the mean of what each part would remember", async () => {
  const training = await classifying(sgd({ lr: 0.1 }), { ...inParts, microBatch: 18, dtype: "float64" });
  const model = layersModel({
    name: "normalised",
    layers: (outputs) => [batchNorm({ momentum: 0.75 }), dense(outputs)],
  });
  const given = {
    ...training,
    problem: classificationProblem({ dataset: training.problem.dataset!, model }),
  };
  const program = laneProgram({ ...given, shuffle: false }, 1);
  const executable = backends[0].compile(program.program);
  writeInitialValues(executable, { ...given, shuffle: false }, program);
  for (let part = 0; part < 2; part++) executable.run(accumulateEntry, 1);
  executable.run(stepEntry, 1);
  const { inputs } = training.dataset.train;
  const momentsOf = (part: number, dimension: number) => {
    const values = Array.from({ length: 18 }, (_, i) => inputs.data[(part * 18 + i) * 5 + dimension]);
    const mean = values.reduce((sum, value) => sum + value, 0) / 18;
    return { mean, variance: values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / 17 };
  };
  const [mean, variance] = ["mean", "variance"].map((name) =>
    executable.read(names.state(Object.keys(program.built.state!).find((one) => one.endsWith(name))!)),
  );
  for (let dimension = 0; dimension < 5; dimension++) {
    const [first, second] = [0, 1].map((part) => momentsOf(part, dimension));
    expect(mean[dimension]).toBeCloseTo((0.25 * (first.mean + second.mean)) / 2, 12);
    expect(variance[dimension]).toBeCloseTo(0.75 + (0.25 * (first.variance + second.variance)) / 2, 12);
  }
  executable.release();
});

describe("sizes", () => {
  const sizes = (batchSize: number | "full", microBatch: number | undefined, ranks = 1): BatchSizes =>
    batchSizes({ batchSize, ...(microBatch !== undefined && { microBatch }) }, 90, ranks);
  const parts = (of: BatchSizes, steps: number): number[] =>
    Array.from({ length: steps }, (_, step) => partsAt(of, 90, step));

  test("a short last batch has fewer parts", () => {
    expect(sizes(36, 12)).toEqual({ batch: 36, part: 12, own: 12 });
    expect(parts(sizes(36, 12), 6)).toEqual([3, 3, 2, 3, 3, 2]);
    expect(sizes(30, 10, 2)).toEqual({ batch: 30, part: 10, own: 5 });
    expect(parts(sizes("full", 24), 2)).toEqual([4, 4]);
    expect(sizes(100, 24)).toEqual({ batch: 96, part: 24, own: 24 });
  });

  test("a micro-batch no smaller than the batch changes nothing", async () => {
    expect(sizes(36, 36)).toEqual(sizes(36, undefined));
    expect(sizes("full", 500, 4)).toEqual({ batch: 92, part: 92, own: 23 });
    const { program, partsAt: none } = laneProgram(await classifying(sgd(), { microBatch: 30 }), 1);
    expect(Object.keys(program.entries)).not.toContain(accumulateEntry);
    expect(none).toBeUndefined();
  });

  test("what does not divide is refused with what does", () => {
    expect(() => sizes(36, 10)).toThrow(
      "training: a batch of 36 examples in micro-batches of 10; expected a multiple of 10, such as 30 or 40. Take another batch size, or a micro-batch that divides it.",
    );
    expect(() => sizes(30, 15, 2)).toThrow(
      "training: a micro-batch of 15 examples on 2 ranks; expected a multiple of 2, such as 14 or 16. Take another micro-batch, or other ranks.",
    );
  });
});
