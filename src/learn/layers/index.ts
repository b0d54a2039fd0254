/** Layers: what models are built of. */
export { type ActivationName, activation, activationNames } from "./activation.js";
export { type BatchNormOptions, batchNorm } from "./batchNorm.js";
export { type ConvolutionLayerOptions, convolution } from "./convolution.js";
export { type DenseOptions, dense } from "./dense.js";
export { dropout } from "./dropout.js";
export { flatten } from "./flatten.js";
export {
  type BuiltLayer,
  type Context,
  type Layer,
  type ParameterSpec,
  type Parameters,
  partKey,
  type StateSpec,
} from "./layer.js";
export { type LayerNormOptions, layerNorm } from "./layerNorm.js";
export {
  averagePool,
  globalAveragePool,
  globalMaxPool,
  maxPool,
  type PoolLayerOptions,
} from "./pooling.js";
export { residual } from "./residual.js";
export { sequential } from "./sequential.js";
