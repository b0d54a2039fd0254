/** What a trained classifier says of each example of a split. */

import { SlalomError } from "../base/errors.js";
import type { Backend } from "../compile/backend.js";
import type { Program } from "../compile/program.js";
import * as g from "../graph/index.js";
import type { Dataset, SplitName } from "../learn/datasets/dataset.js";
import { preparedBatch } from "../learn/problems/batch.js";
import type { Problem } from "../learn/problems/problem.js";
import { evaluationBatchSize } from "./batches.js";
import type { ModelValues } from "./results.js";

/** By example, in the split's order. */
export interface Predictions {
  /** The class with the greatest probability. */
  readonly classes: readonly number[];
  readonly probabilities: readonly number[];
}

/**
 * @throws SlalomError "option" for a problem without data or without logits; "data" for a split that the data lack
 */
export function predict({
  problem,
  dataset,
  split,
  values,
  backend,
  microBatch,
}: {
  readonly problem: Problem;
  readonly dataset: Dataset;
  readonly split: SplitName;
  readonly values: ModelValues;
  readonly backend: Backend;
  /** The most examples at a time. */
  readonly microBatch?: number;
}): Predictions {
  const data = dataset[split];
  if (!data) throw new SlalomError("data", `predict: data set "${dataset.name}" has no ${split} split.`);
  const { count, inputs } = data;
  const size = evaluationBatchSize(count, microBatch);
  const dtype = Object.values(values)[0].dtype as "float32" | "float64";
  const variables: Record<string, g.Tensor> = {
    inputs: g.variable("inputs", inputs.shape, inputs.dtype),
    targets: g.variable("targets", data.targets.shape, data.targets.dtype),
    position: g.variable("position", [], "int32"),
  };
  const model = Object.fromEntries(
    Object.entries(values).map(([name, { shape }]) => [name, g.variable(name, shape, dtype)]),
  );
  for (const [name, variable] of Object.entries(model)) variables[`model/${name}`] = variable;
  const places = g.minimum(g.add(g.mul(variables.position, size), g.iota([size])), count - 1);
  const batch = preparedBatch(
    dataset,
    g.take(variables.inputs, places),
    g.take(variables.targets, places),
    dtype,
  );
  const { logits } = problem
    .build(dataset)
    .evaluate(model, batch, { training: false, key: g.keyFromSeed(0) });
  if (!logits)
    throw new SlalomError(
      "option",
      `predict: problem "${problem.name}" gives no logits; expected a classification.`,
    );
  const steps = Math.ceil(count / size);
  const program: Program = {
    name: `${problem.name} predictions`,
    variables,
    entries: {
      predict: {
        updates: { position: g.add(variables.position, 1) },
        traces: { classes: g.argmax(logits), probabilities: g.max(g.softmax(logits), { axis: -1 }) },
      },
    },
    traceCapacity: steps,
  };
  const executable = backend.compile(program);
  try {
    executable.write("inputs", inputs.data);
    executable.write("targets", data.targets.data);
    executable.write("position", [0]);
    for (const [name, { data: numbers }] of Object.entries(values))
      executable.write(`model/${name}`, numbers);
    executable.run("predict", steps);
    return {
      classes: [...executable.trace("predict", "classes").subarray(0, count)],
      probabilities: [...executable.trace("predict", "probabilities").subarray(0, count)],
    };
  } finally {
    executable.release();
  }
}
