/** Handwritten digits: MNIST with a model, by default softmax regression. */
import type { Augmentation } from "../augmentations/augmentation.js";
import { type MnistOptions, mnistDataset } from "../datasets/mnist.js";
import { type Model, softmaxRegression } from "../models/index.js";
import { classificationProblem } from "./classification.js";
import type { Optimum, Problem } from "./problem.js";

export interface MnistProblemOptions extends MnistOptions {
  /** Default: `softmaxRegression()`. */
  readonly model?: Model;
  /** Random changes of the training images, as `classificationProblem` takes them. */
  readonly augment?: readonly Augmentation[];
  /** The least training loss, where it is known, as it is for softmax regression on all images; identifies no run. */
  readonly optimum?: Optimum;
}

/**
 * Classification of MNIST's 50,000 training images, batches of 100 for 30 epochs unless a run says otherwise.
 *
 * A model for images gets them as [28, 28, 1], and so does any with augmentation; others get
 * [784]. Named after the model: "mnist-softmax", "mnist-perceptron". Other options are those of `mnistDataset`.
 * @throws SlalomError "option" for unknown options
 * @example mnist({ model: perceptron({ hidden: [512] }), trainCount: 5000 })
 */
export function mnist(options: MnistProblemOptions = {}): Problem {
  const {
    model = softmaxRegression(),
    augment = [],
    optimum = knownOptimum(model, options),
    ...data
  } = options;
  const { folder: _place, ...content } = data;
  const needsImages = model.takes === "images" || augment.length > 0;
  const dataset = mnistDataset({ ...(needsImages && { shape: "image" }), ...data });
  return classificationProblem({ dataset, model, augment, options: { ...content }, optimum });
}

/**
 * Of softmax regression on all 50,000 images. The infimum lies a little below and is not attained: pixels that are lit
 * in images of one digit alone draw their weights to infinity. Found by exercises/ex2-mnist/optimum.ts.
 */
const leastSoftmaxLoss = 0.19517839724315342;

const knownOptimum = (
  { name, options }: Model,
  { trainCount = 50_000, augment = [] }: MnistProblemOptions,
): Optimum | undefined =>
  name === "softmax" && Object.keys(options).length === 0 && trainCount === 50_000 && augment.length === 0
    ? { loss: leastSoftmaxLoss }
    : undefined;
