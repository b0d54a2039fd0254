/** What a problem is: parameters, a loss, perhaps data. A user's own problem is an object of this type. */
import { type DType, isFloat } from "../../base/dtype.js";
import { SlalomError } from "../../base/errors.js";
import type { Json } from "../../base/json.js";
import { formatType, type Shape } from "../../base/shape.js";
import type { Tensor } from "../../graph/index.js";
import type { Dataset, DatasetSource } from "../datasets/dataset.js";
import type { Context, ParameterSpec, Parameters, StateSpec } from "../layers/layer.js";

export type { Context, Json, ParameterSpec, Parameters, StateSpec };

/** Some examples of a data set, as tensors. */
export interface Batch {
  /** [batch, ...exampleShape], of the parameters' dtype: already scaled. */
  readonly inputs: Tensor;
  /** [batch] class indices (int32 or uint8), or [batch, ...] floats of the parameters' dtype. */
  readonly targets: Tensor;
}

export interface Evaluation {
  /** [batch]: the loss of each example; a scalar for a problem without data. */
  readonly loss: Tensor;
  /** Further values of each example [batch], averaged over a split: accuracy is 0 or 1. Of the loss's dtype. */
  readonly metrics: Readonly<Record<string, Tensor>>;
  /** [batch, classes], of a classification: its predictions are made of them. */
  readonly logits?: Tensor;
}

/** A problem whose shapes are known. */
export interface BuiltProblem {
  readonly parameters: Readonly<Record<string, ParameterSpec>>;
  /** What training changes but no gradient does; `evaluate` gets it among the parameters. */
  readonly state?: Readonly<Record<string, StateSpec>>;
  /** Names of the metrics that `evaluate` gives. */
  readonly metrics: readonly string[];
  /**
   * Loss and metrics from one forward pass; what the caller doesn't use costs nothing once compiled.
   * @param batch absent for a problem without data
   */
  evaluate(parameters: Parameters, batch: Batch | undefined, context: Context): Evaluation;
}

/** Where the loss is least, as far as it is known. */
export interface Optimum {
  readonly loss: number;
  /** Row-major values by parameter; one of the minimizers if there are several. */
  readonly parameters?: Readonly<Record<string, readonly number[]>>;
}

/** A loss of two scalars, for drawing its contours. */
export interface Surface {
  /** Names of the two parameters (or of the two elements of one), in the order of `value`'s arguments. */
  readonly axes: readonly [string, string];
  /** The part of the plane worth drawing: [least, greatest] for each axis. */
  readonly range: readonly [readonly [number, number], readonly [number, number]];
  value(x: number, y: number): number;
  /** All known global minimizers. */
  readonly minima: readonly (readonly [number, number])[];
}

/**
 * That the loss is exactly minimum + 1/2 (p - minimizer)^T hessian (p - minimizer), where p holds all parameters, each
 * row-major, in the order of `parameters`: what the closed forms of `theory` need.
 */
export interface QuadraticForm {
  readonly parameters: readonly string[];
  readonly hessian: readonly (readonly number[])[];
  readonly minimizer: readonly number[];
  readonly minimum: number;
  readonly start: readonly number[];
}

export interface Problem {
  /** As the command line takes it, as in "mnist-softmax". */
  readonly name: string;
  /** As figures print it. */
  readonly title: string;
  /** All that sets this problem apart from another of its name; goes into the run store. */
  readonly options: Readonly<Record<string, Json>>;
  /** Absent where the loss is a function of the parameters alone. */
  readonly dataset?: DatasetSource;
  /** How the losses of a batch's examples become one; of no effect without data. */
  readonly reduction: "mean" | "sum";
  /** What a run takes where its configuration says nothing. */
  readonly defaults: {
    readonly batchSize?: number | "full";
    readonly epochs?: number;
    readonly steps?: number;
    readonly dtype?: DType;
  };
  /** @param dataset what `dataset.load()` gave; absent where the problem has none */
  build(dataset?: Dataset): BuiltProblem;
  readonly optimum?: Optimum;
  readonly surface?: Surface;
  readonly quadratic?: QuadraticForm;
}

/** The data set that `build` was given; throws "option" if there is none. */
export function requireDataset(problem: string, dataset: Dataset | undefined): Dataset {
  if (dataset !== undefined) return dataset;
  throw new SlalomError(
    "option",
    `problem "${problem}": build received no data set; expected a loaded one. Pass what problem.dataset.load() gives.`,
  );
}

/** The batch that `evaluate` was given; throws "option" if there is none. */
export function requireBatch(problem: string, batch: Batch | undefined): Batch {
  if (batch !== undefined) return batch;
  throw new SlalomError("option", `problem "${problem}": evaluate received no batch; expected one.`);
}

/**
 * The evaluation, once its types are sound. Trainers call it on what a problem answers, so that a mistake in a user's
 * problem is named before anything is compiled.
 * @param batchSize examples of the batch; undefined for a problem without data
 * @throws SlalomError "shape" for a loss or metric of another shape, "option" for metrics other than announced
 */
export function checkEvaluation(
  problem: string,
  built: BuiltProblem,
  evaluation: Evaluation,
  batchSize: number | undefined,
): Evaluation {
  const expected: Shape = batchSize === undefined ? [] : [batchSize];
  const check = (what: string, tensor: Tensor): void => {
    if (isFloat(tensor.dtype) && tensor.shape.join() === expected.join()) return;
    const remedy =
      batchSize === undefined ? "Take its sum or mean?" : "Reduce over the axes of one example alone?";
    throw new SlalomError(
      "shape",
      `problem "${problem}": ${what} is ${formatType(tensor)}; expected a float of shape [${expected.join(",")}]. ${remedy}`,
    );
  };
  check("the loss", evaluation.loss);
  for (const [name, metric] of Object.entries(evaluation.metrics)) check(`metric "${name}"`, metric);
  const received = Object.keys(evaluation.metrics);
  if ([...received].sort().join() === [...built.metrics].sort().join()) return evaluation;
  throw new SlalomError(
    "option",
    `problem "${problem}": evaluate gave metrics [${received.join(", ")}]; expected [${built.metrics.join(", ")}], as \`metrics\` announces.`,
  );
}
