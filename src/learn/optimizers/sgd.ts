/** Gradient descent, called stochastic where the gradient is that of a batch. Robbins, Monro 1951. */
import { mul, sub } from "../../graph/index.js";
import { addL2, learningRate, weightDecay } from "./common.js";
import { defineOptimizer } from "./optimizer.js";

/**
 * Gradient descent: a step against the gradient.
 *
 *     g = gradient + weightDecay w
 *     w = w - lr g
 *
 * On a quadratic it converges for lr < 2 / lambda_max, fastest at 2 / (lambda_min + lambda_max). No slots.
 * PyTorch's `SGD` without momentum, optax's `sgd`; the default lr is PyTorch's and small for most problems.
 * ```ts
 * sgd({ lr: logspace(1e-3, 10, 9) });
 * ```
 * A. Cauchy 1847; H. Robbins, S. Monro: "A stochastic approximation method", 1951, where lr falls as 1 / t:
 * here that is a schedule.
 */
export const sgd = defineOptimizer({
  id: "sgd",
  title: "Gradient descent",
  paper: {
    authors: "H. Robbins, S. Monro",
    title: "A stochastic approximation method",
    year: 1951,
    url: "https://doi.org/10.1214/aoms/1177729586",
  },
  hyperparameters: { lr: { ...learningRate, range: [1e-4, 10] }, weightDecay },
  slots: () => ({}),
  update: ({ parameter, gradient, hyper }) => ({
    parameter: sub(parameter, mul(addL2(gradient, parameter, hyper.weightDecay), hyper.lr)),
    slots: {},
  }),
});
