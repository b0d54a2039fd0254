/** Dropout: in training some elements are zero at random. Srivastava et al. 2014, inverted as everyone has it now. */
import { SlalomError } from "../../base/errors.js";
import { sizeOf } from "../../base/shape.js";
import { div, mul, randomBernoulli, where } from "../../graph/index.js";
import type { Layer } from "./layer.js";

/**
 * In training each element is 0 with `probability`, else divided by 1 - probability, so the mean stays; outside of
 * training nothing happens. The mask follows from the context's key: each step's key gives another.
 * @param probability of losing an element, from 0 to below 1
 * @throws SlalomError "option" for another probability
 */
export function dropout(probability: number): Layer {
  if (!(probability >= 0 && probability < 1)) {
    throw new SlalomError(
      "option",
      `dropout: received probability ${probability}; expected a number from 0 to below 1, the share that is lost.`,
    );
  }
  const kept = 1 - probability;
  return {
    name: "dropout",
    build: (input) => ({
      parameters: {},
      output: input,
      apply(_parameters, x, { training, key, firstExample }) {
        if (!training || probability === 0) return x;
        const first = firstExample && mul(firstExample, sizeOf(x.shape.slice(1)));
        return where(randomBernoulli(key, x.shape, kept, first), div(x, kept), 0);
      },
    }),
  };
}
