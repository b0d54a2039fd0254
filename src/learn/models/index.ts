/** Models: from examples to logits or predictions. */
export { type LayersModelOptions, layersModel } from "./layersModel.js";
export type { Json, Model } from "./model.js";
export { type PerceptronOptions, perceptron } from "./perceptron.js";
export { softmaxRegression } from "./softmaxRegression.js";
