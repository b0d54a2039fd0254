/** Trained classifiers as ONNX files: what ONNX Runtime makes of them, against our own forward pass. */
import { describe, expect, test } from "vitest";
import { cpuBackend } from "../../../src/backends/cpu/index.js";
import type { HostTensor } from "../../../src/base/shape.js";
import { onnxModel } from "../../../src/exports/index.js";
import * as g from "../../../src/graph/index.js";
import { blobs, classification, type Dataset, sourceOf } from "../../../src/learn/datasets/index.js";
import {
  activation,
  batchNorm,
  convolution,
  dense,
  globalMaxPool,
  layerNorm,
  maxPool,
} from "../../../src/learn/layers/index.js";
import {
  convNet,
  layersModel,
  lenet5,
  type Model,
  perceptron,
  resnet,
  softmaxRegression,
} from "../../../src/learn/models/index.js";
import { adam } from "../../../src/learn/optimizers/index.js";
import { preparedBatch } from "../../../src/learn/problems/batch.js";
import { classificationProblem, type Problem } from "../../../src/learn/problems/index.js";
import { type ModelValues, trainLanes } from "../../../src/train/index.js";
import { load } from "./runtime.js";

/** Images of 16 x 16 bytes: a bar, whose place tells the class, amid noise. */
function bars(channels: number): Dataset {
  const count = 24;
  const size = 16 * 16 * channels;
  const data = new Uint8Array(count * size);
  for (let i = 0; i < data.length; i++) {
    const [example, pixel] = [Math.floor(i / size), Math.floor(i / channels) % 256];
    const isBar = Math.floor(pixel / 16) === 3 + 4 * (example % 3);
    data[i] = isBar ? 200 + (i % 50) : (i * 31 + example * 17) % 60;
  }
  return classification({
    name: "bars",
    inputs: { shape: [count, 16, 16, channels], dtype: "uint8", data },
    targets: Array.from({ length: count }, (_, i) => i % 3),
    classes: 3,
    scale: 1 / 255,
    offset: -0.1,
  });
}

interface Trained {
  readonly problem: Problem;
  readonly dataset: Dataset;
  readonly values: ModelValues;
}

/** The model after a few steps, so that biases and running statistics are not those of the start. */
async function trained(
  model: Model,
  dataset: Dataset,
  dtype: "float32" | "float64" = "float32",
): Promise<Trained> {
  const problem = classificationProblem({ dataset: sourceOf(dataset), model });
  let values: ModelValues | undefined;
  await trainLanes(
    {
      problem,
      dataset,
      choice: adam(),
      lanes: [{ lr: 3e-3, beta1: 0.9, beta2: 0.999, eps: 1e-8, weightDecay: 0 }],
      seed: 5,
      batchSize: 8,
      steps: 12,
      shuffle: true,
      dtype,
      evaluate: [],
      evaluateEvery: 12,
      recordEvery: 0,
      recordParameters: false,
      keepModel: true,
    },
    cpuBackend(),
    {
      rows: () => {},
      finish: () => {},
      model: (_, learned) => {
        values = learned.last;
      },
    },
  );
  return { problem, dataset, values: values! };
}

/** The first examples of the training split. */
function examples({ train, exampleShape }: Dataset, count: number): HostTensor {
  const size = exampleShape.reduce((product, extent) => product * extent, 1);
  return {
    ...train.inputs,
    shape: [count, ...exampleShape],
    data: train.inputs.data.slice(0, count * size),
  };
}

/** The logits by each operation's own loops. */
function ownLogits({ problem, dataset, values }: Trained, inputs: HostTensor): HostTensor {
  const dtype = Object.values(values)[0].dtype as "float32" | "float64";
  const raw = g.variable("raw", inputs.shape, inputs.dtype);
  const batch = preparedBatch(dataset, raw, g.zeros([inputs.shape[0]], "uint8"), dtype);
  const model = Object.fromEntries(
    Object.entries(values).map(([name, { shape }]) => [name, g.variable(name, shape, dtype)]),
  );
  const { logits } = problem
    .build(dataset)
    .evaluate(model, batch, { training: false, key: g.keyFromSeed(0) });
  const given = new Map(Object.entries(model).map(([name, variable]) => [variable, values[name]]));
  return g.evaluate([logits!], new Map([...given, [raw, inputs]]))[0];
}

function expectClose(received: HostTensor, expected: HostTensor, tolerance: number): void {
  expect(received.shape).toEqual(expected.shape);
  expect(received.dtype).toBe(expected.dtype);
  const scale = Math.max(...expected.data.map(Math.abs));
  const errors = [...expected.data].map((value, i) => Math.abs(value - received.data[i]));
  expect(Math.max(...errors) / scale).toBeLessThanOrEqual(tolerance);
}

const grey = bars(1);
const coloured = bars(3);
const points = await blobs({ classes: 4, count: 40, dimensions: 6 }).load();

const normalised = layersModel({
  name: "normalised",
  takes: "images",
  layers: (outputs) => [
    convolution(4, {
      kernel: [3, 5],
      stride: [1, 2],
      padding: [
        [0, 1],
        [2, 0],
      ],
      dilation: [2, 1],
    }),
    layerNorm(),
    activation("softplus"),
    convolution(6, { kernel: 3, padding: "same", groups: 2 }),
    batchNorm(),
    activation("gelu"),
    maxPool(3, { stride: 2, padding: "same" }),
    globalMaxPool(),
    dense(outputs),
  ],
});

describe("logits in ONNX Runtime", () => {
  test.each<[string, Model, Dataset]>([
    ["softmax regression", softmaxRegression(), points],
    ["softmax regression on images", softmaxRegression(), grey],
    ["a perceptron", perceptron({ hidden: [12, 7], dropout: 0.2 }), points],
    ["a perceptron with tanh", perceptron({ hidden: [9], activation: "tanh" }), grey],
    ["a perceptron with softplus", perceptron({ hidden: [9], activation: "softplus" }), points],
    ["convNet", convNet({ filters: [4, 6], hidden: 16 }), grey],
    ["convNet with batch normalisation", convNet({ filters: [4, 6], hidden: 16, batchNorm: true }), coloured],
    ["lenet5", lenet5(), grey],
    ["resnet", resnet({ width: 4 }), coloured],
    ["layers with every option", normalised, coloured],
  ])("%s", async (_, model, dataset) => {
    const subject = await trained(model, dataset);
    const file = await load(onnxModel(subject).bytes);
    expect([file.inputs, file.outputs]).toEqual([["inputs"], ["logits"]]);
    // One file for every batch size.
    for (const count of [1, 5]) {
      const inputs = examples(dataset, count);
      const { logits } = await file.run({ inputs });
      expectClose(logits, ownLogits(subject, inputs), 1e-5);
    }
    await file.release();
  });

  test("a model of float64 keeps its precision", async () => {
    for (const model of [softmaxRegression(), perceptron({ hidden: [8], activation: "sigmoid" })]) {
      const subject = await trained(model, points, "float64");
      const inputs = examples(points, 7);
      const file = await load(onnxModel(subject).bytes);
      expectClose((await file.run({ inputs })).logits, ownLogits(subject, inputs), 1e-14);
      await file.release();
    }
  });
});

describe("what the file is", () => {
  test("activations stay channels first between convolutions: one transpose at each end", async () => {
    const subject = await trained(convNet({ filters: [4, 6], hidden: 16 }), grey);
    expect(onnxModel(subject)).toMatchObject({
      input: { name: "inputs", dtype: "uint8", shape: ["batch", 16, 16, 1] },
      output: { name: "logits", dtype: "float32", shape: ["batch", 3] },
      operations: {
        Add: 5,
        Cast: 1,
        Conv: 2,
        MatMul: 2,
        MaxPool: 2,
        Mul: 1,
        Relu: 3,
        Reshape: 1,
        Transpose: 2,
      },
    });
    const residual = onnxModel(await trained(resnet({ width: 4 }), coloured));
    expect(residual.operations).toMatchObject({ Conv: 9, Transpose: 1 });
  });

  test("a settled batch is refused in another size", async () => {
    const subject = await trained(softmaxRegression(), points);
    const model = onnxModel({ ...subject, batch: 4 });
    expect(model.input.shape).toEqual([4, 6]);
    const file = await load(model.bytes);
    const inputs = examples(points, 4);
    expectClose((await file.run({ inputs })).logits, ownLogits(subject, inputs), 1e-5);
    await expect(file.run({ inputs: examples(points, 3) })).rejects.toThrow(/Got: 3 Expected: 4/);
    await file.release();
  });
});
