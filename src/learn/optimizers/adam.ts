/** Adam: means of gradients and of their squares, corrected for their start at 0. Kingma, Ba 2015. */
import { add, div, mul, rsqrt, sqrt, square, sub } from "../../graph/index.js";
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
 * Adam. At step t = 1, 2, ...:
 *
 *     g = gradient + weightDecay w
 *     m = beta1 m + (1 - beta1) g                   m = v = 0 at first
 *     v = beta2 v + (1 - beta2) g^2
 *     w = w - lr (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + eps)
 *
 * A step is at most about lr in every coordinate, so lr is in the units of the parameters; 1e-3 is a good first
 * guess. weightDecay here is an L2 penalty that the division then distorts: `adamw` decays directly.
 *
 * The paper's Algorithm 1, with an L2 penalty; PyTorch's and optax's `adam`. (The form at the end of the
 * paper's section 2, which TensorFlow has, puts eps beside sqrt(v): a larger eps early on.)
 * ```ts
 * adam({ lr: logspace(1e-5, 1e-1, 9) });
 * ```
 */
export const adam = defineOptimizer({
  id: "adam",
  title: "Adam",
  paper: {
    authors: "D. Kingma, J. Ba",
    title: "Adam: a method for stochastic optimization",
    year: 2015,
    url: "https://arxiv.org/abs/1412.6980",
  },
  hyperparameters: { lr: learningRate, beta1, beta2, eps: epsilon, weightDecay },
  slots: (parameter) => ({ firstMoment: zerosLike(parameter), secondMoment: zerosLike(parameter) }),
  update: ({ parameter, gradient, slots, hyper, step }) => {
    const g = addL2(gradient, parameter, hyper.weightDecay);
    const firstMoment = movingAverage(slots.firstMoment, g, hyper.beta1);
    const secondMoment = movingAverage(slots.secondMoment, square(g), hyper.beta2);
    const rate = div(hyper.lr, biasCorrection(hyper.beta1, step));
    // One reciprocal for the tensor, not a division for each element.
    const root = mul(sqrt(secondMoment), rsqrt(biasCorrection(hyper.beta2, step)));
    return {
      parameter: sub(parameter, mul(div(firstMoment, add(root, hyper.eps)), rate)),
      slots: { firstMoment, secondMoment },
    };
  },
});
