/** Classification: any data set with classes, any model, cross-entropy. */
import { checkKeys, SlalomError } from "../../base/errors.js";
import { type Augmentation, augmentImages } from "../augmentations/augmentation.js";
import type { DatasetSource } from "../datasets/dataset.js";
import { accuracy, crossEntropy } from "../losses/index.js";
import type { Model } from "../models/index.js";
import { type Json, type Optimum, type Problem, requireBatch, requireDataset } from "./problem.js";

export interface ClassificationProblemOptions {
  readonly dataset: DatasetSource;
  readonly model: Model;
  /** Default: the data set's name and the model's, as in "mnist-softmax". */
  readonly name?: string;
  /** Default: the titles of data set and model. */
  readonly title?: string;
  /** Default: batches of 100, 30 epochs. */
  readonly defaults?: Problem["defaults"];
  /** What sets the data set apart from another of its name, beside its own options; goes into the run store. */
  readonly options?: Readonly<Record<string, Json>>;
  /** What happens to the images in training, in this order: `[shift(2), flip()]`; evaluation sees them as they are. */
  readonly augment?: readonly Augmentation[];
  /** The least training loss, where it is known: reports then say how far each optimizer ends from it. */
  readonly optimum?: Optimum;
}

/**
 * loss = mean over the batch of -log softmax(model(x))[label]; metric "accuracy".
 * @throws SlalomError "option" for unknown options, and when built with a data set that has no classes
 * @example classificationProblem({ dataset: spirals(), model: perceptron({ hidden: [32] }) })
 */
export function classificationProblem(options: ClassificationProblemOptions): Problem {
  checkKeys("classificationProblem", options, [
    "dataset",
    "model",
    "name",
    "title",
    "defaults",
    "options",
    "augment",
    "optimum",
  ]);
  const { dataset: source, model, augment = [], name = `${source.name}-${model.name}` } = options;
  return {
    name,
    title: options.title ?? `${model.title} on ${source.title}`,
    options: {
      dataset: source.name,
      ...source.options,
      ...options.options,
      ...(augment.length > 0 && { augment: augment.map((each) => ({ name: each.name, ...each.options })) }),
      model: { name: model.name, ...model.options },
    },
    dataset: source,
    reduction: "mean",
    ...(options.optimum && { optimum: options.optimum }),
    defaults: { batchSize: 100, epochs: 30, ...options.defaults },
    build(loaded) {
      const { classes, exampleShape } = requireDataset(name, loaded);
      if (classes === undefined) {
        throw new SlalomError(
          "option",
          `problem "${name}": data set "${source.name}" has float targets; expected classes. Take regressionProblem?`,
        );
      }
      const built = model.build(exampleShape, classes);
      return {
        parameters: built.parameters,
        ...(built.state && { state: built.state }),
        metrics: ["accuracy"],
        evaluate(parameters, batch, context) {
          const { inputs, targets } = requireBatch(name, batch);
          const { training, key, firstExample } = context;
          const seen = training ? augmentImages(augment, inputs, key, firstExample) : inputs;
          const logits = built.apply(parameters, seen, context);
          return {
            loss: crossEntropy(logits, targets),
            metrics: { accuracy: accuracy(logits, targets) },
            logits,
          };
        },
      };
    },
  };
}
