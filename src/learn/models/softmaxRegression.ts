/** Softmax regression: one dense layer; with cross-entropy the loss is convex. */
import { zeroValues } from "../initializers/index.js";
import { dense, flatten, sequential } from "../layers/index.js";
import type { Model } from "./model.js";

/**
 * logits = W x + b, weights and biases starting from zero. The loss is convex, so no start leads to a better minimum.
 * 7,850 parameters for 784 inputs and 10 classes.
 */
export const softmaxRegression = (): Model => ({
  name: "softmax",
  title: "softmax regression",
  options: {},
  build: (exampleShape, outputs) =>
    sequential([flatten(), dense(outputs, { initializer: zeroValues })]).build(exampleShape),
});
