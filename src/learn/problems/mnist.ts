/** Handwritten digits: MNIST with a model, by default softmax regression. */
import { type MnistOptions, mnistDataset } from "../datasets/mnist.js";
import { type Model, softmaxRegression } from "../models/index.js";
import { classificationProblem } from "./classification.js";
import type { Problem } from "./problem.js";

export interface MnistProblemOptions extends MnistOptions {
  /** Default: `softmaxRegression()`. */
  readonly model?: Model;
}

/**
 * Classification of MNIST's 50,000 training images, batches of 100 for 30 epochs unless a run says otherwise.
 *
 * Named after the model: "mnist-softmax", "mnist-perceptron". Other options are those of `mnistDataset`.
 * @throws SlalomError "option" for unknown options
 * @example mnist({ model: perceptron({ hidden: [512] }), trainCount: 5000 })
 */
export function mnist(options: MnistProblemOptions = {}): Problem {
  const { model = softmaxRegression(), ...data } = options;
  const { folder: _place, ...content } = data;
  return classificationProblem({ dataset: mnistDataset(data), model, options: { ...content } });
}
