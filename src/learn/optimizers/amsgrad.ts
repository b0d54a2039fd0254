/** AMSGrad: Adam whose second moment never falls. Reddi, Kale, Kumar 2018. */
import { add, div, maximum, mul, rsqrt, sqrt, square, sub } from "../../graph/index.js";
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
 * AMSGrad. At step t = 1, 2, ...:
 *
 *     g = gradient + weightDecay w
 *     m = beta1 m + (1 - beta1) g                   m = v = s = 0 at first
 *     v = beta2 v + (1 - beta2) g^2
 *     s = max(s, v)
 *     w = w - lr (m / (1 - beta1^t)) / (sqrt(s / (1 - beta2^t)) + eps)
 *
 * A coordinate that once had a large gradient keeps small steps: safe, and slow where early gradients are huge.
 *
 * PyTorch's `Adam` (amsgrad=True). The paper has no bias corrections and lets lr fall as 1 / sqrt(t). optax's
 * `amsgrad` takes the greatest *corrected* moment, max(s, v / (1 - beta2^t)): another path.
 * ```ts
 * amsgrad({ lr: logspace(1e-5, 1e-1, 9) });
 * ```
 */
export const amsgrad = defineOptimizer({
  id: "amsgrad",
  title: "AMSGrad",
  paper: {
    authors: "S. Reddi, S. Kale, S. Kumar",
    title: "On the convergence of Adam and beyond",
    year: 2018,
    url: "https://arxiv.org/abs/1904.09237",
  },
  hyperparameters: { lr: learningRate, beta1, beta2, eps: epsilon, weightDecay },
  slots: (parameter) => ({
    firstMoment: zerosLike(parameter),
    secondMoment: zerosLike(parameter),
    greatestSecondMoment: zerosLike(parameter),
  }),
  update: ({ parameter, gradient, slots, hyper, step }) => {
    const g = addL2(gradient, parameter, hyper.weightDecay);
    const firstMoment = movingAverage(slots.firstMoment, g, hyper.beta1);
    const secondMoment = movingAverage(slots.secondMoment, square(g), hyper.beta2);
    const greatestSecondMoment = maximum(slots.greatestSecondMoment, secondMoment);
    const rate = div(hyper.lr, biasCorrection(hyper.beta1, step));
    // One reciprocal for the tensor, not a division for each element.
    const root = mul(sqrt(greatestSecondMoment), rsqrt(biasCorrection(hyper.beta2, step)));
    return {
      parameter: sub(parameter, mul(div(firstMoment, add(root, hyper.eps)), rate)),
      slots: { firstMoment, secondMoment, greatestSecondMoment },
    };
  },
});
