/** Exponential decay: the learning rate falls by the same ratio at every step. */
import { div, fullLike, pow } from "../../graph/index.js";
import { defineSchedule } from "./schedule.js";

/**
 * factor(t) = decay ^ (t / every). With `every` = 1 PyTorch's `ExponentialLR`; in general optax's
 * `exponential_decay` with its `transition_steps`, not staircase.
 * `exponential({ decay: 0.5, every: 1000 })` halves the rate every 1000 updates, smoothly.
 */
export const exponential = defineSchedule({
  id: "exponential",
  title: "Exponential decay",
  parameters: {
    decay: { default: "required", minimum: 0, meaning: "factor over `every` steps" },
    every: { default: 1, minimum: Number.MIN_VALUE, meaning: "steps over which the rate falls by `decay`" },
  },
  factor: (step, { decay, every }) => pow(fullLike(step, decay), div(step, every)),
});
