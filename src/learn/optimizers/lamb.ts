/** LAMB: Adam's steps in proportion to the norm of each layer's weights. You et al. 2020. */
import { add, div, mul, rsqrt, sqrt, square, sub, where } from "../../graph/index.js";
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
import { isAdapted, minimumAxes, norm, trustRatio } from "./layerwise.js";
import { defineOptimizer } from "./optimizer.js";

/**
 * Layer-wise adaptive moments for batch training. At step t = 1, 2, ..., for each parameter tensor w of at least
 * `minimumAxes` axes, with g its gradient:
 *
 *     m = beta1 m + (1 - beta1) g                                  m = v = 0 at first
 *     v = beta2 v + (1 - beta2) g^2
 *     u = (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + eps) + weightDecay w
 *     w = w - lr (|w| / |u|) u                                     the ratio is 1 where |w| or |u| is 0
 *
 * Tensors of fewer axes, such as biases, take Adam's step without weight decay: ratio 1, and u without w.
 *
 * Made for batches of thousands: one update moves a layer by the share lr of its own norm, in the direction of Adam's. In
 * a problem whose parameters are all vectors, as in `quadratic`, set minimumAxes to 0.
 *
 * The paper's Algorithm 2 with phi the identity, where some implementations clip |w|, and others leave out the
 * corrections by 1 - beta^t. optax's `lamb` adapts all tensors: minimumAxes 0.
 * ```ts
 * lamb({ lr: logspace(1e-4, 1e-1, 7), weightDecay: 0.01, schedule: withWarmup(polynomial(), { steps: 500 }) });
 * ```
 */
export const lamb = defineOptimizer({
  id: "lamb",
  title: "LAMB",
  paper: {
    authors:
      "Y. You, J. Li, S. Reddi, J. Hseu, S. Kumar, S. Bhojanapalli, X. Song, J. Demmel, K. Keutzer, C.-J. Hsieh",
    title: "Large batch optimization for deep learning: training BERT in 76 minutes",
    year: 2020,
    url: "https://arxiv.org/abs/1904.00962",
  },
  hyperparameters: {
    lr: learningRate,
    beta1,
    beta2,
    eps: { ...epsilon, default: 1e-6 },
    weightDecay: {
      ...weightDecay,
      range: [1e-4, 1],
      meaning: "this times the parameter is added to Adam's step, before the trust ratio",
    },
    minimumAxes,
  },
  slots: (parameter) => ({ firstMoment: zerosLike(parameter), secondMoment: zerosLike(parameter) }),
  update: ({ parameter, gradient, slots, hyper, step }) => {
    const adapted = isAdapted(parameter, hyper.minimumAxes);
    const firstMoment = movingAverage(slots.firstMoment, gradient, hyper.beta1);
    const secondMoment = movingAverage(slots.secondMoment, square(gradient), hyper.beta2);
    const mean = mul(firstMoment, div(1, biasCorrection(hyper.beta1, step)));
    // One reciprocal for the tensor, not a division for each element.
    const root = mul(sqrt(secondMoment), rsqrt(biasCorrection(hyper.beta2, step)));
    const change = addL2(div(mean, add(root, hyper.eps)), parameter, where(adapted, hyper.weightDecay, 0));
    const ratio = trustRatio(adapted, norm(parameter), norm(change));
    return {
      parameter: sub(parameter, mul(change, mul(ratio, hyper.lr))),
      slots: { firstMoment, secondMoment },
    };
  },
});
