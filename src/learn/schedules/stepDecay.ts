/** Step decay: the learning rate falls by a factor at regular intervals. */
import { floorDivide, fullLike, pow } from "../../graph/index.js";
import { defineSchedule } from "./schedule.js";

/**
 * factor(t) = decay ^ floor(t / every). PyTorch's `StepLR` (step_size, gamma).
 * `stepDecay({ every: 1000 })` divides the rate by ten every 1000 updates.
 */
export const stepDecay = defineSchedule({
  id: "step-decay",
  title: "Step decay",
  parameters: {
    every: { default: "required", minimum: 1, meaning: "steps between two falls" },
    decay: { default: 0.1, minimum: 0, meaning: "factor of one fall" },
  },
  factor: (step, { every, decay }) => pow(fullLike(step, decay), floorDivide(step, every)),
});
