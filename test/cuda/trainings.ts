/** Whole trainings on a backend: lanes, steps in a row, the same bits twice, resuming, a CNN against the reference's. */
import { describe, expect, test } from "vitest";
import type { Backend } from "../../src/compile/backend.js";
import type { Dataset } from "../../src/learn/datasets/dataset.js";
import { mnistDataset } from "../../src/learn/datasets/index.js";
import { convNet } from "../../src/learn/models/index.js";
import { adam, lamb, momentum, type OptimizerChoice } from "../../src/learn/optimizers/index.js";
import { classificationProblem } from "../../src/learn/problems/index.js";
import { type LaneTraining, laneProgram, stepEntry, variableNames } from "../../src/train/index.js";
import { writeInitialValues } from "../../src/train/initialValues.js";
import type { LoopSnapshot } from "../../src/train/snapshot.js";
import { classifying, greatestDifference, train, withoutTime } from "../train/support.js";
import { largestDifference, trainedValues } from "../train/values.js";

export interface TrainingSubject {
  readonly make: () => Backend;
  /** What a CNN is held against: another backend, whose sums are taken in other orders. */
  readonly oracle: () => Backend;
  /** Whether it multiplies in bfloat16 here. */
  readonly bfloat16: boolean;
}

const optimizers: readonly OptimizerChoice[] = [
  momentum({ lr: [0.05, 0.1, 0.2], momentum: 0.9 }),
  adam({ lr: [1e-3, 1e-2, 1e-1] }),
  lamb({ lr: [0.01, 0.1], weightDecay: [0, 0.1] }),
];

/** Exercise 3's network, narrower, on the first 600 images, dropout on. */
async function network(choice: OptimizerChoice, changes: Partial<LaneTraining> = {}): Promise<LaneTraining> {
  const source = mnistDataset({ shape: "image", trainCount: 600, validationCount: 200, testCount: 100 });
  const dataset: Dataset = await source.load();
  const model = convNet({ filters: [8, 16], hidden: 64, initializer: "he" });
  return {
    ...(await classifying(choice, { dataset })),
    problem: classificationProblem({ dataset: source, model }),
    batchSize: 50,
    steps: 40,
    evaluateEvery: 20,
    ...changes,
  };
}

/** All tests of one backend; each of `make` and `oracle` is called once. */
export function trainings(name: string, { make, oracle, bfloat16 }: TrainingSubject): void {
  describe(`${name}: trainings`, () => {
    const backend = make();
    const other = oracle();

    test.each(optimizers.map((choice) => [choice.optimizer.id, choice] as const))(
      "a lane of %s is the run alone",
      async (_, choice) => {
        const training = await classifying(choice, { hidden: 9 });
        const together = await train(training, backend);
        for (const [i, lane] of training.lanes.entries()) {
          const alone = await train({ ...training, lanes: [lane] }, backend);
          expect(greatestDifference(alone.rows[0], together.rows[i]), `lane ${i}`).toBeLessThan(1e-5);
        }
      },
    );

    test("lanes of the CNN are the runs alone", async () => {
      const training = await network(momentum({ lr: [0.005, 0.01, 0.02], momentum: 0.9 }));
      const together = await train(training, backend);
      const alone = await train({ ...training, lanes: training.lanes.slice(1, 2) }, backend);
      expect(greatestDifference(alone.rows[0], together.rows[1])).toBeLessThan(2e-3);
    });

    test("any number of steps in a call gives the bits of single steps", async () => {
      const training = await network(adam({ lr: 1e-3 }));
      const program = laneProgram(training, 1);
      const [together, single] = [0, 1].map(() => {
        const executable = backend.compile(program.program);
        writeInitialValues(executable, training, program);
        return executable;
      });
      for (const steps of [1, 16, 15, 33, 17]) {
        together.run(stepEntry, steps);
        const losses = Array.from({ length: steps }, () => {
          single.run(stepEntry);
          return single.trace(stepEntry, "loss")[0];
        });
        expect([...together.trace(stepEntry, "loss")], `${steps} steps`).toEqual(losses);
      }
      for (const parameter of Object.keys(program.built.parameters).map(variableNames.parameter))
        expect(together.read(parameter)).toEqual(single.read(parameter));
      together.release();
      single.release();
    });

    test("starting values are the other backend's, bit for bit", async () => {
      const training = await network(adam({ lr: 1e-3 }), { steps: 0 });
      expect(trainedValues(training, backend)).toEqual(trainedValues(training, other));
    });

    test("the same bits twice", async () => {
      const training = await network(adam({ lr: [1e-3, 3e-3] }));
      const [once, again] = [await train(training, backend), await train(training, backend)];
      for (const i of [0, 1]) expect(withoutTime(again.rows[i])).toEqual(withoutTime(once.rows[i]));
    });

    test("goes on from a checkpoint bit for bit", async () => {
      const training = await network(adam({ lr: [1e-3, 3e-3] }));
      const snapshots: LoopSnapshot[] = [];
      const checkpoints = {
        every: { steps: 10 },
        save: (snapshot: LoopSnapshot) => snapshots.push(snapshot),
      };
      const whole = await train(training, backend, { checkpoints });
      expect(snapshots.length).toBeGreaterThan(0);
      for (const snapshot of snapshots) {
        const rest = await train(training, backend, { from: { snapshot, source: "a test" } });
        for (const [i, rows] of rest.rows.entries()) {
          const later = whole.rows[i].filter(({ step }) => step >= rows[0].step);
          expect(rows.length).toBeGreaterThan(0);
          expect(withoutTime(rows)).toEqual(withoutTime(later));
        }
        expect(rest.outcomes.map(({ final }) => final)).toEqual(whole.outcomes.map(({ final }) => final));
      }
    });

    test("a CNN learns what it learns on the other backend", async () => {
      const training = await network(momentum({ lr: 0.01, momentum: 0.9 }));
      const [ours, theirs] = [backend, other].map((one) => trainedValues(training, one));
      expect(largestDifference(theirs, ours)).toBeLessThan(2e-3);
      const { rows } = await train({ ...training, steps: 120, evaluateEvery: 60 }, backend);
      expect(rows[0].at(-1)!.validationAccuracy).toBeGreaterThan(0.8);
    });

    describe.runIf(bfloat16)("in bfloat16", () => {
      const choice = momentum({ lr: 0.01, momentum: 0.9 });

      test("a CNN learns as in float32, within its digits", async () => {
        const exact = await network(choice);
        const losses = [exact, { ...exact, precision: "bfloat16" } as const].map(async (training) => {
          const { rows } = await train(training, backend);
          return rows[0].at(-1)!.validationLoss;
        });
        const [long, short] = await Promise.all(losses);
        expect(short).not.toBe(long);
        expect(Math.abs(short - long) / long).toBeLessThan(0.1);
      });

      test("the same bits twice", async () => {
        const training = await network(choice, { precision: "bfloat16" });
        const [once, again] = [await train(training, backend), await train(training, backend)];
        expect(withoutTime(again.rows[0])).toEqual(withoutTime(once.rows[0]));
      });
    });
  });
}
