/**
 * A study: a problem, optimizers with the values to try, seeds, a budget. Plain data with everything resolved;
 * `study({...})` checks what a user wrote and fills in the problem's defaults.
 */
import { checkKeys, SlalomError } from "../base/errors.js";
import type { OptimizerChoice } from "../learn/optimizers/optimizer.js";
import type { Problem } from "../learn/problems/problem.js";
import type { Target } from "../runs/records.js";

export interface StudyOptions {
  /** The folder's name in the run store; by default the problem's. */
  readonly name?: string;
  readonly title?: string;
  readonly problem: Problem;
  /** What to compare: `[sgd({ lr: logspace(1e-3, 10, 9) }), adam()]`. */
  readonly optimizers: readonly OptimizerChoice[];
  /** How many (0, 1, 2, ...) or which; by default 1. */
  readonly seeds?: number | readonly number[];
  /** Passes over the training data; for a problem with data. */
  readonly epochs?: number;
  /** Updates; in place of `epochs`. */
  readonly steps?: number;
  /** Examples of a batch, or "full". */
  readonly batchSize?: number | "full";
  /** Whether each epoch has an order of its own; by default true. */
  readonly shuffle?: boolean;
  readonly dtype?: "float32" | "float64";
  /** Steps between evaluations; by default an epoch, or without data a hundredth of the steps. */
  readonly evaluateEvery?: number;
  /** Steps between rows of the training loss; by default every step without batches, and none with. */
  readonly recordEvery?: number;
  /** When a metric reaches a value: `[{ metric: "validationAccuracy", value: 0.92 }]`. */
  readonly targets?: readonly TargetOption[];
  /** Comparisons at settings of your own, beside those at each optimizer's best. */
  readonly comparisons?: readonly Comparison[];
}

/** The direction follows from the metric: accuracies rise, losses fall. */
export type TargetOption = Omit<Target, "direction"> & Partial<Pick<Target, "direction">>;

/** Settings to be drawn beside one another. */
export interface Comparison {
  readonly id: string;
  readonly title: string;
  readonly settings: readonly {
    readonly optimizer: string;
    readonly hyperparameters: Readonly<Record<string, number>>;
  }[];
}

export interface Study
  extends Required<
    Omit<StudyOptions, "title" | "epochs" | "steps" | "targets" | "seeds" | "evaluateEvery" | "recordEvery">
  > {
  readonly title: string;
  readonly seeds: readonly number[];
  readonly epochs?: number;
  readonly steps?: number;
  readonly evaluateEvery?: number;
  readonly recordEvery?: number;
  readonly targets: readonly Target[];
}

const optionNames: readonly string[] = [
  "name",
  "title",
  "problem",
  "optimizers",
  "seeds",
  "epochs",
  "steps",
  "batchSize",
  "shuffle",
  "dtype",
  "evaluateEvery",
  "recordEvery",
  "targets",
  "comparisons",
] satisfies (keyof StudyOptions)[];

/**
 * A study from its options.
 * @throws SlalomError "option" for an unknown option, an impossible value, or an option that the problem can't use
 */
export function study(options: StudyOptions): Study {
  checkKeys("study", options, optionNames);
  const { problem, optimizers } = options;
  if (typeof problem?.build !== "function")
    fail(`problem is ${describe(problem)}; expected a problem such as mnist({ model: softmaxRegression() })`);
  if (
    !Array.isArray(optimizers) ||
    optimizers.length === 0 ||
    optimizers.some((choice) => typeof choice?.optimizer?.update !== "function")
  ) {
    fail(`optimizers is ${describe(optimizers)}; expected a list such as [sgd({ lr: [0.1, 1] }), adam()]`);
  }
  const { defaults } = problem;
  if (options.epochs !== undefined && options.steps !== undefined)
    fail("both epochs and steps are given; expected one of them");
  if (options.epochs !== undefined && !problem.dataset)
    fail(`epochs is ${options.epochs}, but the problem "${problem.name}" has no data; give steps`);
  const epochs = options.steps === undefined ? (options.epochs ?? defaults.epochs) : undefined;
  const steps = epochs === undefined ? (options.steps ?? defaults.steps) : undefined;
  if (epochs === undefined && steps === undefined)
    fail(`neither epochs nor steps are given, and the problem "${problem.name}" has no default`);
  for (const [name, value] of Object.entries({ epochs, steps, evaluateEvery: options.evaluateEvery })) {
    if (value !== undefined) positiveInteger(name, value);
  }
  const recordEvery = options.recordEvery;
  if (recordEvery !== undefined && recordEvery !== 0) positiveInteger("recordEvery", recordEvery);
  const batchSize = options.batchSize ?? defaults.batchSize ?? "full";
  if (batchSize !== "full") positiveInteger("batchSize", batchSize);
  const dtype = options.dtype ?? (defaults.dtype === "float64" ? "float64" : "float32");
  if (dtype !== "float32" && dtype !== "float64")
    fail(`dtype is ${describe(dtype)}; expected "float32" or "float64"`);
  return {
    name: options.name ?? problem.name,
    title: options.title ?? problem.title,
    problem,
    optimizers,
    seeds: seedsOf(options.seeds ?? 1),
    ...(epochs !== undefined && { epochs }),
    ...(steps !== undefined && { steps }),
    batchSize,
    shuffle: options.shuffle ?? true,
    dtype,
    ...(options.evaluateEvery !== undefined && { evaluateEvery: options.evaluateEvery }),
    ...(recordEvery !== undefined && { recordEvery }),
    targets: (options.targets ?? []).map(targetOf),
    comparisons: (options.comparisons ?? []).map((comparison) => checkComparison(comparison, optimizers)),
  };
}

function seedsOf(seeds: number | readonly number[]): readonly number[] {
  if (typeof seeds === "number") {
    positiveInteger("seeds", seeds);
    return Array.from({ length: seeds }, (_, seed) => seed);
  }
  const valid =
    Array.isArray(seeds) &&
    seeds.length > 0 &&
    seeds.every((seed) => Number.isSafeInteger(seed) && seed >= 0);
  if (!valid || new Set(seeds).size !== seeds.length)
    fail(`seeds is ${describe(seeds)}; expected a count, or a list of different integers from 0`);
  return seeds;
}

function targetOf(target: TargetOption): Target {
  checkKeys("a target", target, ["metric", "value", "direction"]);
  const { metric, value, direction = /accuracy$/i.test(target.metric) ? "above" : "below" } = target;
  if (typeof metric !== "string" || !Number.isFinite(value) || !["above", "below"].includes(direction)) {
    fail(
      `a target is ${describe(target)}; expected { metric: "validationAccuracy", value: 0.92 }, with direction "above" or "below" if you like`,
    );
  }
  return { metric, value, direction };
}

function checkComparison(comparison: Comparison, optimizers: readonly OptimizerChoice[]): Comparison {
  checkKeys("a comparison", comparison, ["id", "title", "settings"]);
  for (const { optimizer, hyperparameters } of comparison.settings) {
    const tried = optimizers.some(
      (choice) =>
        choice.optimizer.id === optimizer &&
        Object.entries(hyperparameters).every(([name, value]) => choice.settings[name]?.includes(value)),
    );
    if (!tried) {
      fail(
        `comparison "${comparison.id}" asks for ${optimizer} at ${describe(hyperparameters)}, which the study does not train; add these values to the optimizer's lists`,
      );
    }
  }
  return comparison;
}

function positiveInteger(name: string, value: number): void {
  if (!Number.isInteger(value) || value < 1)
    fail(`${name} is ${describe(value)}; expected a positive integer`);
}

const describe = (value: unknown): string =>
  value === undefined ? "absent" : typeof value === "function" ? "a function" : JSON.stringify(value);

function fail(problem: string): never {
  throw new SlalomError("option", `study: ${problem}.`);
}
