/**
 * Initializers whose spread follows from the layer's fans, so that signals neither grow nor fade with depth:
 * Glorot and Bengio 2010, He et al. 2015, and the default of PyTorch's layers.
 */
import type { Shape } from "../../base/shape.js";
import { type Key, mul, randomNormal, randomUniform, sub, type Tensor } from "../../graph/index.js";
import type { Initializer } from "./initializer.js";

/**
 * Uniform on +-sqrt(6 / (fanIn + fanOut)): keeps the variance of signals and gradients through linear or tanh layers.
 * Glorot, Bengio: "Understanding the difficulty of training deep feedforward neural networks", 2010, equation 16.
 */
export const glorotUniform: Initializer = (key, shape, fans) =>
  uniformWithin(key, shape, Math.sqrt(6 / (fans.in + fans.out)));

/** Normal with standard deviation sqrt(2 / (fanIn + fanOut)); see `glorotUniform`. Not truncated. */
export const glorotNormal: Initializer = (key, shape, fans) =>
  mul(randomNormal(key, shape), Math.sqrt(2 / (fans.in + fans.out)));

/**
 * Uniform on +-sqrt(6 / fanIn): keeps the variance of signals through ReLU layers.
 * He, Zhang, Ren, Sun: "Delving deep into rectifiers", 2015, equation 10.
 */
export const heUniform: Initializer = (key, shape, fans) => uniformWithin(key, shape, Math.sqrt(6 / fans.in));

/** Normal with standard deviation sqrt(2 / fanIn); see `heUniform`. Not truncated. */
export const heNormal: Initializer = (key, shape, fans) =>
  mul(randomNormal(key, shape), Math.sqrt(2 / fans.in));

/** Uniform on +-1 / sqrt(fanIn): the default of PyTorch's linear and convolution layers, for weight and bias. */
export const pytorchDefault: Initializer = (key, shape, fans) =>
  uniformWithin(key, shape, 1 / Math.sqrt(fans.in));

const uniformWithin = (key: Key, shape: Shape, limit: number): Tensor =>
  sub(mul(randomUniform(key, shape), 2 * limit), limit);
