/** Linear warm-up: the learning rate rises to its full value over the first steps, then stays. */
import { add, div, minimum, mul } from "../../graph/index.js";
import { defineSchedule } from "./schedule.js";

/**
 * factor(t) = start + (1 - start) min(t, steps) / steps. PyTorch's `LinearLR` with end_factor 1, and its
 * default start of a third.
 *
 * `start` = 0 is allowed (PyTorch refuses it): the first update then moves nothing. To go on with another
 * schedule after it, use `withWarmup`.
 * P. Goyal et al.: "Accurate, large minibatch SGD: training ImageNet in 1 hour", 2017.
 */
export const linearWarmup = defineSchedule({
  id: "linear-warmup",
  title: "Linear warm-up",
  parameters: {
    steps: { default: "required", minimum: 1, meaning: "steps until the full rate" },
    start: { default: 1 / 3, minimum: 0, meaning: "share of the learning rate at the first step" },
  },
  factor: (step, { steps, start }) => add(mul(div(minimum(step, steps), steps), 1 - start), start),
});
