/** What a training of lanes is told: one problem, one optimizer, one seed, many settings of hyperparameters. */
import type { Dataset, SplitName } from "../learn/datasets/dataset.js";
import type { OptimizerChoice } from "../learn/optimizers/optimizer.js";
import type { Problem } from "../learn/problems/problem.js";
import type { Target } from "../runs/records.js";

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
  /** Updates in all. */
  readonly steps: number;
  readonly shuffle: boolean;
  readonly dtype: "float32" | "float64";
  /** Splits to evaluate, apart from what training itself shows. */
  readonly evaluate: readonly SplitName[];
  /** Steps between evaluations; the last step is always evaluated. */
  readonly evaluateEvery: number;
  /** Steps between rows of the training loss. */
  readonly recordEvery: number;
  /** Whether rows hold the parameters, as "parameter.<name>": for problems of a few numbers. */
  readonly recordParameters: boolean;
  readonly targets: readonly Target[];
}

/** Steps of one epoch: the last batch may be shorter. */
export function stepsPerEpoch(trainCount: number, batchSize: number | "full"): number {
  return batchSize === "full" ? 1 : Math.ceil(trainCount / batchSize);
}
