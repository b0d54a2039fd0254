/** A trained classifier as an ONNX model: raw examples to logits. */
import { SlalomError } from "../../base/errors.js";
import { formatType, sameShape } from "../../base/shape.js";
import * as g from "../../graph/index.js";
import { slalomVersion } from "../../lab/index.js";
import type { Dataset } from "../../learn/datasets/index.js";
import { preparedBatch } from "../../learn/problems/batch.js";
import type { BuiltProblem, Problem } from "../../learn/problems/index.js";
import type { ModelValues } from "../../train/index.js";
import type { OnnxPort } from "./builder.js";
import { encodeOnnx, type NamedGraph } from "./encode.js";
import { isOpen } from "./extents.js";

export interface OnnxModelOptions {
  /** What the model was trained on. */
  readonly problem: Problem;
  readonly dataset: Dataset;
  /** Parameters and states by name, of one float dtype, in which the model computes. */
  readonly values: ModelValues;
  /** Examples that the model takes at a time; "any" (default) leaves it open. */
  readonly batch?: number | "any";
  /** Texts by name that the file keeps beside what the data set says. */
  readonly metadata?: Readonly<Record<string, string>>;
}

export interface OnnxModel {
  /** The file. */
  readonly bytes: Uint8Array;
  readonly input: OnnxTensor;
  readonly output: OnnxTensor;
  /** How many operations it has, by their names in ONNX. */
  readonly operations: Readonly<Record<string, number>>;
}

/** An input or an output of a model. */
export interface OnnxTensor {
  readonly name: string;
  readonly dtype: g.DType;
  readonly shape: readonly (number | "batch")[];
}

/**
 * The model of a classification as an ONNX file.
 *
 * Input "inputs" [batch, ...exampleShape]: examples as the data set holds them, images as uint8 where they are uint8
 * there; scaling them to floats is part of the model. Images are channels last. Output "logits" [batch, classes], of the
 * dtype of the parameters. Dropout is off, batch normalisation uses its running statistics.
 * @throws SlalomError "option" for a problem without logits, values of another model, an operation that ONNX has not,
 *   and a model that does something else for another batch size while `batch` is "any"
 * @example writeFileSync("model.onnx", onnxModel({ problem, dataset: await problem.dataset!.load(), values }).bytes)
 */
export function onnxModel(options: OnnxModelOptions): OnnxModel {
  const { problem, dataset, values, batch = "any", metadata = {} } = options;
  if (batch !== "any" && !(Number.isInteger(batch) && batch >= 1)) {
    throw new SlalomError(
      "option",
      `export to ONNX: received batch ${batch}; expected an integer from 1, or "any".`,
    );
  }
  const built = problem.build(dataset);
  checkValues(problem.name, built, values);
  const [first] = Object.values(values);
  const dtype = (first?.dtype ?? "float32") as "float32" | "float64";
  const parameters = Object.fromEntries(
    Object.entries(values).map(([name, { shape }]) => [name, g.variable(name, shape, dtype)]),
  );
  const build = (count: number): NamedGraph => {
    const { inputs, targets } = dataset.train;
    const raw = g.variable("inputs", [count, ...dataset.exampleShape], inputs.dtype);
    const labels = g.variable("targets of the batch", [count, ...targets.shape.slice(1)], targets.dtype);
    const examples = preparedBatch(dataset, raw, labels, dtype);
    const context = { training: false, key: g.keyFromSeed(0) };
    const { logits } = built.evaluate(parameters, examples, context);
    if (logits) return { inputs: { inputs: raw }, outputs: { logits } };
    throw withoutLogits(problem);
  };
  const { bytes, graph } = encodeOnnx({
    name: problem.name,
    build,
    values,
    batch,
    description: problem.title,
    version: slalomVersion(),
    metadata: { problem: problem.name, ...classNames(dataset), ...metadata },
  });
  const names = graph.nodes.map(({ opType }) => opType);
  return {
    bytes,
    input: described(graph.inputs[0]),
    output: described(graph.outputs[0]),
    operations: Object.fromEntries(
      [...new Set(names)].sort().map((name) => [name, names.filter((other) => other === name).length]),
    ),
  };
}

const described = ({ name, type, shape }: OnnxPort): OnnxTensor => ({
  name,
  dtype: type,
  shape: shape.map((extent) => (isOpen(extent) ? "batch" : extent)),
});

export const withoutLogits = (problem: Problem): SlalomError =>
  new SlalomError(
    "option",
    `export to ONNX: problem "${problem.name}" gives no logits; expected a classification.`,
  );

const classNames = ({ classNames: names }: Dataset): Record<string, string> =>
  names ? { classes: JSON.stringify(names) } : {};

/** Throws unless the values are those that the problem's model has. */
function checkValues(problem: string, { parameters, state }: BuiltProblem, values: ModelValues): void {
  const specs = { ...parameters, ...state };
  for (const [name, { shape }] of Object.entries(specs)) {
    const value = Object.hasOwn(values, name) ? values[name] : undefined;
    if (value && sameShape(value.shape, shape)) continue;
    throw otherModel(problem, `"${name}" is ${value ? formatType(value) : "absent"}; expected [${shape}]`);
  }
  const unknown = Object.keys(values).find((name) => !Object.hasOwn(specs, name));
  if (unknown !== undefined) throw otherModel(problem, `it has no "${unknown}"`);
}

const otherModel = (problem: string, how: string): SlalomError =>
  new SlalomError(
    "option",
    `export to ONNX: these are not the parameters of problem "${problem}": ${how}. Was its model changed since it was trained?`,
  );
