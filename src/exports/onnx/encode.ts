/** A graph of ours as an ONNX file: node by node, with the batch size open or settled. */
import { SlalomError } from "../../base/errors.js";
import type { HostTensor } from "../../base/shape.js";
import { type Tensor, topologicalOrder } from "../../graph/index.js";
import { allAxes, OnnxBuilder, type OnnxGraph, type OnnxPort, type Value } from "./builder.js";
import { type Extent, isOpen, openExtents, settledExtents, trialSizes } from "./extents.js";
import {
  attributeTypes,
  elementTypes,
  type GraphProto,
  modelProto,
  type ValueInfoProto,
} from "./messages.js";
import { translationOf } from "./translations/index.js";

/** A graph with names for what goes in and comes out. */
export interface NamedGraph {
  /** Variables that a model is given when it runs. */
  readonly inputs: Readonly<Record<string, Tensor>>;
  readonly outputs: Readonly<Record<string, Tensor>>;
}

export interface EncodeOptions {
  readonly name: string;
  /** The graph for a batch of that many examples. */
  readonly build: (batch: number) => NamedGraph;
  /** Values by the name of their variable, for all variables that are no inputs. */
  readonly values: Readonly<Record<string, HostTensor>>;
  /** Examples that the model takes at a time; "any" leaves it open. */
  readonly batch: number | "any";
  readonly description: string;
  /** The version of Slalom that writes the file. */
  readonly version: string;
  readonly metadata: Readonly<Record<string, string>>;
}

export interface OnnxFile {
  readonly bytes: Uint8Array;
  readonly graph: OnnxGraph;
}

/** The version of the operations that translations are written for. */
const operatorSet = 18;
/** The version of the file format that came with it. */
const irVersion = 8;

/**
 * The ONNX file of a graph.
 * @throws SlalomError "option" for an operation without translation, a variable without values, and a graph that does
 *   something else for another batch size while `batch` is "any"
 */
export function encodeOnnx(options: EncodeOptions): OnnxFile {
  const { name, build, values, batch, description, version, metadata } = options;
  const graph = build(batch === "any" ? trialSizes[0] : batch);
  const outputs = Object.values(graph.outputs);
  const extents =
    batch === "any"
      ? openExtents([outputs, Object.values(build(trialSizes[1]).outputs)], trialSizes)
      : settledExtents(outputs);
  const translated = translate(graph, extents, values);
  const bytes = modelProto.encode({
    irVersion,
    producerName: "slalom",
    producerVersion: version,
    docString: description,
    graph: { name, ...graphProto(translated) },
    opsetImport: [{ domain: "", version: operatorSet }],
    metadataProps: Object.entries(metadata).map(([key, value]) => ({ key, value })),
  });
  return { bytes, graph: translated };
}

function translate(
  { inputs, outputs }: NamedGraph,
  extents: ReadonlyMap<Tensor, readonly Extent[]>,
  known: Readonly<Record<string, HostTensor>>,
): OnnxGraph {
  const onnx = new OnnxBuilder(Object.keys(outputs));
  const values = new Map<Tensor, Value>();
  for (const [name, input] of Object.entries(inputs)) {
    const shape = extents.get(input);
    if (shape === undefined)
      throw new SlalomError("option", `export to ONNX: nothing that the model gives depends on its ${name}.`);
    values.set(input, onnx.input(name, input.dtype, shape));
  }
  for (const node of topologicalOrder(Object.values(outputs))) {
    const shape = extents.get(node)!;
    if (values.has(node)) continue;
    if (node.op === "variable" && Object.hasOwn(known, node.attributes.name)) {
      const { name } = node.attributes;
      values.set(node, { name, type: node.dtype, shape, axes: allAxes(shape), data: known[name].data });
      continue;
    }
    // The condition of a choice stays the truth that it is.
    const operands = node.inputs.map((input) => values.get(input)!);
    const given = node.op === "where" ? operands : operands.map((value) => onnx.asNumbers(value));
    values.set(node, translationOf(node.op)({ node, inputs: given, shape, onnx }));
  }
  return onnx.finish(
    Object.fromEntries(Object.entries(outputs).map(([name, output]) => [name, values.get(output)!])),
  );
}

const graphProto = ({ nodes, initializers, inputs, outputs }: OnnxGraph): GraphProto => ({
  node: nodes.map(({ opType, name, inputs: input, attributes }) => ({
    opType,
    name,
    input,
    output: [name],
    attribute: Object.entries(attributes).map(([key, value]) =>
      typeof value === "number"
        ? { name: key, i: value, type: attributeTypes.integer }
        : { name: key, ints: value, type: attributeTypes.integers },
    ),
  })),
  initializer: initializers.map(({ name, type, dims, bytes: rawData }) => ({
    name,
    dims,
    dataType: elementTypes[type],
    rawData,
  })),
  input: inputs.map(valueInfo),
  output: outputs.map(valueInfo),
});

const valueInfo = ({ name, type, shape }: OnnxPort): ValueInfoProto => {
  const dim = shape.map((extent) => {
    if (!isOpen(extent)) return { dimValue: extent };
    return { dimParam: extent.batches === 1 ? "batch" : `${extent.batches}*batch` };
  });
  return { name, type: { tensorType: { elemType: elementTypes[type], shape: { dim } } } };
};
