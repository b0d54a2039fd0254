/** What several optimizers share: hyperparameters by one name, averages, L2 decay. */
import type { TensorType } from "../../base/shape.js";
import { add, div, fullLike, log1p, mul, neg, sub, type Tensor, tanh, zeros } from "../../graph/index.js";
import type { Hyperparameter } from "./optimizer.js";

export const learningRate = {
  default: 1e-3,
  range: [1e-5, 1e-1],
  scale: "log",
  minimum: 0,
  meaning: "learning rate: the size of a step",
} as const satisfies Hyperparameter;

/** L2 penalty inside the gradient; for the decay outside of it see AdamW and `decoupledWeightDecay`. */
export const weightDecay = {
  default: 0,
  range: [1e-6, 1e-1],
  scale: "log",
  minimum: 0,
  meaning: "L2 penalty: this times the parameter is added to the gradient",
} as const satisfies Hyperparameter;

export const momentumFactor = {
  default: 0.9,
  range: [0.1, 0.99],
  scale: "linear",
  minimum: 0,
  meaning: "share of the velocity that is kept at each step",
} as const satisfies Hyperparameter;

/** The largest float32 below 1: at 1 the bias corrections of the Adam family divide by 0. */
const belowOne = 1 - 2 ** -24;

export const beta1 = {
  default: 0.9,
  range: [0.5, 0.99],
  scale: "linear",
  minimum: 0,
  maximum: belowOne,
  meaning: "decay of the mean of gradients, below 1",
} as const satisfies Hyperparameter;

export const beta2 = {
  default: 0.999,
  range: [0.9, 0.9999],
  scale: "linear",
  minimum: 0,
  maximum: belowOne,
  meaning: "decay of the mean of squared gradients, below 1",
} as const satisfies Hyperparameter;

export const epsilon = {
  default: 1e-8,
  range: [1e-10, 1e-3],
  scale: "log",
  minimum: 0,
  meaning: "added to the denominator; large values bring adaptive methods nearer to plain momentum",
} as const satisfies Hyperparameter;

/** decay * average + (1 - decay) * value. */
export const movingAverage = (average: Tensor, value: Tensor, decay: Tensor): Tensor =>
  add(mul(average, decay), mul(value, sub(1, decay)));

/** gradient + decay * parameter: the gradient of the loss with an L2 penalty of decay / 2. */
export const addL2 = (gradient: Tensor, parameter: Tensor, decay: Tensor): Tensor =>
  add(gradient, mul(parameter, decay));

/**
 * 1 - beta^step, the bias of a moving average that began at 0. As 2 T / (1 + T) with T = tanh(-step log(beta)
 * / 2): for beta near 1 the plain difference loses four of float32's seven digits.
 */
export function biasCorrection(beta: Tensor, step: Tensor): Tensor {
  const t = tanh(mul(mul(log1p(neg(sub(1, beta))), step), -0.5));
  return div(mul(t, 2), add(t, 1));
}

/** Zeros in the type of the parameter. */
export const zerosLike = (parameter: TensorType): Tensor => fullLike(parameter, 0);

/** A scalar in the dtype of the parameter. */
export const scalarFor = (parameter: TensorType, value: number): Tensor =>
  value === 0 ? zeros([], parameter.dtype) : fullLike({ ...parameter, shape: [] }, value);
