/** Programs whose kernels are of every kind. */
import fc from "fast-check";
import type { Program } from "../../../../src/compile/program.js";
import * as f from "../../../../src/graph/index.js";
import type { OperationName } from "../../../../src/graph/tensor.js";
import { sourceOf } from "../../../../src/learn/datasets/dataset.js";
import { classification } from "../../../../src/learn/datasets/index.js";
import { convNet } from "../../../../src/learn/models/index.js";
import { adam } from "../../../../src/learn/optimizers/index.js";
import { classificationProblem } from "../../../../src/learn/problems/index.js";
import { type LaneTraining, laneProgram } from "../../../../src/train/index.js";
import { grad, withProductPrecision } from "../../../../src/transform/index.js";
import { integersFrom } from "../../../support/numbers.js";
import { operationCases } from "../../../support/operationCases.js";
import { lanesOf } from "../../../train/support.js";

/** A program for each operation and dtype. */
export function operationPrograms(): Program[] {
  return (Object.keys(operationCases) as OperationName[]).flatMap((operation) => {
    const { dtypes, instances } = operationCases[operation];
    return dtypes.map((dtype): Program => {
      const [instance] = fc.sample(instances(dtype, "any"), { numRuns: 1, seed: 5 });
      const variables = instance.inputs.map((input, i) => f.variable(`x${i}`, input.shape, input.dtype));
      return {
        name: `${operation} ${dtype}`,
        variables: Object.fromEntries(
          variables.map((node) => [(node.attributes as { name: string }).name, node]),
        ),
        entries: { go: { updates: {}, traces: { y: instance.build(variables) } } },
        traceCapacity: 1,
      };
    });
  });
}

/** Softmax regression by momentum, with sizes of real life. */
export function regressionProgram(): Program {
  const [batch, inputs, classes] = [100, 784, 10];
  const x = f.variable("x", [batch, inputs]);
  const targets = f.variable("targets", [batch, classes]);
  const weights = f.variable("weights", [inputs, classes]);
  const bias = f.variable("bias", [classes]);
  const velocity = f.variable("velocity", [inputs, classes]);
  const logits = f.add(f.matmul(x, weights), bias);
  const loss = f.mean(
    f.sum(f.mul(f.sub(f.logSumExp(logits, { axis: 1, keepDims: true }), logits), targets), { axis: 1 }),
  );
  const [byWeights, byBias] = grad(loss, [weights, bias]);
  const next = f.add(f.mul(velocity, 0.9), byWeights);
  return {
    name: "regression",
    variables: { x, targets, weights, bias, velocity },
    entries: {
      step: {
        updates: {
          velocity: next,
          weights: f.sub(weights, f.mul(next, 0.1)),
          bias: f.sub(bias, f.mul(byBias, 0.1)),
        },
        traces: { loss },
      },
    },
    traceCapacity: 10,
  };
}

/** A convolutional layer with pooling, and its gradients; images as large as they are in real life. */
export function imagesProgram(images: number, precision?: "bfloat16"): Program {
  const x = f.variable("x", [images, 14, 14, 16]);
  const filters = f.variable("filters", [32, 3, 3, 16]);
  const bias = f.variable("bias", [32]);
  const convolved = f.relu(f.add(f.conv2d(x, filters, { padding: "same" }), bias));
  const pooled = f.reshape(f.maxPool2d(convolved, { size: 2 }), [images, 7 * 7 * 32]);
  const weights = f.variable("weights", [7 * 7 * 32, 10]);
  const loss = f.sum(f.square(f.matmul(pooled, weights)));
  const outputs = [loss, ...grad(loss, [x, filters, bias, weights])];
  const [value, ...gradients] = precision ? withProductPrecision(outputs, precision) : outputs;
  const [byImages, byFilters, byBias, byWeights] = gradients;
  return {
    name: "images",
    variables: { x, filters, bias, weights },
    entries: {
      step: {
        updates: {
          filters: f.sub(filters, f.mul(byFilters, 1e-5)),
          bias: f.sub(bias, f.mul(byBias, 1e-5)),
          weights: f.sub(weights, f.mul(byWeights, 1e-5)),
        },
        traces: { loss: value, byImages },
      },
    },
    traceCapacity: 4,
  };
}

/** Products in tiles of every size, with operands stored either way; one is deep enough to be divided. */
export function productsProgram(): Program {
  const large = f.variable("large", [32, 250, 8]);
  const medium = f.variable("medium", [20, 120, 30]);
  const narrow = f.variable("narrow", [9000, 7]);
  const tall = f.variable("tall", [15000, 32]);
  const deep = f.variable("deep", [1100, 33]);
  const double = f.variable("double", [40, 70], "float64");
  const transposed = (x: f.Tensor): f.Tensor => f.transpose(x, [0, 2, 1]);
  return {
    name: "products",
    variables: { large, medium, narrow, tall, deep, double },
    entries: {
      step: {
        updates: {},
        traces: {
          large: f.matmul(large, transposed(large)),
          medium: f.matmul(medium, transposed(medium)),
          inner: f.matmul(transposed(medium), medium),
          low: f.matmul(f.slice(narrow, { axis: 0, stop: 7 }), f.transpose(narrow)),
          tall: f.matmul(tall, f.slice(tall, { axis: 0, stop: 32 })),
          broad: f.matmul(f.slice(tall, { axis: 0, stop: 32 }), f.transpose(tall)),
          narrow: f.matmul(narrow, f.slice(narrow, { axis: 0, stop: 7 })),
          deep: f.matmul(f.transpose(deep), deep),
          double: f.matmul(double, f.transpose(double)),
        },
      },
    },
    traceCapacity: 1,
  };
}

/** Momentum on many parameters of unlike sizes. */
export function updatesProgram(parameters: number): Program {
  const variables = Array.from({ length: parameters }, (_, i) => ({
    value: f.variable(`value${i}`, [10 + 7 * i]),
    velocity: f.variable(`velocity${i}`, [10 + 7 * i]),
  }));
  const updates = variables.flatMap(({ value, velocity }, i) => {
    const next = f.add(f.mul(velocity, 0.9), f.mul(value, 0.5));
    return [
      [`velocity${i}`, next],
      [`value${i}`, f.sub(value, f.mul(next, 0.1))],
    ] as const;
  });
  return {
    name: "updates",
    variables: Object.fromEntries(
      variables.flatMap(({ value, velocity }, i) => [
        [`value${i}`, value],
        [`velocity${i}`, velocity],
      ]),
    ),
    entries: { step: { updates: Object.fromEntries(updates), traces: {} } },
    traceCapacity: 1,
  };
}

/** Sums over large tensors along every axis, and rows that are gathered and scattered: more than one block for each. */
export function largeProgram(): Program {
  const table = f.variable("table", [600, 64]);
  const indices = f.variable("indices", [1000], "int32");
  const key = f.variable("key", [2], "int32");
  const wide = f.variable("wide", [3000, 48]);
  const rows = f.take(table, indices);
  const loss = f.sum(f.square(rows));
  const [byTable] = grad(loss, [table]);
  const product = f.matmul(f.transpose(wide), wide);
  return {
    name: "large",
    variables: { table, indices, key, wide },
    entries: {
      step: {
        updates: { table: f.sub(table, f.mul(byTable, 0.01)) },
        traces: {
          loss,
          noise: f.sum(f.square(f.randomNormal(key, [3000]))),
          columns: f.sum(wide, { axis: 0 }),
          rows: f.max(wide, { axis: 1 }),
          all: f.min(wide),
          product,
          transposed: f.mul(f.transpose(wide), 2),
        },
      },
    },
    traceCapacity: 3,
  };
}

/** The step of exercise 3's network with Adam, on so many random images at a time. */
export function exercise3Program(batchSize: number, lanes: number, precision?: "bfloat16"): Program {
  const count = 2 * batchSize;
  const next = integersFrom(1);
  const data = Uint8Array.from({ length: count * 28 * 28 }, () => next() % 256);
  const targets = Uint8Array.from({ length: count }, (_, n) => n % 10);
  const inputs = { shape: [count, 28, 28, 1], dtype: "uint8" as const, data };
  const dataset = classification({ name: "images", inputs, targets, classes: 10, scale: 1 / 255 });
  const choice = adam({ lr: Array.from({ length: lanes }, (_, lane) => 1e-4 * (lane + 1)) });
  const training: LaneTraining = {
    problem: classificationProblem({ dataset: sourceOf(dataset), model: convNet() }),
    dataset,
    choice,
    lanes: lanesOf(choice),
    seed: 1,
    batchSize,
    steps: 100,
    shuffle: true,
    dtype: "float32",
    ...(precision && { precision }),
    evaluate: [],
    evaluateEvery: 100,
    recordEvery: 1,
    recordParameters: false,
  };
  return laneProgram(training, lanes).program;
}
