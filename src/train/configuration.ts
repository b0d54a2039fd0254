/** What a training of lanes is told: one problem, one optimizer, one seed, many settings of hyperparameters. */
import { type Shape, sizeOf } from "../base/shape.js";
import type { RunLength } from "../learn/averages/index.js";
import type { Dataset, SplitName } from "../learn/datasets/dataset.js";
import type { OptimizerChoice } from "../learn/optimizers/optimizer.js";
import type { Problem } from "../learn/problems/problem.js";
import type { EarlyStopping } from "../runs/records.js";

export interface LaneTraining {
  readonly problem: Problem;
  /** What `problem.dataset.load()` gave; absent where the problem has none. */
  readonly dataset?: Dataset;
  /** The optimizer with what goes around it; its grid of settings is not used here. */
  readonly choice: OptimizerChoice;
  /** One for each lane: every hyperparameter of the optimizer. */
  readonly lanes: readonly Readonly<Record<string, number>>[];
  readonly seed: number;
  /** Examples of a batch; "full" uses all of the training split in its own order. Of no effect without data. */
  readonly batchSize: number | "full";
  /**
   * Examples that are looked at together, where a batch has more: the step takes the sum over its parts, and memory is
   * that of one part. Absent: batches are taken whole.
   */
  readonly microBatch?: number;
  /** Updates in all. */
  readonly steps: number;
  readonly shuffle: boolean;
  readonly dtype: "float32" | "float64";
  /** What products of matrices and of images with filters round their operands to; absent: nothing. */
  readonly precision?: "bfloat16";
  /** Splits to evaluate, apart from what training itself shows. */
  readonly evaluate: readonly SplitName[];
  /**
   * Splits that are looked at once, when a lane has made its last step: with its last parameters, and with those of its
   * best evaluation. None if absent.
   */
  readonly evaluateAtEnd?: readonly SplitName[];
  /** Whether rows hold the metrics of the training batches too, as "trainAccuracy": means over the steps since the last row. */
  readonly trainMetrics?: boolean;
  /**
   * Whether rows hold the gradient noise that the parts of batches tell, micro-batches or else the shares of ranks: means
   * over the steps since the last evaluation.
   */
  readonly gradientNoise?: boolean;
  /** Whether the sink gets what a lane has learned when it ends. */
  readonly keepModel?: boolean;
  /** Steps between evaluations; the last step is always evaluated. */
  readonly evaluateEvery: number;
  /** When lanes end before the last step; absent: never. */
  readonly earlyStopping?: EarlyStopping;
  /** Steps between rows of the loss that steps see, 0 for none. At a step that is evaluated that row is the only one. */
  readonly recordEvery: number;
  /** Whether rows hold the parameters, as "parameter.<name>": for problems of a few numbers. */
  readonly recordParameters: boolean;
}

/** Steps of one epoch: the last batch may be shorter. */
export function stepsPerEpoch(trainCount: number, batchSize: number | "full"): number {
  return batchSize === "full" ? 1 : Math.ceil(trainCount / batchSize);
}

/** The run's length as averages take it. */
export const runLength = ({ dataset, batchSize, steps }: LaneTraining): RunLength => ({
  totalSteps: steps,
  ...(dataset && { stepsPerEpoch: stepsPerEpoch(dataset.train.count, batchSize) }),
});

/** Whether a step's loss is the training loss itself, not that of a batch. */
export const hasExactLoss = ({ dataset, batchSize }: LaneTraining): boolean =>
  dataset === undefined || batchSize === "full";

/**
 * As rows name the loss that a step sees. Without an average it is the training loss itself where every step sees all of
 * it; with one the training loss is that of the average, measured at evaluations.
 */
export function stepLossName(training: LaneTraining): string {
  if (!hasExactLoss(training)) return "batchLoss";
  return training.choice.average ? "iterateLoss" : "trainLoss";
}

/** As rows name a metric of a split: "validationAccuracy". */
export const metricName = (split: SplitName, metric: string): string => split + capitalised(metric);

/** As summaries name what the parameters of the best evaluation give: "bestTestAccuracy". */
export const bestMetricName = (metric: string): string => `best${capitalised(metric)}`;

/** By which measured metric evaluations are ranked: that of early stopping, the validation split's accuracy, its loss. */
export function rankingMetric(
  { evaluate, earlyStopping }: LaneTraining,
  metrics: readonly string[],
): string | undefined {
  if (earlyStopping) return earlyStopping.metric;
  if (!evaluate.includes("validation")) return undefined;
  return metricName("validation", metrics.includes("accuracy") ? "accuracy" : "loss");
}

const capitalised = (text: string): string => text[0].toUpperCase() + text.slice(1);

/** As rows name the numbers of a parameter: "parameter.b" for a scalar, "parameter.w.0", "parameter.w.1", ... */
export const parameterMetrics = (name: string, shape: Shape): string[] =>
  shape.length === 0
    ? [`parameter.${name}`]
    : Array.from({ length: sizeOf(shape) }, (_, i) => `parameter.${name}.${i}`);

/** As the last row of a training on batches names what all training examples give: "finalTrainLoss". */
export const finalMetricName = (metric: string): string => `finalTrain${capitalised(metric)}`;

/** What rows tell of the gradient's noise. */
export const noiseMetrics = ["gradientSquare", "gradientVariance", "gradientNoiseScale"] as const;

/** The metrics of the rows of evaluations. */
export function evaluatedMetrics(training: LaneTraining): string[] {
  const { metrics } = training.problem.build(training.dataset);
  return [
    "trainLoss",
    ...training.evaluate.flatMap((split) => ["loss", ...metrics].map((metric) => metricName(split, metric))),
    ...(training.trainMetrics ? metrics.map((metric) => metricName("train", metric)) : []),
  ];
}

/** Every metric that the rows of a training hold. */
export function metricsOf(training: LaneTraining): string[] {
  const built = training.problem.build(training.dataset);
  const parameters = Object.entries(built.parameters);
  const stepLoss = stepLossName(training);
  return [
    ...evaluatedMetrics(training),
    ...(training.gradientNoise ? noiseMetrics : []),
    ...(training.evaluateAtEnd ?? []).flatMap((split) =>
      ["loss", ...built.metrics].map((metric) => metricName(split, metric)),
    ),
    ...(hasExactLoss(training) ? [] : ["loss", ...built.metrics].map(finalMetricName)),
    ...(training.recordEvery > 0 && stepLoss !== "trainLoss" ? [stepLoss] : []),
    ...(training.recordParameters
      ? parameters.flatMap(([name, { shape }]) => parameterMetrics(name, shape))
      : []),
  ];
}
