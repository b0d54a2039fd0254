/** One cycle: a rise to the full learning rate and a long fall far below the start. */
import { add, cos, div, lessEqual, minimum, mul, sub, type Tensor, where } from "../../graph/index.js";
import { defineSchedule } from "./schedule.js";

/**
 * Half a cosine from 1 / startDivisor up to 1 at step peak = rise * steps - 1, then half a cosine down to
 * 1 / (startDivisor * endDivisor) at step steps - 1.
 * L. Smith, N. Topin: "Super-convergence: very fast training of neural networks using large learning rates",
 * 2018, in the two-phase form of PyTorch's `OneCycleLR` (pct_start, div_factor, final_div_factor), whose
 * max_lr is the learning rate here. Its cycling of the momentum is not part of this schedule. After the last
 * step the factor stays, where PyTorch throws.
 */
export const oneCycle = defineSchedule({
  id: "one-cycle",
  title: "One cycle",
  parameters: {
    steps: { default: "total", minimum: 2, meaning: "steps of the cycle" },
    rise: { default: 0.3, minimum: 0, maximum: 1, meaning: "share of the cycle spent rising" },
    startDivisor: { default: 25, minimum: 1, meaning: "the learning rate over the first rate" },
    endDivisor: { default: 1e4, minimum: 1, meaning: "the first rate over the last" },
  },
  factor: (step, { steps, rise, startDivisor, endDivisor }) => {
    const peak = rise * steps - 1;
    const last = steps - 1;
    const start = 1 / startDivisor;
    const end = start / endDivisor;
    const clamped = minimum(step, last);
    if (peak >= last) return halfCosine(clamped, { first: 0, last: peak, from: start, to: 1 });
    const fall = halfCosine(clamped, { first: peak, last, from: 1, to: end });
    if (peak <= 0) return fall;
    const climb = halfCosine(clamped, { first: 0, last: peak, from: start, to: 1 });
    return where(lessEqual(step, peak), climb, fall);
  },
});

interface Phase {
  readonly first: number;
  readonly last: number;
  readonly from: number;
  readonly to: number;
}

function halfCosine(step: Tensor, { first, last, from, to }: Phase): Tensor {
  const angle = mul(div(sub(step, first), last - first), Math.PI);
  return add(mul(add(cos(angle), 1), (from - to) / 2), to);
}
