/** Constant: the learning rate as it is, or a fixed multiple of it. */
import { fullLike } from "../../graph/index.js";
import { defineSchedule } from "./schedule.js";

/**
 * The same factor at every step: factor(t) = `factor`. Useful as a part of a sequence.
 *
 * Differs from PyTorch's `ConstantLR`, which returns to factor 1 after `total_iters` steps: that is
 * `sequence([constantRate({ factor: 1 / 3 }), constantRate()], { at: [5] })` here.
 */
export const constantRate = defineSchedule({
  id: "constant",
  title: "Constant",
  parameters: { factor: { default: 1, minimum: 0, meaning: "multiple of the learning rate" } },
  factor: (step, { factor }) => fullLike(step, factor),
});
