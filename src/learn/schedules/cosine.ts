/** Cosine annealing: half a cosine from the full learning rate to a small share of it. */
import { add, cos, div, minimum, mul } from "../../graph/index.js";
import { defineSchedule } from "./schedule.js";

/**
 * factor(t) = end + (1 - end) (1 + cos(pi min(t, steps) / steps)) / 2.
 * I. Loshchilov, F. Hutter: "SGDR: stochastic gradient descent with warm restarts", 2017, without restarts.
 *
 * PyTorch's `CosineAnnealingLR` with T_max = steps, except that `end` is a share of the learning rate where
 * `eta_min` is a rate, and that the factor stays at `end` after `steps`, as in optax, where PyTorch's rises.
 */
export const cosine = defineSchedule({
  id: "cosine",
  title: "Cosine annealing",
  parameters: {
    steps: { default: "total", minimum: 1, meaning: "steps until the lowest rate" },
    end: { default: 0, minimum: 0, meaning: "lowest rate as a share of the learning rate" },
  },
  factor: (step, { steps, end }) => {
    const angle = mul(div(minimum(step, steps), steps), Math.PI);
    return add(mul(add(cos(angle), 1), (1 - end) / 2), end);
  },
});
