/** Nesterov's accelerated gradient: momentum that looks one step ahead. Nesterov 1983. */
import { add, mul, sub } from "../../graph/index.js";
import { addL2, learningRate, momentumFactor, weightDecay, zerosLike } from "./common.js";
import { defineOptimizer } from "./optimizer.js";

/**
 * Nesterov momentum with a constant factor.
 *
 *     g = gradient + weightDecay w
 *     v = momentum v + g            v = 0 at first
 *     w = w - lr (g + momentum v)
 *
 * It bears larger momentum than the heavy ball before it oscillates.
 *
 * PyTorch's `SGD` (nesterov=True), optax's `sgd` (nesterov=True). The paper takes the gradient at the point
 * ahead, w - lr momentum v, and lets the momentum grow with the step; this form (Sutskever et al. 2013) follows
 * the point ahead itself, so the gradient is taken at w. PyTorch's default momentum is 0; here it is 0.9.
 * ```ts
 * nesterov({ lr: logspace(1e-3, 0.1, 5), momentum: [0.9, 0.99] });
 * ```
 */
export const nesterov = defineOptimizer({
  id: "nesterov",
  title: "Nesterov",
  paper: {
    authors: "Y. Nesterov",
    title: "A method for solving the convex programming problem with convergence rate O(1/k^2)",
    year: 1983,
  },
  hyperparameters: { lr: { ...learningRate, range: [1e-4, 1] }, momentum: momentumFactor, weightDecay },
  slots: (parameter) => ({ velocity: zerosLike(parameter) }),
  update: ({ parameter, gradient, slots, hyper }) => {
    const g = addL2(gradient, parameter, hyper.weightDecay);
    const velocity = add(mul(slots.velocity, hyper.momentum), g);
    const ahead = add(g, mul(velocity, hyper.momentum));
    return { parameter: sub(parameter, mul(ahead, hyper.lr)), slots: { velocity } };
  },
});
