/** Adamax: Adam with the largest recent gradient in place of the mean square. Kingma, Ba 2015. */
import { abs, add, div, maximum, mul, sub } from "../../graph/index.js";
import {
  addL2,
  beta1,
  beta2,
  biasCorrection,
  epsilon,
  learningRate,
  movingAverage,
  weightDecay,
  zerosLike,
} from "./common.js";
import { defineOptimizer } from "./optimizer.js";

/**
 * Adamax. At step t = 1, 2, ...:
 *
 *     g = gradient + weightDecay w
 *     m = beta1 m + (1 - beta1) g                   m = u = 0 at first
 *     u = max(beta2 u, |g| + eps)
 *     w = w - lr (m / (1 - beta1^t)) / u
 *
 * A step is at most about lr in any coordinate; a rare large gradient shortens the steps after it at once, and its
 * trace fades with beta2.
 *
 * PyTorch's `Adamax`, optax's `adamax`. The paper's Algorithm 2 has no eps, and so divides by 0 where a
 * coordinate never had a gradient.
 * ```ts
 * adamax({ lr: logspace(1e-5, 1e-1, 9) });
 * ```
 */
export const adamax = defineOptimizer({
  id: "adamax",
  title: "Adamax",
  paper: {
    authors: "D. Kingma, J. Ba",
    title: "Adam: a method for stochastic optimization",
    year: 2015,
    url: "https://arxiv.org/abs/1412.6980",
  },
  hyperparameters: {
    lr: { ...learningRate, default: 2e-3 },
    beta1,
    beta2: { ...beta2, meaning: "decay of the largest gradient, below 1" },
    eps: { ...epsilon, meaning: "added to the absolute gradient" },
    weightDecay,
  },
  slots: (parameter) => ({ firstMoment: zerosLike(parameter), largestGradient: zerosLike(parameter) }),
  update: ({ parameter, gradient, slots, hyper, step }) => {
    const g = addL2(gradient, parameter, hyper.weightDecay);
    const firstMoment = movingAverage(slots.firstMoment, g, hyper.beta1);
    const largestGradient = maximum(mul(slots.largestGradient, hyper.beta2), add(abs(g), hyper.eps));
    const rate = div(hyper.lr, biasCorrection(hyper.beta1, step));
    return {
      parameter: sub(parameter, mul(div(firstMoment, largestGradient), rate)),
      slots: { firstMoment, largestGradient },
    };
  },
});
