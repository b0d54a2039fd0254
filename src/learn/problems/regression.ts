/** Regression in mini-batches: any data set with float targets, any model, squared error. */
import { checkKeys, SlalomError } from "../../base/errors.js";
import { sizeOf } from "../../base/shape.js";
import { reshape } from "../../graph/index.js";
import type { DatasetSource } from "../datasets/dataset.js";
import { squaredError } from "../losses/index.js";
import type { Model } from "../models/index.js";
import { type Problem, requireBatch, requireDataset } from "./problem.js";

export interface RegressionProblemOptions {
  readonly dataset: DatasetSource;
  readonly model: Model;
  /** Default: the data set's name and the model's. */
  readonly name?: string;
  /** Default: the titles of data set and model. */
  readonly title?: string;
  /** How the losses of a batch's examples become one; default "mean". */
  readonly reduction?: "mean" | "sum";
  /** Default: batches of 100, 30 epochs. */
  readonly defaults?: Problem["defaults"];
}

/**
 * loss = mean (or sum) over the batch of |model(x) - y|^2, summed over the outputs of an example. No metrics.
 * @throws SlalomError "option" for unknown options, and when built with a data set that has classes
 * @example regressionProblem({ dataset: sourceOf(regression({ name, inputs, targets })), model: perceptron() })
 */
export function regressionProblem(options: RegressionProblemOptions): Problem {
  checkKeys("regressionProblem", options, ["dataset", "model", "name", "title", "reduction", "defaults"]);
  const { dataset: source, model, name = `${source.name}-${model.name}`, reduction = "mean" } = options;
  if (reduction !== "mean" && reduction !== "sum") {
    throw new SlalomError(
      "option",
      `regressionProblem: received reduction "${reduction}"; expected "mean" or "sum".`,
    );
  }
  return {
    name,
    title: options.title ?? `${model.title} on ${source.title}`,
    options: {
      dataset: source.name,
      ...source.options,
      model: { name: model.name, ...model.options },
      reduction,
    },
    dataset: source,
    reduction,
    defaults: { batchSize: 100, epochs: 30, ...options.defaults },
    build(loaded) {
      const { classes, exampleShape, train } = requireDataset(name, loaded);
      if (classes !== undefined) {
        throw new SlalomError(
          "option",
          `problem "${name}": data set "${source.name}" has ${classes} classes; expected float targets. Take classificationProblem?`,
        );
      }
      const built = model.build(exampleShape, sizeOf(train.targets.shape.slice(1)));
      return {
        parameters: built.parameters,
        ...(built.state && { state: built.state }),
        metrics: [],
        evaluate(parameters, batch, context) {
          const { inputs, targets } = requireBatch(name, batch);
          const predictions = reshape(built.apply(parameters, inputs, context), targets.shape);
          return { loss: squaredError(predictions, targets), metrics: {} };
        },
      };
    },
  };
}
