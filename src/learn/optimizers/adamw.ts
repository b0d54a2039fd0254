/** AdamW: Adam with weight decay beside the gradient instead of in it. Loshchilov, Hutter 2019. */
import { add, div, mul, rsqrt, sqrt, square, sub } from "../../graph/index.js";
import {
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
 * AdamW. At step t = 1, 2, ..., with g the gradient:
 *
 *     w = w (1 - lr weightDecay)
 *     m = beta1 m + (1 - beta1) g                   m = v = 0 at first
 *     v = beta2 v + (1 - beta2) g^2
 *     w = w - lr (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + eps)
 *
 * Every weight decays at the same rate, whatever its gradients are; good values of weightDecay and lr depend less
 * on each other than in Adam.
 *
 * PyTorch's `AdamW` (weight_decay 0.01), optax's `adamw` (default 1e-4). In the paper the decay is multiplied by
 * the schedule but not by lr: its weight decay is lr weightDecay here.
 * ```ts
 * adamw({ lr: logspace(1e-5, 1e-1, 9), weightDecay: [0.01, 0.1], schedule: withWarmup(cosine(), { steps: 100 }) });
 * ```
 */
export const adamw = defineOptimizer({
  id: "adamw",
  title: "AdamW",
  paper: {
    authors: "I. Loshchilov, F. Hutter",
    title: "Decoupled weight decay regularization",
    year: 2019,
    url: "https://arxiv.org/abs/1711.05101",
  },
  hyperparameters: {
    lr: learningRate,
    beta1,
    beta2,
    eps: epsilon,
    weightDecay: {
      ...weightDecay,
      default: 1e-2,
      range: [1e-4, 1],
      meaning: "decoupled decay: each step shrinks the parameter by lr times this",
    },
  },
  slots: (parameter) => ({ firstMoment: zerosLike(parameter), secondMoment: zerosLike(parameter) }),
  update: ({ parameter, gradient, slots, hyper, step }) => {
    const decayed = mul(parameter, sub(1, mul(hyper.lr, hyper.weightDecay)));
    const firstMoment = movingAverage(slots.firstMoment, gradient, hyper.beta1);
    const secondMoment = movingAverage(slots.secondMoment, square(gradient), hyper.beta2);
    const rate = div(hyper.lr, biasCorrection(hyper.beta1, step));
    // One reciprocal for the tensor, not a division for each element.
    const root = mul(sqrt(secondMoment), rsqrt(biasCorrection(hyper.beta2, step)));
    return {
      parameter: sub(decayed, mul(div(firstMoment, add(root, hyper.eps)), rate)),
      slots: { firstMoment, secondMoment },
    };
  },
});
