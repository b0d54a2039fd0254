/** Stochastic weight averaging: the equal average of iterates from the last part of a training. */
import { checkKeys, SlalomError } from "../../base/errors.js";
import { div, equal, floorDivide, less, mul, sub, where } from "../../graph/index.js";
import type { Average, RunLength } from "./average.js";

export interface SwaOptions {
  /** The share of the run after which iterates count, from 0 to below 1; default 0.75. */
  readonly from?: number;
  /** Which count: that at the end of each epoch (default), or every so many steps. */
  readonly every?: "epoch" | number;
}

/**
 * The mean of the iterates at multiples of `every` steps, from the first at or after the share `from` of the run on;
 * until then the iterate itself. With `from: 0, every: 1` the average of all iterates, Polyak's and Ruppert's.
 *
 *     average = average + (w_t - average) / n        the n-th that counts
 *
 * What `batchNorm` remembers is taken anew over the training data before an average of several iterates is evaluated, as
 * in the paper: activations of the average are not the average of activations.
 *
 * The paper keeps a constant or a cyclic learning rate meanwhile: give the choice a schedule of that kind.
 *
 * P. Izmailov, D. Podoprikhin, T. Garipov, D. Vetrov, A. Wilson, "Averaging Weights Leads to Wider Optima and Better
 * Generalization", 2018.
 * @throws SlalomError "option" for options outside their bounds; when a program is built, for a run without epochs or
 *   too short for any iterate to count
 * @example momentum({ lr: 0.05, average: swa({ from: 0.75, every: "epoch" }) })
 */
export function swa(options: SwaOptions = {}): Average {
  checkKeys("swa", options, ["from", "every"]);
  const { from = 0.75, every = "epoch" } = options;
  if (!(from >= 0 && from < 1)) {
    throw new SlalomError(
      "option",
      `swa: received from ${from}; expected a number from 0 to below 1, the share of the run after which iterates count.`,
    );
  }
  if (every !== "epoch" && !(Number.isInteger(every) && every >= 1)) {
    throw new SlalomError(
      "option",
      `swa: received every ${JSON.stringify(every)}; expected "epoch" or a positive number of steps.`,
    );
  }
  const rhythm = (run: RunLength) => rhythmOf(from, every, run);
  return {
    id: "swa",
    title: `SWA ${from}${every === "epoch" ? "" : ` every ${every}`}`,
    parameters: { from, every },
    weight(step, run) {
      const { interval, first } = rhythm(run);
      const multiple = floorDivide(step, interval);
      const counts = equal(mul(multiple, interval), step);
      const isBefore = less(multiple, first);
      return where(isBefore, 1, where(counts, div(1, sub(multiple, first - 1)), 0));
    },
    statisticsFrom(run) {
      const { interval, first } = rhythm(run);
      return (first + 1) * interval;
    },
  };
}

/** Steps between two that count, and which multiple of them is the first. */
function rhythmOf(from: number, every: "epoch" | number, { totalSteps, stepsPerEpoch }: RunLength) {
  const interval = every === "epoch" ? stepsPerEpoch : every;
  if (interval === undefined) {
    throw new SlalomError(
      "option",
      `swa: every is "epoch", but the problem has no data, and so no epochs; expected a number of steps. Take swa({ every: 1 })?`,
    );
  }
  // A share of a whole number is whole up to rounding.
  const first = Math.max(1, Math.ceil((from * totalSteps) / interval - 1e-9));
  if (first * interval <= totalSteps) return { interval, first };
  throw new SlalomError(
    "option",
    `swa: no multiple of ${interval} steps lies between ${from} of the run and its end at step ${totalSteps}, so no iterate would count. Begin earlier, count more often, or train for longer.`,
  );
}
