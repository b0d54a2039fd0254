/** LARS: momentum whose steps are in proportion to the norm of each layer's weights. You, Gitman, Ginsburg 2017. */
import { add, mul, sub, where } from "../../graph/index.js";
import { addL2, epsilon, learningRate, momentumFactor, weightDecay, zerosLike } from "./common.js";
import { isAdapted, minimumAxes, norm, trustRatio } from "./layerwise.js";
import { defineOptimizer } from "./optimizer.js";

/**
 * Layer-wise adaptive rate scaling. For each parameter tensor w of at least `minimumAxes` axes, with g its gradient:
 *
 *     r = trustCoefficient |w| / (|g| + weightDecay |w| + eps)     1 where |w| or the divisor is 0
 *     u = lr r (g + weightDecay w)                                 u = lr g for tensors of fewer axes
 *     v' = momentum v + u                                          v = 0 at first
 *     w = w - v' - nesterov momentum (v' - v)
 *
 * Made for batches of thousands: one update moves a layer by about lr trustCoefficient of its own norm, whatever the
 * size of its gradient is, so a large lr doesn't break the layers whose gradients are large for their weights. Use it with
 * a warm-up. lr is far above that of `momentum`, and biases and normalisation, which are not adapted, take plain steps of
 * it; where these break, or where all parameters are vectors, as in `quadratic`, set minimumAxes to 0.
 *
 * The paper's Algorithm 1; `nesterov`, 0 or 1 (between them the look ahead is shortened), and eps are later additions.
 * torch-optimizer's `LARS`, whose tensors without weight decay are those that are not adapted here. optax's `lars` divides
 * by |g + weightDecay w|: the same without weight decay, but with it steps keep their length where gradient and decay
 * cancel. It adapts all tensors: minimumAxes 0. lr stands inside of the velocity, unlike in `momentum`: the same path
 * while it is constant.
 * ```ts
 * lars({ lr: logspace(1, 30, 4), weightDecay: 1e-4, schedule: withWarmup(polynomial({ power: 2 }), { steps: 500 }) });
 * ```
 */
export const lars = defineOptimizer({
  id: "lars",
  title: "LARS",
  paper: {
    authors: "Y. You, I. Gitman, B. Ginsburg",
    title: "Large batch training of convolutional networks",
    year: 2017,
    url: "https://arxiv.org/abs/1708.03888",
  },
  hyperparameters: {
    lr: { ...learningRate, default: 1, range: [1e-1, 30] },
    momentum: momentumFactor,
    weightDecay,
    trustCoefficient: {
      default: 1e-3,
      range: [1e-4, 1e-1],
      scale: "log",
      minimum: Number.MIN_VALUE,
      meaning: "how far one step at lr 1 moves a layer, as a share of the norm of its weights",
    },
    nesterov: {
      default: 0,
      range: [0, 1],
      scale: "linear",
      minimum: 0,
      maximum: 1,
      meaning: "1 looks one step ahead, as Nesterov momentum does; 0 is the heavy ball",
    },
    eps: { ...epsilon, default: 0, meaning: "added to the norms that the trust ratio divides by" },
    minimumAxes,
  },
  slots: (parameter) => ({ velocity: zerosLike(parameter) }),
  update: ({ parameter, gradient, slots, hyper }) => {
    const adapted = isAdapted(parameter, hyper.minimumAxes);
    const decay = where(adapted, hyper.weightDecay, 0);
    const weightNorm = norm(parameter);
    const divisor = add(add(norm(gradient), mul(weightNorm, decay)), hyper.eps);
    const ratio = trustRatio(adapted, mul(weightNorm, hyper.trustCoefficient), divisor);
    const change = mul(addL2(gradient, parameter, decay), mul(ratio, hyper.lr));
    const velocity = add(mul(slots.velocity, hyper.momentum), change);
    const ahead = mul(sub(velocity, slots.velocity), mul(hyper.nesterov, hyper.momentum));
    return { parameter: sub(parameter, add(velocity, ahead)), slots: { velocity } };
  },
});
