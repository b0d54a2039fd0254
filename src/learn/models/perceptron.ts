/** The multilayer perceptron: dense layers with an activation between them. */
import { checkKeys, SlalomError } from "../../base/errors.js";
import { glorotUniform, heNormal, type Initializer } from "../initializers/index.js";
import {
  type ActivationName,
  activation,
  dense,
  dropout,
  flatten,
  type Layer,
  sequential,
} from "../layers/index.js";
import type { Model } from "./model.js";

export interface PerceptronOptions {
  /** Units of each hidden layer, first to last; default [512]. None: a linear model. */
  readonly hidden?: readonly number[];
  /** After each hidden layer; default "relu". */
  readonly activation?: ActivationName;
  /** Probability of losing a hidden unit in training, 0 (default) to below 1. */
  readonly dropout?: number;
  /** Of all weights; default `heNormal` before relu, gelu and softplus, else `glorotUniform`. Biases start at 0. */
  readonly initializer?: Initializer;
}

/**
 * A perceptron for examples of any shape, which are flattened first.
 * @throws SlalomError "option" for impossible options, "name" for an unknown activation
 * @example perceptron({ hidden: [256, 128], activation: "tanh" })
 */
export function perceptron(options: PerceptronOptions = {}): Model {
  checkKeys("perceptron", options, ["hidden", "activation", "dropout", "initializer"]);
  const { hidden = [512], activation: name = "relu", dropout: probability = 0, initializer } = options;
  if (!Array.isArray(hidden)) {
    throw new SlalomError(
      "option",
      `perceptron: received hidden ${hidden}; expected a list of sizes, as [512].`,
    );
  }
  const isSaturating = name === "tanh" || name === "sigmoid";
  const hiddenInitializer = initializer ?? (isSaturating ? glorotUniform : heNormal);
  const hiddenLayers: Layer[] = hidden.flatMap((units) => [
    dense(units, { initializer: hiddenInitializer }),
    activation(name),
    ...(probability === 0 ? [] : [dropout(probability)]),
  ]);
  return {
    name: "perceptron",
    title: `perceptron ${[...hidden, name].join("-")}`,
    options: {
      hidden,
      activation: name,
      dropout: probability,
      initializer: initializer?.name ?? "default",
    },
    build: (exampleShape, outputs) =>
      sequential([
        flatten(),
        ...hiddenLayers,
        dense(outputs, { initializer: initializer ?? glorotUniform }),
      ]).build(exampleShape),
  };
}
