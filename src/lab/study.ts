/**
 * A study: a problem, optimizers with the values to try, seeds, a budget. Plain data with everything resolved;
 * `study({...})` checks what a user wrote and fills in the problem's defaults.
 */
import { checkKeys, SlalomError } from "../base/errors.js";
import type { OptimizerChoice } from "../learn/optimizers/optimizer.js";
import type { Problem } from "../learn/problems/problem.js";
import type { EarlyStopping, Target } from "../runs/records.js";

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
  /**
   * Examples that are looked at together, where a batch has more: a step adds up the gradients of its micro-batches, and
   * memory is that of one. It divides the batch; of no effect on a batch that is no larger. Default: the batch.
   */
  readonly microBatch?: number;
  /** Whether each epoch has an order of its own; by default true. */
  readonly shuffle?: boolean;
  readonly dtype?: "float32" | "float64";
  /**
   * What products of matrices and of images with filters multiply: float32, or operands rounded to bfloat16, which
   * processors with AMX or AVX-512 BF16 multiply faster. Parameters, slots and sums are float32 either way.
   */
  readonly precision?: "float32" | "bfloat16";
  /**
   * Between evaluations: so many steps, `{ steps: 100 }` or the number alone, or with data `{ epochs: 0.5 }`; by default
   * an epoch, or without batches a hundredth of the steps.
   */
  readonly evaluateEvery?: number | { readonly steps: number } | { readonly epochs: number };
  /** Steps between rows of the training loss; by default every step without batches, and none with. */
  readonly recordEvery?: number;
  /**
   * When the test split is looked at. "each" (default): at every evaluation. "end": once, after the last step, with the
   * last parameters ("testAccuracy") and with those of the best evaluation on the validation split ("bestTestAccuracy").
   */
  readonly test?: "each" | "end";
  /** Whether rows hold the metrics of the training batches too, as "trainAccuracy"; by default false. */
  readonly trainMetrics?: boolean;
  /**
   * Whether rows hold the gradient noise that the parts of each batch tell, as "gradientNoiseScale" and what it is made of;
   * by default false. The parts are micro-batches, of at most half a batch, or else the shares of two ranks or more.
   */
  readonly gradientNoise?: boolean;
  /**
   * Whether what each run has learned is kept, as last.safetensors and best.safetensors beside its rows, with what the
   * best says of the test split in predictions.json; by default false.
   */
  readonly keepModel?: boolean;
  /** Ends runs that no longer become better; absent: every run makes all of its steps. */
  readonly earlyStopping?: EarlyStoppingOptions;
  /**
   * How often an unfinished training is kept, so that it can go on from there: `{ steps: 500 }` or `{ minutes: 10 }`; by
   * default every 5 minutes. It is kept in any case when it is interrupted.
   */
  readonly checkpointEvery?: { readonly steps: number } | { readonly minutes: number };
  /**
   * When a metric reaches a value: `[{ metric: "validationAccuracy", value: 0.92 }]`. Measured at evaluations and
   * recorded steps; the step, the epoch and the training seconds until then are kept. Those seconds are a run's share
   * of the time of the steps it trained in beside others, without evaluation, compilation and start-up.
   */
  readonly targets?: readonly TargetOption[];
  /** Comparisons at settings of your own, beside those at each optimizer's best. */
  readonly comparisons?: readonly Comparison[];
}

export interface EarlyStoppingOptions {
  /** Evaluations in a row that are no better before a run ends. */
  readonly patience: number;
  /** What evaluations measure and a run waits for, never of the test split; by default "validationLoss". */
  readonly metric?: string;
  /** Only what is better by more than this counts as better; by default 0. */
  readonly minDelta?: number;
  /**
   * "best": final metrics and the kept model are those of the best evaluation, also of runs that made all of their steps;
   * by default they are those of the last one.
   */
  readonly restore?: "best";
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
    Omit<
      StudyOptions,
      | "title"
      | "epochs"
      | "steps"
      | "microBatch"
      | "targets"
      | "seeds"
      | "evaluateEvery"
      | "recordEvery"
      | "earlyStopping"
    >
  > {
  readonly title: string;
  readonly seeds: readonly number[];
  readonly epochs?: number;
  readonly steps?: number;
  readonly microBatch?: number;
  readonly evaluateEvery?: StudyOptions["evaluateEvery"];
  readonly recordEvery?: number;
  readonly earlyStopping?: EarlyStopping;
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
  "microBatch",
  "shuffle",
  "dtype",
  "precision",
  "evaluateEvery",
  "recordEvery",
  "test",
  "trainMetrics",
  "gradientNoise",
  "keepModel",
  "earlyStopping",
  "checkpointEvery",
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
  checkOptimizers(optimizers);
  const { defaults } = problem;
  const { epochs, steps } = budgetOf(options);
  const evaluateEvery = evaluationIntervalOf(options);
  const recordEvery = options.recordEvery;
  if (recordEvery !== undefined && recordEvery !== 0) positiveInteger("recordEvery", recordEvery);
  const batchSize = options.batchSize ?? defaults.batchSize ?? "full";
  if (batchSize !== "full") positiveInteger("batchSize", batchSize);
  const { microBatch } = options;
  if (microBatch !== undefined) {
    positiveInteger("microBatch", microBatch);
    if (!problem.dataset)
      fail(`microBatch is ${microBatch}, but the problem "${problem.name}" has no data; leave it out`);
  }
  const dtype = options.dtype ?? (defaults.dtype === "float64" ? "float64" : "float32");
  if (dtype !== "float32" && dtype !== "float64")
    fail(`dtype is ${describe(dtype)}; expected "float32" or "float64"`);
  const { precision = "float32" } = options;
  if (precision !== "float32" && precision !== "bfloat16")
    fail(`precision is ${describe(precision)}; expected "float32" or "bfloat16"`);
  if (precision === "bfloat16" && dtype === "float64")
    fail('precision is "bfloat16" and dtype "float64"; expected dtype "float32" with it');
  const { test = "each", trainMetrics = false, gradientNoise = false, keepModel = false } = options;
  if (test !== "each" && test !== "end") fail(`test is ${describe(test)}; expected "each" or "end"`);
  for (const [name, value] of Object.entries({ trainMetrics, gradientNoise, keepModel }))
    if (typeof value !== "boolean") fail(`${name} is ${describe(value)}; expected true or false`);
  const { shuffle = true, targets = [], comparisons = [] } = options;
  if (typeof shuffle !== "boolean") fail(`shuffle is ${describe(shuffle)}; expected true or false`);
  if (!Array.isArray(targets)) fail(`targets is ${describe(targets)}; expected a list`);
  if (!Array.isArray(comparisons)) fail(`comparisons is ${describe(comparisons)}; expected a list`);
  return {
    name: options.name ?? problem.name,
    title: options.title ?? problem.title,
    problem,
    optimizers,
    seeds: seedsOf(options.seeds ?? 1),
    ...(epochs !== undefined && { epochs }),
    ...(steps !== undefined && { steps }),
    batchSize,
    ...(microBatch !== undefined && { microBatch }),
    shuffle,
    dtype,
    precision,
    ...(evaluateEvery !== undefined && { evaluateEvery }),
    ...(recordEvery !== undefined && { recordEvery }),
    test,
    trainMetrics,
    gradientNoise,
    keepModel,
    ...(options.earlyStopping && { earlyStopping: earlyStoppingOf(options.earlyStopping) }),
    checkpointEvery: checkedInterval(options.checkpointEvery ?? { minutes: 5 }),
    targets: targets.map(targetOf),
    comparisons: comparisons.map((comparison) => checkComparison(comparison, optimizers)),
  };
}

function evaluationIntervalOf({ problem, evaluateEvery: given }: StudyOptions): Study["evaluateEvery"] {
  if (given === undefined) return undefined;
  if (typeof given === "number") return positiveInteger("evaluateEvery", given);
  if (intervalUnit("evaluateEvery", given, { steps: 100, epochs: 0.5 }) === "epochs" && !problem.dataset)
    fail(
      `evaluateEvery is ${describe(given)}, but the problem "${problem.name}" has no data; expected { steps: 100 }`,
    );
  return given;
}

function checkedInterval(given: Study["checkpointEvery"]): Study["checkpointEvery"] {
  intervalUnit("checkpointEvery", given, { steps: 500, minutes: 5 });
  return given;
}

/** The one unit that an interval is given in; steps are whole. @param examples each unit with an amount that errors show */
function intervalUnit(name: string, given: object, examples: Readonly<Record<string, number>>): string {
  const [[unit, amount] = ["none", 0], ...others] = Object.entries(given ?? {});
  if (others.length > 0 || !(unit in examples) || !(amount > 0) || amount === Number.POSITIVE_INFINITY) {
    const shown = Object.entries(examples).map(([one, value]) => `{ ${one}: ${value} }`);
    fail(`${name} is ${describe(given)}; expected ${shown.join(" or ")}`);
  }
  if (unit === "steps") positiveInteger(`${name}.steps`, amount);
  return unit;
}

function earlyStoppingOf(given: EarlyStoppingOptions): EarlyStopping {
  checkKeys("earlyStopping", given, ["patience", "metric", "minDelta", "restore"]);
  const { patience, metric = "validationLoss", minDelta = 0, restore } = given;
  positiveInteger("earlyStopping.patience", patience);
  if (typeof metric !== "string" || /^(best)?test/i.test(metric))
    fail(
      `earlyStopping.metric is ${describe(metric)}; expected a metric of the validation or the training data, such as "validationLoss": what decides when to stop is no longer a test`,
    );
  if (!(minDelta >= 0 && minDelta < Number.POSITIVE_INFINITY))
    fail(`earlyStopping.minDelta is ${describe(minDelta)}; expected a number of at least 0`);
  if (restore !== undefined && restore !== "best")
    fail(`earlyStopping.restore is ${describe(restore)}; expected "best", or nothing`);
  return { patience, metric, minDelta, ...(restore && { restore }) };
}

function checkOptimizers(optimizers: unknown): void {
  const example = "expected a list such as [sgd({ lr: [0.1, 1] }), adam()]";
  if (!Array.isArray(optimizers) || optimizers.length === 0)
    fail(`optimizers is ${describe(optimizers)}; ${example}`);
  optimizers.forEach((choice, i) => {
    if (typeof choice?.optimizer?.update !== "function") {
      const hint = typeof choice === "function" ? ". Call it, as in sgd()?" : "";
      fail(`optimizers[${i}] is ${describe(choice)}; ${example}${hint}`);
    }
    checkDifferent(choice);
  });
}

/** Epochs or steps, as the user says or else the problem. */
function budgetOf({ problem, epochs, steps }: StudyOptions): { epochs?: number; steps?: number } {
  if (epochs !== undefined && steps !== undefined)
    fail("both epochs and steps are given; expected one of them");
  if (epochs !== undefined && !problem.dataset)
    fail(`epochs is ${epochs}, but the problem "${problem.name}" has no data; give steps`);
  const given = epochs === undefined && steps === undefined ? problem.defaults : { epochs, steps };
  if (given.epochs !== undefined) return { epochs: positiveInteger("epochs", given.epochs) };
  if (given.steps !== undefined) return { steps: positiveInteger("steps", given.steps) };
  return fail(`neither epochs nor steps are given, and the problem "${problem.name}" has no default`);
}

/** A value listed twice would be the same run twice. */
function checkDifferent({ optimizer, settings }: OptimizerChoice): void {
  for (const [name, values] of Object.entries(settings)) {
    const repeated = values.find((value, i) => values.indexOf(value) < i);
    if (repeated !== undefined)
      fail(`${optimizer.id}'s ${name} lists ${repeated} twice; expected different values`);
  }
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
  const settings: unknown = comparison.settings;
  if (!Array.isArray(settings)) {
    fail(
      `comparison "${comparison.id}" has settings ${describe(settings)}; expected a list such as [{ optimizer: "sgd", hyperparameters: { lr: 0.1 } }]`,
    );
  }
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

function positiveInteger(name: string, value: number): number {
  if (!Number.isInteger(value) || value < 1)
    fail(`${name} is ${describe(value)}; expected a positive integer`);
  return value;
}

const describe = (value: unknown): string =>
  value === undefined ? "absent" : typeof value === "function" ? "a function" : JSON.stringify(value);

function fail(problem: string): never {
  throw new SlalomError("option", `study: ${problem}${problem.endsWith("?") ? "" : "."}`);
}
