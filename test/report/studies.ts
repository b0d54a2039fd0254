/**
 * Two studies in a real run store, computed by plain loops: exercise 1's linear model (deterministic, with
 * diverging runs) and curves like those of a classifier on five seeds.
 */
import { keyFromSeed, normalFromBits, randomBits } from "../../src/base/random.js";
import {
  type MetricRow,
  openStore,
  type RunConfiguration,
  type Study,
  type StudyRecord,
} from "../../src/runs/index.js";

const versions = { slalom: "0.1.0", node: "20.0.0", backend: "reference", cpu: "a processor" };
const created = "2025-01-01T00:00:00.000Z";

export const linearRates = [1e-4, 1e-3, 5e-3, 1e-2, 0.05, 0.5];
export const momenta = [0.3, 0.6, 0.9];
export const adamRates = [1e-3, 1e-2, 0.05, 0.1, 0.5];
export const linearSteps = 400;
export const linearTargets = [1e-2, 1e-6];

/** Sum of squared errors of W x + b on the four points of exercise 1. */
export const linearLoss = (w: number, b: number): number =>
  [1, 2, 3, 4].reduce((sum, x, i) => sum + (w * x + b + i) ** 2, 0);

function linearGradient(w: number, b: number): [number, number] {
  let [gw, gb] = [0, 0];
  for (const [i, x] of [1, 2, 3, 4].entries()) {
    const error = 2 * (w * x + b + i);
    gw += error * x;
    gb += error;
  }
  return [gw, gb];
}

type Update = (gradient: number, slots: number[], step: number) => number;

const updates: Record<string, (hyper: Record<string, number>) => Update> = {
  sgd:
    ({ lr }) =>
    (gradient) =>
      lr * gradient,
  momentum:
    ({ lr, momentum }) =>
    (gradient, slots) => {
      slots[0] = momentum * (slots[0] ?? 0) + gradient;
      return lr * slots[0];
    },
  adam:
    ({ lr }) =>
    (gradient, slots, step) => {
      slots[0] = 0.9 * (slots[0] ?? 0) + 0.1 * gradient;
      slots[1] = 0.999 * (slots[1] ?? 0) + 0.001 * gradient * gradient;
      return (lr * (slots[0] / (1 - 0.9 ** step))) / (Math.sqrt(slots[1] / (1 - 0.999 ** step)) + 1e-8);
    },
};

export interface LinearRun {
  readonly losses: readonly number[];
  readonly path: readonly (readonly [number, number])[];
  readonly divergedAt?: number;
}

/** One run on the linear model; it ends where the loss passes 10¹⁰ times the first. */
export function linearRun(optimizer: string, hyper: Record<string, number>): LinearRun {
  let [w, b] = [0.3, -0.3];
  const update = updates[optimizer](hyper);
  const slots: [number[], number[]] = [[], []];
  const losses = [linearLoss(w, b)];
  const path: [number, number][] = [[w, b]];
  for (let step = 1; step <= linearSteps; step++) {
    const [gw, gb] = linearGradient(w, b);
    w -= update(gw, slots[0], step);
    b -= update(gb, slots[1], step);
    losses.push(linearLoss(w, b));
    path.push([w, b]);
    if (!(losses[step] < 1e10 * losses[0])) return { losses, path, divergedAt: step };
  }
  return { losses, path };
}

/** The grid of the linear study, one entry for each run. */
export function linearGrid(): { optimizer: string; hyperparameters: Record<string, number> }[] {
  return [
    ...linearRates.map((lr) => ({ optimizer: "sgd", hyperparameters: { lr } as Record<string, number> })),
    ...linearRates.flatMap((lr) =>
      momenta.map((momentum) => ({ optimizer: "momentum", hyperparameters: { lr, momentum } })),
    ),
    ...adamRates.map((lr) => ({
      optimizer: "adam",
      hyperparameters: { lr, beta1: 0.9, beta2: 0.999, eps: 1e-8 },
    })),
  ];
}

/** Stores the linear study under `root`. */
export function writeLinearStudy(root: string, changes: Partial<StudyRecord> = {}): Study {
  const record: StudyRecord = {
    name: "linear",
    title: "Optimizers on a linear model",
    problem: "linear-regression",
    optimizers: [
      { optimizer: "sgd", hyperparameters: { lr: linearRates } },
      { optimizer: "momentum", hyperparameters: { lr: linearRates, momentum: momenta } },
      { optimizer: "adam", hyperparameters: { lr: adamRates, beta1: [0.9], beta2: [0.999], eps: [1e-8] } },
    ],
    seeds: [0],
    steps: linearSteps,
    dtype: "float64",
    targets: linearTargets.map((value) => ({ metric: "trainLoss", value, direction: "below" })),
    deterministic: true,
    versions,
    created,
    ...changes,
  };
  const study = openStore(root).createStudy(record);
  for (const { optimizer, hyperparameters } of linearGrid()) {
    const run = linearRun(optimizer, hyperparameters);
    const writer = study.createRun({
      problem: record.problem,
      optimizer,
      hyperparameters,
      seed: 0,
      steps: linearSteps,
      shuffle: false,
      dtype: "float64",
      backend: "reference",
    });
    writer.append(
      run.losses.map((trainLoss, step) => ({
        step,
        timeS: step * 1e-6,
        trainLoss,
        "parameter.W": run.path[step][0],
        "parameter.b": run.path[step][1],
      })) as MetricRow[],
    );
    const divergence =
      run.divergedAt === undefined
        ? undefined
        : {
            step: run.divergedAt,
            quantity: "loss",
            value: run.losses[run.divergedAt],
            lastFiniteLoss: run.losses[run.divergedAt],
          };
    const [W, b] = run.path[run.path.length - 1];
    writer.finish({
      status: divergence ? "diverged" : "completed",
      divergence,
      parameters: { W: [W], b: [b] },
    });
  }
  return study;
}

export const classifierSeeds = [0, 1, 2, 3, 4];
export const classifierEpochs = 12;
const stepsPerEpoch = 50;

interface ClassifierSetting {
  readonly optimizer: string;
  readonly hyperparameters: Record<string, number>;
  /** The learning rate in units of the best one. */
  readonly relative: number;
  /** The validation loss that the best rate tends to. */
  readonly floor: number;
}

export function classifierGrid(): ClassifierSetting[] {
  const rates = (from: number) =>
    Array.from({ length: 7 }, (_, i) => Number((from * 10 ** (i / 2)).toPrecision(2)));
  return [
    ...rates(0.01).map((lr) => ({
      optimizer: "sgd",
      hyperparameters: { lr },
      relative: lr / 0.5,
      floor: 0.2735,
    })),
    ...rates(0.001).flatMap((lr) =>
      [0.3, 0.9].map((momentum) => ({
        optimizer: "momentum",
        hyperparameters: { lr, momentum },
        relative: lr / (0.5 * (1 - momentum)),
        floor: 0.2702,
      })),
    ),
    ...rates(1e-5).map((lr) => ({
      optimizer: "adam",
      hyperparameters: { lr, beta1: 0.9, beta2: 0.999, eps: 1e-8 },
      relative: lr / 0.001,
      floor: 0.2701,
    })),
  ];
}

/** The rows of one synthetic run: one each epoch, first before training. Diverges where the rate is far too large. */
export function classifierRows(
  setting: ClassifierSetting,
  seed: number,
): { rows: MetricRow[]; divergedAt?: number } {
  const noise = (epoch: number, stream: number) =>
    normalFromBits(randomBits(keyFromSeed(seed * 31 + stream), epoch), 1);
  const { relative, floor, optimizer } = setting;
  const own = 4 + ["sgd", "momentum", "adam"].indexOf(optimizer);
  const rows: MetricRow[] = [];
  for (let epoch = 0; epoch <= classifierEpochs; epoch++) {
    const roughness = 0.0012 + 0.01 * Math.max(0, Math.log10(relative));
    const loss =
      floor +
      (2.3 - floor) / (1 + 40 * relative * epoch) ** 0.9 +
      0.05 * Math.max(0, Math.log10(relative)) ** 2 +
      (epoch === 0 ? 0 : roughness * noise(epoch, 1) + 0.0015 * noise(0, 2) + 0.0012 * noise(1, own));
    // One seed in five survives the largest rate but one.
    const blowsUp = relative > 15 && epoch >= 2 && (relative > 30 || seed !== 3);
    const row = { step: epoch * stepsPerEpoch, epoch, timeS: epoch * (0.2 + 0.001 * seed) } as MetricRow;
    if (blowsUp) {
      rows.push({ ...row, trainLoss: Number.POSITIVE_INFINITY } as MetricRow);
      return { rows, divergedAt: row.step };
    }
    const accuracy = Math.round(10000 * (0.1 + 0.826 * Math.exp(-0.32 * (loss - 0.27)))) / 10000;
    Object.assign(row, {
      trainLoss: loss * 0.97,
      validationLoss: loss,
      validationAccuracy: Math.min(0.93, accuracy),
      testAccuracy: Math.min(0.93, accuracy - 0.002 + 0.0004 * noise(epoch, 3)),
      ...(epoch === classifierEpochs && { finalTrainLoss: loss * 0.96 }),
    });
    rows.push(row);
  }
  return { rows };
}

/** Stores the classifier study under `root`; `seeds` may be fewer, `name` may be hostile. */
export function writeClassifierStudy(root: string, changes: Partial<StudyRecord> = {}): Study {
  const record: StudyRecord = {
    name: "classifier",
    title: "Optimizers on handwritten digits",
    problem: "mnist-softmax",
    optimizers: ["sgd", "momentum", "adam"].map((optimizer) => {
      const settings = classifierGrid().filter((setting) => setting.optimizer === optimizer);
      const names = Object.keys(settings[0].hyperparameters);
      return {
        optimizer,
        hyperparameters: Object.fromEntries(
          names.map((name) => [name, [...new Set(settings.map((one) => one.hyperparameters[name]))]]),
        ),
      };
    }),
    seeds: classifierSeeds,
    epochs: classifierEpochs,
    batchSize: 100,
    shuffle: true,
    dtype: "float32",
    targets: [
      { metric: "validationLoss", value: 0.29, direction: "below" },
      { metric: "testAccuracy", value: 0.92, direction: "above" },
    ],
    versions,
    created,
    ...changes,
  };
  const study = openStore(root).createStudy(record);
  for (const setting of classifierGrid()) {
    for (const seed of record.seeds) {
      const configuration: RunConfiguration = {
        problem: record.problem,
        optimizer: setting.optimizer,
        hyperparameters: setting.hyperparameters,
        seed,
        batchSize: 100,
        epochs: classifierEpochs,
        steps: classifierEpochs * stepsPerEpoch,
        shuffle: true,
        dtype: "float32",
        backend: "reference",
      };
      const writer = study.createRun(configuration);
      const { rows, divergedAt } = classifierRows(setting, seed);
      writer.append(rows);
      writer.finish(
        divergedAt === undefined
          ? { status: "completed" }
          : {
              status: "diverged",
              divergence: {
                step: divergedAt,
                quantity: "loss",
                value: Number.POSITIVE_INFINITY,
                lastFiniteLoss: rows[rows.length - 2].trainLoss,
              },
            },
      );
    }
  }
  return study;
}
