/** Learning rates for larger batches: from a rate that is good at one size of batch to one for another. */
import { checkKeys, SlalomError, unknownName } from "../../base/errors.js";
import { withWarmup } from "./compositions.js";
import { linearWarmup } from "./linearWarmup.js";
import type { Schedule } from "./schedule.js";

/** How the learning rate follows the size of batches: `scaledForBatch` says when to take which. */
export type BatchRule = "kept" | "linear" | "squareRoot";

export interface BatchScaling {
  readonly rule: BatchRule;
  /** Examples of a batch, of all ranks and micro-batches together. */
  readonly batchSize: number;
  /** Examples of a batch at which the rate was found. */
  readonly baseBatchSize: number;
  /**
   * A linear rise over so many steps. It begins at `start`, a share of the scaled rate; by default at the rate that was
   * given, and a rate that was not raised has no rise then.
   */
  readonly warmup?: { readonly steps: number; readonly start?: number };
  /** After the warm-up, or from the first step on. */
  readonly schedule?: Schedule;
}

/** To be spread into the settings of any optimizer. */
export interface ScaledRate {
  readonly lr: number | readonly number[];
  readonly schedule?: Schedule;
}

const factors: Readonly<Record<BatchRule, (growth: number) => number>> = {
  kept: () => 1,
  linear: (growth) => growth,
  squareRoot: Math.sqrt,
};

/**
 * A learning rate, or each of a list, for batches of another size. With k = batchSize / baseBatchSize:
 *
 *     "kept"        lr
 *     "linear"      k lr
 *     "squareRoot"  sqrt(k) lr
 *
 * "linear" for gradient descent and momentum: one step of k lr on a batch k times as large goes about where k steps of lr
 * go, as long as gradients hardly change over them. They do at the start, so take a warm-up; and k has a limit, near the
 * gradient noise scale. "squareRoot" keeps the covariance of a step's noise instead, and is the usual rule of Adam and its
 * kin. "kept" shows what the larger batch alone changes.
 *
 * Rates are rounded to 12 digits, as those of `logspace` are. The rules are for losses that are means over a batch: where
 * losses are sums, gradients grow with it already.
 *
 * A. Krizhevsky: "One weird trick for parallelizing convolutional neural networks", 2014 (both rules). P. Goyal et al.:
 * "Accurate, large minibatch SGD: training ImageNet in 1 hour", 2017 (linear, with the warm-up from lr to k lr). E. Hoffer,
 * I. Hubara, D. Soudry: "Train longer, generalize better", 2017 (square root).
 * ```ts
 * momentum({ ...scaledForBatch(0.1, { rule: "linear", batchSize: 8192, baseBatchSize: 256, warmup: { steps: 780 } }) });
 * ```
 * @returns `lr`, and `schedule` where there is one
 * @throws SlalomError "option" for an unknown rule or option, sizes that are no integers of at least 1, or a rate that is
 *   no number of at least 0
 */
export function scaledForBatch(lr: number | readonly number[], scaling: BatchScaling): ScaledRate {
  checkKeys("scaledForBatch", scaling, ["rule", "batchSize", "baseBatchSize", "warmup", "schedule"]);
  const { rule, batchSize, baseBatchSize, warmup } = scaling;
  if (!Object.hasOwn(factors, rule)) {
    throw unknownName("rule of scaledForBatch", String(rule), Object.keys(factors), "option");
  }
  checkSize("batchSize", batchSize);
  checkSize("baseBatchSize", baseBatchSize);
  const factor = factors[rule](batchSize / baseBatchSize);
  const scaled = (rate: number): number => Number((checkedRate(rate) * factor).toPrecision(12));
  const start = warmup?.start ?? (factor > 1 ? 1 / factor : undefined);
  const schedule =
    warmup && start !== undefined
      ? warmedUp(scaling.schedule, { steps: warmup.steps, start })
      : scaling.schedule;
  return { lr: typeof lr === "number" ? scaled(lr) : lr.map(scaled), ...(schedule && { schedule }) };
}

const warmedUp = (
  schedule: Schedule | undefined,
  warmup: { readonly steps: number; readonly start: number },
): Schedule => (schedule ? withWarmup(schedule, warmup) : linearWarmup(warmup));

function checkSize(name: string, size: number): void {
  if (Number.isInteger(size) && size >= 1) return;
  throw new SlalomError(
    "option",
    `scaledForBatch: ${name} is ${JSON.stringify(size)}; expected a number of examples, an integer of at least 1.`,
  );
}

function checkedRate(rate: number): number {
  if (typeof rate === "number" && Number.isFinite(rate) && rate >= 0) return rate;
  throw new SlalomError(
    "option",
    `scaledForBatch: the learning rate is ${typeof rate === "number" ? rate : JSON.stringify(rate)}; expected a finite number at least 0, or a list of them.`,
  );
}
