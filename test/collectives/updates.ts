/**
 * Trainings with a weight so large that processes divide its update, where they can; and all that they come to, in
 * digests that are equal for the same bits alone.
 */
import type { Backend, Executable } from "../../src/compile/backend.js";
import { ema } from "../../src/learn/averages/index.js";
import { activation, batchNorm, dense } from "../../src/learn/layers/index.js";
import { layersModel, perceptron } from "../../src/learn/models/index.js";
import { adam, adamw, lamb, momentum, type OptimizerChoice, sgd } from "../../src/learn/optimizers/index.js";
import { classificationProblem } from "../../src/learn/problems/index.js";
import { cosine } from "../../src/learn/schedules/index.js";
import type { MetricRow } from "../../src/runs/records.js";
import { type LaneTraining, trainLanes } from "../../src/train/index.js";
import type { LoopSnapshot } from "../../src/train/snapshot.js";
import { withCalls } from "../support/executables.js";
import { classifying, withoutTime } from "../train/support.js";
import { digest } from "./values.js";

export interface UpdateCase {
  /** Whether the update of the large weight can be divided. */
  readonly divides: boolean;
  readonly training: () => Promise<LaneTraining>;
}

/** A mebibyte and a little, by sizes that nothing divides. */
const hidden = { float32: [521, 509], float64: [367, 359] } as const;

/** 90 examples in batches of 36 and a last one of 18, which 2, 3, 4 and 6 ranks can divide. */
async function classified(
  choice: OptimizerChoice,
  changes: Partial<LaneTraining> = {},
): Promise<LaneTraining> {
  const { dtype = "float32" } = changes;
  const training = await classifying(choice, { batchSize: 36, steps: 7, keepModel: true, ...changes });
  const dataset = training.problem.dataset!;
  return {
    ...training,
    problem: classificationProblem({ dataset, model: perceptron({ hidden: hidden[dtype] }) }),
  };
}

async function normalized(): Promise<LaneTraining> {
  const training = await classified(momentum({ lr: 0.05 }));
  const [first, second] = hidden.float32;
  const model = layersModel({
    name: "normalized",
    layers: (outputs) => [
      dense(first),
      batchNorm({ synchronized: true }),
      activation("relu"),
      dense(second),
      dense(outputs),
    ],
  });
  return { ...training, problem: classificationProblem({ dataset: training.problem.dataset!, model }) };
}

const stopping: LaneTraining["earlyStopping"] = {
  ...{ patience: 2, metric: "validationLoss", minDelta: 0, restore: "best" },
};

export const updateCases: Readonly<Record<string, UpdateCase>> = {
  "gradient descent": { divides: true, training: () => classified(sgd({ lr: 0.1 })) },
  // A smaller program goes on once it is noticed, which is at the next evaluation.
  "momentum, three lanes of which one diverges": {
    divides: true,
    training: () => classified(momentum({ lr: [0.05, 1e30, 0.1] }), { evaluateEvery: 1 }),
  },
  Adam: { divides: true, training: () => classified(adam({ lr: 1e-3 })) },
  "AdamW with a schedule, float64": {
    divides: true,
    training: () => classified(adamw({ lr: 1e-3, schedule: cosine() }), { dtype: "float64" }),
  },
  "an average of iterates, of which the best is restored": {
    divides: true,
    training: () =>
      classified(momentum({ lr: 0.3, average: ema({ decay: 0.5 }) }), {
        ...{ evaluateEvery: 1, steps: 12, earlyStopping: stopping },
      }),
  },
  "micro-batches": { divides: true, training: () => classified(adam({ lr: 1e-3 }), { microBatch: 12 }) },
  "synchronized normalization": { divides: true, training: normalized },
  // Their norms are those of whole tensors.
  "LAMB, gradient noise": {
    divides: false,
    training: () => classified(lamb({ lr: 1e-2 }), { gradientNoise: true }),
  },
};

export interface UpdateOutcome {
  /** Of rows, ends and models, and of each variable of each program at its end. */
  readonly digests: Readonly<Record<string, string>>;
  /** After so many steps as were asked for. */
  readonly snapshot: LoopSnapshot | undefined;
}

/**
 * Trains to the end.
 * @param from where it goes on
 */
export async function updatesOn(
  backend: Backend,
  training: LaneTraining,
  { snapshotAt, from }: { readonly snapshotAt?: number; readonly from?: LoopSnapshot } = {},
): Promise<UpdateOutcome> {
  const digests: Record<string, string> = {};
  const told = training.lanes.map((): unknown[] => []);
  let snapshot: LoopSnapshot | undefined;
  let programs = 0;
  await trainLanes(
    training,
    {
      ...backend,
      compile(program) {
        const executable = backend.compile(program);
        const number = programs++;
        return onRelease(executable, () => {
          for (const name of Object.keys(program.variables))
            digests[`program ${number}, ${name}`] = digest(executable.read(name));
        });
      },
    },
    {
      rows: (lane, rows: readonly MetricRow[]) => told[lane].push(...withoutTime(rows)),
      model: (lane, model) => told[lane].push(model),
      finish: (lane, { ledger: _, timeS: __, ...outcome }) => told[lane].push(outcome),
    },
    {
      ...(from && { from: { snapshot: from, source: "a test" } }),
      checkpoints: {
        every: { steps: 1 },
        save(taken) {
          if (taken.step >= (snapshotAt ?? Number.POSITIVE_INFINITY)) snapshot ??= taken;
        },
      },
    },
  );
  const text = JSON.stringify(told, (_, value) => (ArrayBuffer.isView(value) ? digest(value) : value));
  return { digests: { ...digests, told: digest(new TextEncoder().encode(text)) }, snapshot };
}

/** The executable, which does something else too before it is released. */
const onRelease = (executable: Executable, act: () => void): Executable =>
  withCalls(executable, {
    release() {
      act();
      executable.release();
    },
  });
