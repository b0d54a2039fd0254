/** Polynomial decay; with power 1 a straight line down. */
import { add, div, fullLike, minimum, mul, pow, sub } from "../../graph/index.js";
import { defineSchedule } from "./schedule.js";

/**
 * factor(t) = end + (1 - end) (1 - min(t, steps) / steps) ^ power. PyTorch's `PolynomialLR` (total_iters,
 * power), which has `end` = 0; optax's `polynomial_schedule` has all three.
 */
export const polynomial = defineSchedule({
  id: "polynomial",
  title: "Polynomial decay",
  parameters: {
    steps: { default: "total", minimum: 1, meaning: "steps until the lowest rate" },
    power: { default: 1, minimum: 0, meaning: "exponent; 1 is a straight line" },
    end: { default: 0, minimum: 0, meaning: "lowest rate as a share of the learning rate" },
  },
  factor: (step, { steps, power, end }) => {
    const left = sub(1, div(minimum(step, steps), steps));
    return add(mul(pow(left, fullLike(left, power)), 1 - end), end);
  },
});
