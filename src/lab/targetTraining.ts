/**
 * How far a training goes until it meets a target, for each size of batch and each rule for the learning rate. One training
 * tells it for all numbers of ranks that are certified: they make the same steps, each in a time of its own.
 */
import { SlalomError, unknownName } from "../base/errors.js";
import type { Backend } from "../compile/backend.js";
import { type BatchRule, scaledForBatch } from "../learn/schedules/index.js";
import type { RunSummary, Target } from "../runs/index.js";
import { betterSide, meets, summaryBuilder } from "../runs/summary.js";
import { evaluatedMetrics, type LaneTraining, stepsPerEpoch, trainLanes } from "../train/index.js";
import { rankTraining } from "./rankTraining.js";
import type { Study } from "./study.js";

/** What a training of one seed came to. */
export interface SeedTraining {
  readonly seed: number;
  readonly outcome: "reached" | "not reached" | "diverged";
  /** The first evaluation that met the target. */
  readonly reached?: { readonly steps: number; readonly epochs: number };
  /** The best evaluation until the target was met or the training ended; absent where none gave a number. */
  readonly best?: { readonly value: number; readonly epochs: number };
}

/** Of several seeds the one in the middle, and beside it each. */
export interface TargetTraining extends Omit<SeedTraining, "seed"> {
  readonly rule: BatchRule;
  /** Examples of a step, over all ranks. */
  readonly batchSize: number;
  /** What the rule makes of the study's; a warm-up rises to it. */
  readonly learningRate: number;
  /** Steps of the linear rise from the study's learning rate; absent where there is none. */
  readonly warmupSteps?: number;
  /** On how many it was trained. */
  readonly ranks: number;
  /** Each, the soonest to meet the target first; absent where there is one. */
  readonly seeds?: readonly SeedTraining[];
  /**
   * Seconds to the target for each number of ranks that is certified for this batch: the steps times the measured step.
   * Evaluation and starting are not in them. Empty where the target was not met.
   */
  readonly times: readonly { readonly ranks: number; readonly seconds: number }[];
}

export interface TargetStudy {
  readonly target: Target;
  readonly seed: number;
  /** All of them, where there are several. */
  readonly seeds?: readonly number[];
  /** Each training ends here at the latest. */
  readonly epochs: number;
  /** Epochs between evaluations, about: when a target was met is known no better. */
  readonly evaluatedEvery: number;
  /** The study's own, which the rules start from. */
  readonly baseBatchSize: number;
  readonly baseLearningRate: number;
  readonly trainings: readonly TargetTraining[];
}

/** A number of ranks that was measured. */
export interface MeasuredRanks {
  readonly ranks: number;
  /** Examples of a step, over all ranks. */
  readonly batchSize: number;
  readonly stepS: { readonly median: number };
  /** Absent without a certificate. */
  readonly speedup?: number;
}

export interface TargetOptions {
  readonly target: Target;
  readonly rules: readonly BatchRule[];
  /** By default as many as the study has. */
  readonly epochs?: number;
  /** Of the linear rule; default 1. */
  readonly warmupEpochs?: number;
  /** How many seeds each training has: the study's first ones, and further ones where it has fewer; default 1. */
  readonly seeds?: number;
  /** Their batch sizes are trained, each on the most ranks that are certified for it. */
  readonly measured: readonly MeasuredRanks[];
  readonly backendOf: (ranks: number) => Promise<Backend>;
  /** Told of each training when it has ended. */
  readonly onTraining?: (training: TargetTraining) => void;
}

/**
 * The target of a value: of the validation split's accuracy unless it names a metric, of the test split's where there is
 * no validation split.
 * @throws SlalomError "option" for a study without batches, or a metric that its evaluations do not measure
 */
export async function targetOf(
  study: Study,
  { metric: asked, value }: { readonly metric?: string; readonly value: number },
): Promise<Target> {
  const { training } = await rankTraining("target", { ...study, test: "each" }, { backend: "cpu" });
  const measured = evaluatedMetrics(training);
  const accuracies = ["validationAccuracy", "testAccuracy"];
  const metric = asked ?? accuracies.find((name) => measured.includes(name)) ?? accuracies[0];
  const direction = betterSide(metric);
  if (direction === undefined || !measured.includes(metric)) {
    throw unknownName("metric of the target", metric, measured, "option");
  }
  return { metric, value, direction };
}

/**
 * Trains the study's first optimizer at its first setting, once for each batch size, rule and seed. Evaluations are as
 * many epochs apart as in the study. A schedule that the study has keeps its parameters, also those that count steps.
 * @throws SlalomError "option" for a study without batches, or an optimizer without a learning rate
 */
export async function trainToTarget(study: Study, options: TargetOptions): Promise<TargetStudy> {
  const { target, rules, measured, onTraining = () => {} } = options;
  const own = await rankTraining("target", study, { backend: "cpu" });
  const { hyperparameters } = own.configuration;
  const seeds = seedsOf(study, options.seeds ?? 1);
  const { lr } = hyperparameters;
  if (lr === undefined) {
    throw new SlalomError(
      "option",
      `target: ${own.configuration.optimizer} has no learning rate that follows the batch; expected an optimizer with "lr".`,
    );
  }
  const perEpoch = stepsPerEpoch(own.training.dataset!.train.count, own.batchSize);
  const epochs = options.epochs ?? Math.ceil(own.training.steps / perEpoch);
  const evaluatedEvery = own.training.evaluateEvery / perEpoch;
  const trainings: TargetTraining[] = [];
  for (const { batchSize, points } of batchesOf(measured)) {
    const ranks = Math.max(...points.map((point) => point.ranks));
    const backend = await options.backendOf(ranks);
    try {
      const { steps: _own, ...rest } = study;
      const asked: Study = {
        ...rest,
        batchSize,
        epochs,
        evaluateEvery: { epochs: evaluatedEvery },
        test: "each",
      };
      let trainedSeeds: SeedTraining[] | undefined;
      for (const rule of rules) {
        const { training, ...told } = scaledTraining(await evaluatedTraining(asked, target), {
          rule,
          batchSize,
          baseBatchSize: own.batchSize,
          warmupEpochs: options.warmupEpochs ?? 1,
        });
        // At the study's own size of batch all rules train the same.
        if (trainedSeeds === undefined || batchSize !== own.batchSize) {
          trainedSeeds = [];
          for (const seed of seeds) {
            const summary = await trained({ ...training, seed }, target, backend);
            trainedSeeds.push({ seed, ...outcomeOf(summary, target, perEpochOf(training)) });
          }
        }
        const one = { rule, batchSize, ...told, ranks, ...middleOf(trainedSeeds, points) };
        trainings.push(one);
        onTraining(one);
      }
    } finally {
      await backend.close?.();
    }
  }
  return {
    target,
    seed: seeds[0],
    ...(seeds.length > 1 && { seeds }),
    epochs,
    evaluatedEvery,
    baseBatchSize: own.batchSize,
    baseLearningRate: lr,
    trainings,
  };
}

/** The study's first seeds, and after its last ones those that follow the greatest. */
function seedsOf({ seeds }: Study, count: number): number[] {
  const next = Math.max(...seeds) + 1;
  return Array.from({ length: count }, (_, i) => seeds[i] ?? next + i - seeds.length);
}

/** The certified points of each batch size, smallest first. */
function batchesOf(
  measured: readonly MeasuredRanks[],
): { readonly batchSize: number; readonly points: readonly MeasuredRanks[] }[] {
  const certified = measured.filter(({ speedup }) => speedup !== undefined);
  const sizes = [...new Set(certified.map(({ batchSize }) => batchSize))].sort((a, b) => a - b);
  return sizes.map((batchSize) => ({
    batchSize,
    points: certified.filter((point) => point.batchSize === batchSize).sort((a, b) => a.ranks - b.ranks),
  }));
}

/** The study's training with its evaluations alone, of the split that the target is about. */
async function evaluatedTraining(study: Study, { metric }: Target): Promise<LaneTraining> {
  const { training } = await rankTraining("target", study, { backend: "cpu" });
  const { earlyStopping: _stopping, ...rest } = training;
  return {
    ...rest,
    evaluate: training.evaluate.filter((split) => metric.startsWith(split)),
    evaluateAtEnd: [],
    trainMetrics: false,
    keepModel: false,
    recordEvery: 0,
    recordParameters: false,
  };
}

interface ScaledTraining extends Pick<TargetTraining, "learningRate" | "warmupSteps"> {
  readonly training: LaneTraining;
}

function scaledTraining(
  training: LaneTraining,
  sizes: {
    readonly rule: BatchRule;
    readonly batchSize: number;
    readonly baseBatchSize: number;
    readonly warmupEpochs: number;
  },
): ScaledTraining {
  const { warmupEpochs, ...scaling } = sizes;
  const [lane] = training.lanes;
  const { schedule: own } = training.choice;
  const steps = Math.max(1, Math.round(warmupEpochs * perEpochOf(training)));
  const { lr, schedule } = scaledForBatch([lane.lr], {
    ...scaling,
    ...(scaling.rule === "linear" && { warmup: { steps } }),
    ...(own && { schedule: own }),
  });
  const [learningRate] = lr as readonly number[];
  return {
    learningRate,
    ...(schedule !== own && { warmupSteps: steps }),
    training: {
      ...training,
      choice: { ...training.choice, ...(schedule && { schedule }) },
      lanes: [{ ...lane, lr: learningRate }],
    },
  };
}

const perEpochOf = ({ dataset, batchSize }: LaneTraining): number =>
  stepsPerEpoch(dataset!.train.count, batchSize);

/** Trains until the target is met, or to the end. */
async function trained(training: LaneTraining, target: Target, backend: Backend): Promise<RunSummary> {
  const met = new AbortController();
  const builder = summaryBuilder([target]);
  let summary: RunSummary | undefined;
  await trainLanes(
    training,
    backend,
    {
      rows: (_lane, rows) => {
        for (const row of rows) {
          builder.add(row);
          if (meets(row[target.metric] ?? Number.NaN, target)) met.abort();
        }
      },
      finish: (_lane, outcome) => {
        summary = builder.finish(outcome);
      },
    },
    { signal: met.signal },
  );
  return summary!;
}

function outcomeOf(
  { targets: [{ step: steps }], best, status }: RunSummary,
  { metric }: Target,
  perEpoch: number,
): Omit<SeedTraining, "seed"> {
  const { [metric]: own } = best;
  return {
    outcome: steps !== null ? "reached" : status === "diverged" ? "diverged" : "not reached",
    ...(steps !== null && { reached: { steps, epochs: steps / perEpoch } }),
    ...(own && { best: { value: own.value, epochs: own.step / perEpoch } }),
  };
}

/** The seed in the middle, of an even number the later one to meet the target; those that never did come last. */
function middleOf(
  trainedSeeds: readonly SeedTraining[],
  points: readonly MeasuredRanks[],
): Omit<SeedTraining, "seed"> & Pick<TargetTraining, "seeds" | "times"> {
  const stepsOf = ({ reached }: SeedTraining): number => reached?.steps ?? Number.MAX_SAFE_INTEGER;
  const seeds = [...trainedSeeds].sort((a, b) => stepsOf(a) - stepsOf(b));
  const { seed: _own, ...middle } = seeds[Math.floor(seeds.length / 2)];
  const { reached } = middle;
  return {
    ...middle,
    ...(seeds.length > 1 && { seeds }),
    times: reached
      ? points.map(({ ranks, stepS }) => ({ ranks, seconds: reached.steps * stepS.median }))
      : [],
  };
}
