/** RMSProp: gradients divided by the root of their recent mean square. Tieleman, Hinton 2012. */
import { add, div, mul, sqrt, square, sub } from "../../graph/index.js";
import {
  addL2,
  epsilon,
  learningRate,
  momentumFactor,
  movingAverage,
  weightDecay,
  zerosLike,
} from "./common.js";
import { defineOptimizer } from "./optimizer.js";

/**
 * RMSProp, not centred.
 *
 *     g = gradient + weightDecay w
 *     s = alpha s + (1 - alpha) g^2                 s = v = 0 at first
 *     v = momentum v + g / (sqrt(s) + eps)
 *     w = w - lr v
 *
 * The mean is not corrected for its start at 0, so the first step has length lr / sqrt(1 - alpha), ten times lr
 * at the default: a warm-up helps.
 *
 * PyTorch's `RMSprop`. The lecture has alpha = 0.9 and no momentum. optax's `rmsprop` has decay 0.9 and takes
 * sqrt(s + eps); with eps_in_sqrt=False it is this one.
 * ```ts
 * rmsprop({ lr: logspace(1e-5, 1e-1, 9), alpha: [0.9, 0.99] });
 * ```
 */
export const rmsprop = defineOptimizer({
  id: "rmsprop",
  title: "RMSProp",
  paper: {
    authors: "T. Tieleman, G. Hinton",
    title: "Lecture 6.5: RMSProp, divide the gradient by a running average of its recent magnitude",
    year: 2012,
    url: "https://www.cs.toronto.edu/~tijmen/csc321/slides/lecture_slides_lec6.pdf",
  },
  hyperparameters: {
    lr: { ...learningRate, default: 1e-2 },
    alpha: {
      default: 0.99,
      range: [0.9, 0.999],
      scale: "linear",
      minimum: 0,
      maximum: 1,
      meaning: "decay of the mean of squared gradients",
    },
    eps: epsilon,
    momentum: { ...momentumFactor, default: 0, range: [0, 0.95] },
    weightDecay,
  },
  slots: (parameter) => ({ meanSquare: zerosLike(parameter), velocity: zerosLike(parameter) }),
  update: ({ parameter, gradient, slots, hyper }) => {
    const g = addL2(gradient, parameter, hyper.weightDecay);
    const meanSquare = movingAverage(slots.meanSquare, square(g), hyper.alpha);
    const scaled = div(g, add(sqrt(meanSquare), hyper.eps));
    const velocity = add(mul(slots.velocity, hyper.momentum), scaled);
    return { parameter: sub(parameter, mul(velocity, hyper.lr)), slots: { meanSquare, velocity } };
  },
});
