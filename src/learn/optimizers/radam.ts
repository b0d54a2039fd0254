/** RAdam: Adam that waits until its second moment can be trusted. Liu et al. 2020. */
import { add, div, fullLike, less, maximum, mul, sqrt, square, sub, where } from "../../graph/index.js";
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
 * Rectified Adam. At step t = 1, 2, ...:
 *
 *     g   = gradient + weightDecay w
 *     m   = beta1 m + (1 - beta1) g                 m = v = 0 at first
 *     v   = beta2 v + (1 - beta2) g^2
 *     n   = 2 / (1 - beta2) - 1
 *     rho = n - 2 t beta2^t / (1 - beta2^t)
 *     rho > 5:  r = sqrt((rho - 4) (rho - 2) n / ((n - 4) (n - 2) rho))
 *               w = w - lr r (m / (1 - beta1^t)) sqrt(1 - beta2^t) / (sqrt(v) + eps)
 *     else      w = w - lr (m / (1 - beta1^t))
 *
 * A built-in warm-up. At the default beta2 the first five steps are plain momentum, in the units of gradients,
 * then steps grow to Adam's over about 2 / (1 - beta2) updates. Below beta2 = 2/3 (n <= 5) it stays momentum.
 *
 * PyTorch's `RAdam`. The paper switches at rho > 4. optax's `radam` switches at rho >= 5 and adds eps to the
 * corrected root, sqrt(v / (1 - beta2^t)): the same where eps = 0.
 * ```ts
 * radam({ lr: logspace(1e-5, 1e-1, 9) });
 * ```
 */
export const radam = defineOptimizer({
  id: "radam",
  title: "RAdam",
  paper: {
    authors: "L. Liu, H. Jiang, P. He, W. Chen, X. Liu, J. Gao, J. Han",
    title: "On the variance of the adaptive learning rate and beyond",
    year: 2020,
    url: "https://arxiv.org/abs/1908.03265",
  },
  hyperparameters: { lr: learningRate, beta1, beta2, eps: epsilon, weightDecay },
  slots: (parameter) => ({ firstMoment: zerosLike(parameter), secondMoment: zerosLike(parameter) }),
  update: ({ parameter, gradient, slots, hyper, step }) => {
    const g = addL2(gradient, parameter, hyper.weightDecay);
    const firstMoment = movingAverage(slots.firstMoment, g, hyper.beta1);
    const secondMoment = movingAverage(slots.secondMoment, square(g), hyper.beta2);
    const correction2 = biasCorrection(hyper.beta2, step);
    const longest = sub(div(2, sub(1, hyper.beta2)), 1);
    const length = sub(longest, div(mul(mul(step, 2), sub(1, correction2)), correction2));
    const trusted = less(fullLike(length, 5), length);
    // Held at 5 so that the branch which is not taken is no root of a negative number.
    const [held, heldLongest] = [maximum(length, 5), maximum(longest, 5)];
    const rectification = sqrt(
      div(
        mul(mul(sub(held, 4), sub(held, 2)), heldLongest),
        mul(mul(sub(heldLongest, 4), sub(heldLongest, 2)), held),
      ),
    );
    const adaptive = div(mul(rectification, sqrt(correction2)), add(sqrt(secondMoment), hyper.eps));
    const rate = div(hyper.lr, biasCorrection(hyper.beta1, step));
    return {
      parameter: sub(parameter, mul(mul(firstMoment, rate), where(trusted, adaptive, 1))),
      slots: { firstMoment, secondMoment },
    };
  },
});
