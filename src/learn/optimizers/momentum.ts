/** Heavy-ball momentum: gradient descent with a velocity. Polyak 1964. */
import { add, mul, sub } from "../../graph/index.js";
import { addL2, learningRate, momentumFactor, weightDecay, zerosLike } from "./common.js";
import { defineOptimizer } from "./optimizer.js";

/**
 * Heavy-ball momentum.
 *
 *     g = gradient + weightDecay w
 *     v = momentum v + g            v = 0 at first
 *     w = w - lr v
 *
 * With momentum mu a steady gradient moves 1 / (1 - mu) as far as in gradient descent: lower lr as mu rises. On
 * a quadratic it converges for lr < 2 (1 + mu) / lambda_max.
 *
 * PyTorch's `SGD` (momentum, dampening 0), optax's `sgd`. TensorFlow's `MomentumOptimizer` is the same. Polyak's
 * paper keeps lr in the velocity (v = mu v + lr g; w = w - v): the same path while lr is constant, another one
 * under a schedule. PyTorch's default momentum is 0, which is `sgd`; here it is 0.9.
 * ```ts
 * momentum({ lr: logspace(1e-3, 0.1, 5), momentum: [0.1, 0.3, 0.6, 0.9] });
 * ```
 */
export const momentum = defineOptimizer({
  id: "momentum",
  title: "Momentum",
  paper: {
    authors: "B. Polyak",
    title: "Some methods of speeding up the convergence of iteration methods",
    year: 1964,
    url: "https://doi.org/10.1016/0041-5553(64)90137-5",
  },
  hyperparameters: { lr: { ...learningRate, range: [1e-4, 1] }, momentum: momentumFactor, weightDecay },
  slots: (parameter) => ({ velocity: zerosLike(parameter) }),
  update: ({ parameter, gradient, slots, hyper }) => {
    const g = addL2(gradient, parameter, hyper.weightDecay);
    const velocity = add(mul(slots.velocity, hyper.momentum), g);
    return { parameter: sub(parameter, mul(velocity, hyper.lr)), slots: { velocity } };
  },
});
