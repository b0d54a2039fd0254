/** Exponential moving average of the iterates, as Polyak averaging is mostly done now. */
import { checkKeys, SlalomError } from "../../base/errors.js";
import { add, div, mul, tanh } from "../../graph/index.js";
import type { Average } from "./average.js";

export interface EmaOptions {
  /** Share of the average that an update keeps, from 0 to below 1: it looks back over about 1 / (1 - decay) steps. */
  readonly decay?: number;
}

/**
 * The mean of all iterates so far with weights that fall by `decay` (default 0.999) from each to the one before:
 *
 *     average = sum_i decay^(t - i) w_i / sum_i decay^(t - i)
 *             = average + (1 - decay) / (1 - decay^t) (w_t - average)
 *
 * The division is Adam's correction of the bias, optax's `ema(debias=True)`: the start of training is no part of the
 * average, and the first iterates weigh alike. Others raise the decay in the beginning, as TensorFlow's
 * min(decay, (1 + t) / (10 + t)), to the same end; that has a constant more, and no such sum.
 *
 * What `batchNorm` remembers is averaged likewise: iterates that count are near one another, and it is a mean already.
 *
 * B. Polyak, A. Juditsky, "Acceleration of Stochastic Approximation by Averaging", 1992.
 * @throws SlalomError "option" for a decay outside its bounds
 * @example adam({ lr: 1e-3, average: ema({ decay: 0.999 }) })
 */
export function ema(options: EmaOptions = {}): Average {
  checkKeys("ema", options, ["decay"]);
  const { decay = 0.999 } = options;
  if (!(decay >= 0 && decay < 1)) {
    throw new SlalomError(
      "option",
      `ema: received decay ${decay}; expected a number from 0 to below 1, the share of the average that each update keeps.`,
    );
  }
  return {
    id: "ema",
    title: `EMA ${decay}`,
    parameters: { decay },
    weight(step) {
      // 1 - decay^t = 2 T / (1 + T): near 1 the plain difference loses the digits of the first steps.
      const t = tanh(mul(step, -0.5 * Math.log(Math.max(decay, Number.MIN_VALUE))));
      return div(mul(add(t, 1), (1 - decay) / 2), t);
    },
  };
}
