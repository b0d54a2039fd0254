/** Models: from examples to logits or predictions. */
export { type ConvNetOptions, convNet } from "./convNet.js";
export { type LayersModelOptions, layersModel } from "./layersModel.js";
export { lenet5 } from "./lenet5.js";
export type { Json, Model } from "./model.js";
export { type PerceptronOptions, perceptron } from "./perceptron.js";
export { type ResnetOptions, resnet } from "./resnet.js";
export { softmaxRegression } from "./softmaxRegression.js";
