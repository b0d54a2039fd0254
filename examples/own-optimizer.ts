/**
 * An optimizer of one's own: Lion, the sign of interpolated momentum, beside Adam on the spirals.
 * X. Chen et al.: "Symbolic discovery of optimization algorithms", 2023.
 *
 *     slalom run examples/own-optimizer.ts
 */
import {
  adam,
  add,
  classificationProblem,
  defineOptimizer,
  hyperparameters,
  logspace,
  mul,
  perceptron,
  sign,
  spirals,
  study,
  sub,
  zeros,
} from "slalom";

const lion = defineOptimizer({
  id: "lion",
  title: "Lion",
  paper: { authors: "X. Chen et al.", title: "Symbolic discovery of optimization algorithms", year: 2023 },
  hyperparameters: {
    lr: hyperparameters.learningRate,
    beta1: hyperparameters.beta1,
    beta2: { ...hyperparameters.beta2, default: 0.99 },
  },
  slots: ({ shape, dtype }) => ({ firstMoment: zeros(shape, dtype) }),
  update: ({ parameter, gradient, slots: { firstMoment }, hyper: { lr, beta1, beta2 } }) => {
    const direction = sign(add(mul(firstMoment, beta1), mul(gradient, sub(1, beta1))));
    return {
      parameter: sub(parameter, mul(direction, lr)),
      slots: { firstMoment: add(mul(firstMoment, beta2), mul(gradient, sub(1, beta2))) },
    };
  },
});

export default study({
  name: "own-optimizer",
  title: "Lion and Adam on interleaved spirals",
  problem: classificationProblem({ dataset: spirals(), model: perceptron({ hidden: [32] }) }),
  optimizers: [lion({ lr: logspace(1e-4, 1e-1, 7) }), adam({ lr: logspace(1e-4, 1e-1, 7) })],
  seeds: 3,
  epochs: 40,
  batchSize: 20,
  targets: [{ metric: "validationAccuracy", value: 0.95 }],
});
