/** Adadelta: steps scaled by the ratio of past updates to past gradients. Zeiler 2012. */
import { add, div, mul, sqrt, square, sub } from "../../graph/index.js";
import { addL2, epsilon, learningRate, movingAverage, weightDecay, zerosLike } from "./common.js";
import { defineOptimizer } from "./optimizer.js";

/**
 * Adadelta.
 *
 *     g = gradient + weightDecay w
 *     s = rho s + (1 - rho) g^2                     s = u = 0 at first
 *     d = g sqrt(u + eps) / sqrt(s + eps)
 *     u = rho u + (1 - rho) d^2
 *     w = w - lr d
 *
 * The step has the units of the parameters, so lr = 1 is the method itself. It starts slowly: the first steps
 * are of order sqrt(eps), and a larger eps is the remedy.
 *
 * PyTorch's and optax's `adadelta`; the paper has no lr, and rho = 0.95.
 * ```ts
 * adadelta({ lr: logspace(0.1, 10, 5), eps: [1e-6, 1e-4] });
 * ```
 */
export const adadelta = defineOptimizer({
  id: "adadelta",
  title: "Adadelta",
  paper: {
    authors: "M. Zeiler",
    title: "ADADELTA: an adaptive learning rate method",
    year: 2012,
    url: "https://arxiv.org/abs/1212.5701",
  },
  hyperparameters: {
    lr: { ...learningRate, default: 1, range: [1e-2, 1e2] },
    rho: {
      default: 0.9,
      range: [0.8, 0.99],
      scale: "linear",
      minimum: 0,
      maximum: 1,
      meaning: "decay of the means of squared gradients and squared updates",
    },
    eps: {
      ...epsilon,
      default: 1e-6,
      meaning: "added inside both roots; it sets the size of the first steps",
    },
    weightDecay,
  },
  slots: (parameter) => ({ meanSquare: zerosLike(parameter), meanSquareUpdate: zerosLike(parameter) }),
  update: ({ parameter, gradient, slots, hyper }) => {
    const g = addL2(gradient, parameter, hyper.weightDecay);
    const meanSquare = movingAverage(slots.meanSquare, square(g), hyper.rho);
    const scale = div(sqrt(add(slots.meanSquareUpdate, hyper.eps)), sqrt(add(meanSquare, hyper.eps)));
    const change = mul(scale, g);
    const meanSquareUpdate = movingAverage(slots.meanSquareUpdate, square(change), hyper.rho);
    return { parameter: sub(parameter, mul(change, hyper.lr)), slots: { meanSquare, meanSquareUpdate } };
  },
});
