/** Adagrad: a rate for each coordinate that falls with the gradients seen there. Duchi et al. 2011. */
import { add, div, mul, sqrt, square, sub } from "../../graph/index.js";
import { addL2, epsilon, learningRate, weightDecay, zerosLike } from "./common.js";
import { defineOptimizer } from "./optimizer.js";

/**
 * Adagrad (diagonal).
 *
 *     g = gradient + weightDecay w
 *     s = s + g^2                   s = 0 at first
 *     w = w - lr g / (sqrt(s) + eps)
 *
 * Good where some features are rare; on long runs its rate falls towards 0. The first step has length lr in
 * every coordinate, so lr is in the units of the parameters.
 *
 * PyTorch's `Adagrad`, without its `lr_decay` (a schedule here) and `initial_accumulator_value`. optax's
 * `adagrad` starts s at 0.1 and takes g / sqrt(s + eps): the same only for an initial value of 0 and eps = 0.
 * ```ts
 * adagrad({ lr: logspace(1e-3, 1, 7) });
 * ```
 */
export const adagrad = defineOptimizer({
  id: "adagrad",
  title: "Adagrad",
  paper: {
    authors: "J. Duchi, E. Hazan, Y. Singer",
    title: "Adaptive subgradient methods for online learning and stochastic optimization",
    year: 2011,
    url: "https://jmlr.org/papers/v12/duchi11a.html",
  },
  hyperparameters: {
    lr: { ...learningRate, default: 1e-2, range: [1e-4, 1] },
    eps: { ...epsilon, default: 1e-10 },
    weightDecay,
  },
  slots: (parameter) => ({ sumOfSquares: zerosLike(parameter) }),
  update: ({ parameter, gradient, slots, hyper }) => {
    const g = addL2(gradient, parameter, hyper.weightDecay);
    const sumOfSquares = add(slots.sumOfSquares, square(g));
    const step = mul(div(g, add(sqrt(sumOfSquares), hyper.eps)), hyper.lr);
    return { parameter: sub(parameter, step), slots: { sumOfSquares } };
  },
});
