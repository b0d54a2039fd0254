/** NAdam: Adam with Nesterov's look ahead and a momentum that grows. Dozat 2016. */
import { add, div, exp, mul, sqrt, square, sub, type Tensor } from "../../graph/index.js";
import {
  addL2,
  beta1,
  beta2,
  biasCorrection,
  epsilon,
  learningRate,
  movingAverage,
  scalarFor,
  weightDecay,
  zerosLike,
} from "./common.js";
import { defineOptimizer } from "./optimizer.js";

/**
 * NAdam. At step t = 1, 2, ..., with mu(t) = beta1 (1 - 0.96^(t momentumDecay) / 2):
 *
 *     g = gradient + weightDecay w
 *     p = p mu(t)                                   p = 1 at first: the product of all mu
 *     m = beta1 m + (1 - beta1) g                   m = v = 0 at first
 *     v = beta2 v + (1 - beta2) g^2
 *     d = (1 - mu(t)) g / (1 - p) + mu(t + 1) m / (1 - p mu(t + 1))
 *     w = w - lr d / (sqrt(v / (1 - beta2^t)) + eps)
 *
 * The momentum begins at beta1 / 2 and nears beta1 over 24 / momentumDecay steps: 6000 at the default.
 *
 * PyTorch's `NAdam`. The paper averages m with mu(t) where PyTorch takes beta1. optax's `nadam` has mu = beta1
 * from the start: that is the limit of a large momentumDecay here.
 * ```ts
 * nadam({ lr: logspace(1e-5, 1e-1, 9) });
 * ```
 */
export const nadam = defineOptimizer({
  id: "nadam",
  title: "NAdam",
  paper: {
    authors: "T. Dozat",
    title: "Incorporating Nesterov momentum into Adam",
    year: 2016,
    url: "https://openreview.net/forum?id=OM0jvwB8jIp57ZJjtNEZ",
  },
  hyperparameters: {
    lr: { ...learningRate, default: 2e-3 },
    beta1,
    beta2,
    eps: epsilon,
    momentumDecay: {
      default: 4e-3,
      range: [1e-4, 1e-1],
      scale: "log",
      minimum: 0,
      meaning: "how fast the momentum grows from half of beta1 to beta1",
    },
    weightDecay,
  },
  slots: (parameter) => ({
    firstMoment: zerosLike(parameter),
    secondMoment: zerosLike(parameter),
    momentumProduct: scalarFor(parameter, 1),
  }),
  update: ({ parameter, gradient, slots, hyper, step }) => {
    const g = addL2(gradient, parameter, hyper.weightDecay);
    const momentumAt = (t: Tensor): Tensor => {
      const start = exp(mul(mul(t, hyper.momentumDecay), Math.log(0.96)));
      return mul(hyper.beta1, sub(1, mul(start, 0.5)));
    };
    const momentum = momentumAt(step);
    const next = momentumAt(add(step, 1));
    const momentumProduct = mul(slots.momentumProduct, momentum);
    const firstMoment = movingAverage(slots.firstMoment, g, hyper.beta1);
    const secondMoment = movingAverage(slots.secondMoment, square(g), hyper.beta2);
    const root = sqrt(mul(secondMoment, div(1, biasCorrection(hyper.beta2, step))));
    const ofGradient = div(mul(hyper.lr, sub(1, momentum)), sub(1, momentumProduct));
    const ofMoment = div(mul(hyper.lr, next), sub(1, mul(momentumProduct, next)));
    const direction = add(mul(g, ofGradient), mul(firstMoment, ofMoment));
    return {
      parameter: sub(parameter, div(direction, add(root, hyper.eps))),
      slots: { firstMoment, secondMoment, momentumProduct },
    };
  },
});
