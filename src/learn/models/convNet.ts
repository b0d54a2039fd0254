/** A convolutional network of two convolutions and two dense layers, as courses train it on MNIST. */
import { checkKeys, SlalomError } from "../../base/errors.js";
import {
  constantValue,
  heNormal,
  type Initializer,
  truncatedNormal,
  zeroValues,
} from "../initializers/index.js";
import {
  activation,
  type BatchNormOptions,
  batchNorm,
  convolution,
  dense,
  dropout,
  flatten,
  type Layer,
  maxPool,
  sequential,
} from "../layers/index.js";
import type { Model } from "./model.js";

export interface ConvNetOptions {
  /** Filters of the two convolutions; default [32, 64]. */
  readonly filters?: readonly [number, number];
  /** Units of the hidden dense layer; default 1024. */
  readonly hidden?: number;
  /** Probability of losing a hidden unit in training; default 0.5. */
  readonly dropout?: number;
  /**
   * "truncated-normal" (default): weights truncated normal with sigma 0.1, biases 0.1, as the course has them. "he":
   * weights normal with variance 2 / fan-in, biases 0.
   */
  readonly initializer?: "truncated-normal" | "he";
  /** Batch normalisation before each ReLU, in place of the bias there, perhaps with options of its own; default false. */
  readonly batchNorm?: boolean | BatchNormOptions;
}

/**
 * Convolution 5x5, ReLU, max-pool 2, twice; dense, ReLU, dropout; dense. "Same" padding. 3,274,634 parameters for MNIST
 * with the defaults.
 * @throws SlalomError "option" for unknown or impossible options
 * @example mnist({ model: convNet() })
 */
export function convNet(options: ConvNetOptions = {}): Model {
  checkKeys("convNet", options, ["filters", "hidden", "dropout", "initializer", "batchNorm"]);
  const {
    filters = [32, 64],
    hidden = 1024,
    dropout: probability = 0.5,
    initializer = "truncated-normal",
    batchNorm: normalisation = false,
  } = options;
  if (!Object.hasOwn(starts, initializer)) {
    throw new SlalomError(
      "option",
      `convNet: received initializer "${initializer}"; expected "truncated-normal" or "he".`,
    );
  }
  const start = starts[initializer];
  const bias = normalisation ? "none" : start.bias;
  const normalised: Layer[] = normalisation ? [batchNorm(normalisation === true ? {} : normalisation)] : [];
  const activated: Layer[] = [...normalised, activation("relu")];
  const convolved = (count: number): Layer[] => [
    convolution(count, { kernel: 5, padding: "same", initializer: start.weight, bias }),
    ...activated,
    maxPool(2),
  ];
  const plain = typeof normalisation === "boolean" ? normalisation : { ...normalisation };
  return {
    name: "cnn",
    title: `CNN ${[...filters, hidden].join("-")}${normalisation ? ", batch norm" : ""}`,
    options: { filters, hidden, dropout: probability, initializer, batchNorm: plain },
    takes: "images",
    build: (exampleShape, outputs) =>
      sequential([
        ...filters.flatMap(convolved),
        flatten(),
        dense(hidden, { initializer: start.weight, bias }),
        ...activated,
        ...(probability === 0 ? [] : [dropout(probability)]),
        dense(outputs, { initializer: start.weight, bias: start.bias }),
      ]).build(exampleShape),
  };
}

const starts: Readonly<
  Record<NonNullable<ConvNetOptions["initializer"]>, { weight: Initializer; bias: Initializer }>
> = {
  "truncated-normal": { weight: truncatedNormal(0.1), bias: constantValue(0.1) },
  he: { weight: heNormal, bias: zeroValues },
};
