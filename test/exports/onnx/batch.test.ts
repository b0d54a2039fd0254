/** Files whose batch size is open: one for all sizes, or a message that says why not. */
import { describe, expect, test } from "vitest";
import type { HostTensor } from "../../../src/base/shape.js";
import { encodeOnnx } from "../../../src/exports/onnx/encode.js";
import * as g from "../../../src/graph/index.js";
import { load } from "./runtime.js";

/** The file of y(x) for x [batch, 3]; `w` is known, [3, 2]. */
const fileOf = (build: (x: g.Tensor, w: g.Tensor) => g.Tensor): Uint8Array => {
  const w = g.variable("w", [3, 2]);
  return encodeOnnx({
    name: "case",
    build: (batch) => {
      const x = g.variable("x", [batch, 3]);
      return { inputs: { x }, outputs: { y: build(x, w) } };
    },
    values: { w: weights },
    batch: "any",
    description: "",
    version: "0",
    metadata: {},
  }).bytes;
};

const weights: HostTensor = {
  shape: [3, 2],
  dtype: "float32",
  data: Float32Array.of(0.5, -1, 2, 0.25, -0.75, 1),
};

const examples = (count: number): HostTensor => ({
  shape: [count, 3],
  dtype: "float32",
  data: Float32Array.from({ length: 3 * count }, (_, i) => ((i * 7) % 11) / 4 - 1),
});

const byExample = (x: g.Tensor, y: g.Tensor): g.Tensor => g.add(y, g.reshape(g.sum(x, { axis: 1 }), [-1, 1]));

describe("the same file for every batch size", () => {
  test.each<[string, (x: g.Tensor, w: g.Tensor) => g.Tensor]>([
    ["a product", (x, w) => g.matmul(x, w)],
    [
      "rows that are joined and split",
      (x, w) => g.matmul(g.reshape(x, [-1]), g.matmul(g.reshape(x, [-1, 1]), g.reshape(g.sum(w), [1, 1]))),
    ],
    ["an axis of several batches", (x) => g.reshape(g.exp(g.reshape(x, [-1])), [x.shape[0], 3])],
    [
      "a value repeated for each example",
      (x, w) => byExample(x, g.broadcastTo(g.sum(w, { axis: 0 }), [x.shape[0], 2])),
    ],
    [
      "repeated examples that are summed",
      (x) => g.sum(g.mul(g.broadcastTo(g.reshape(x, [-1, 3, 1]), [x.shape[0], 3, 4]), 2), { axis: 2 }),
    ],
    [
      "what is only repeated",
      (x) => g.concat([x, g.broadcastTo(g.constant([1, 2, 3, 4]), [x.shape[0], 4])], 1),
    ],
    ["places in the batch", (x) => byExample(x, g.reshape(g.cast(g.iota([x.shape[0]]), "float32"), [-1, 1]))],
    ["the first example alone", (x) => g.add(x, g.slice(x, { axis: 0, start: 0, stop: 1 }))],
    ["columns", (x) => g.slice(x, { axis: 1, start: 1 })],
    [
      "columns around",
      (x) =>
        g.pad(
          x,
          [
            [0, 0],
            [2, 1],
          ],
          5,
        ),
    ],
    [
      "two axes of the batch",
      (x, w) => g.dot(g.matmul(x, w), g.matmul(x, w), { batch: [[], []], contract: [[1], [1]] }),
    ],
    [
      "a stack of products, one an example",
      (x) => g.matmul(g.reshape(x, [-1, 1, 3]), g.reshape(x, [-1, 3, 1])),
    ],
    ["normalisation of each example", (x) => g.softmax(g.sub(x, g.mean(x, { axis: 1, keepDims: true })))],
  ])("%s", async (_, build) => {
    const file = await load(fileOf(build));
    for (const count of [1, 2, 5]) {
      const x = g.variable("x", [count, 3]);
      const w = g.variable("w", [3, 2]);
      const given = new Map([
        [x, examples(count)],
        [w, weights],
      ]);
      const [expected] = g.evaluate([build(x, w)], given);
      const { y } = await file.run({ x: examples(count) });
      expect(y.shape).toEqual(expected.shape);
      for (const [i, value] of expected.data.entries()) expect(y.data[i]).toBeCloseTo(value, 5);
    }
    await file.release();
  });
});

describe("what does something else for another size", () => {
  test.each<[string, (x: g.Tensor, w: g.Tensor) => g.Tensor, RegExp]>([
    ["a mean over the batch", (x) => g.sub(x, g.mean(x, { axis: 0 })), /10007 becomes 10009/],
    [
      "the last example",
      (x) => g.slice(x, { axis: 0, start: -1 }),
      /slice f32\[1,3\] becomes slice f32\[1,3\]/,
    ],
    [
      "another number of layers",
      (x) => (x.shape[0] > 10_008 ? g.exp(x) : x),
      /it has another number of operations/,
    ],
    [
      "another operation",
      (x) => (x.shape[0] > 10_008 ? g.exp(x) : g.sin(x)),
      /sin f32\[10007,3\] becomes exp f32\[10009,3\]/,
    ],
    [
      "padding up to a size",
      (x) =>
        g.pad(x, [
          [0, 20_000 - x.shape[0]],
          [0, 0],
        ]),
      /pad f32\[20000,3\] becomes pad f32\[20000,3\]/,
    ],
    [
      "one example more",
      (x) =>
        g.pad(x, [
          [0, 1],
          [0, 0],
        ]),
      /an extent is 10008 for 10007 examples and 10010 for 10009/,
    ],
    [
      "pairs of examples",
      (x) => g.reshape(g.dot(x, x, { batch: [[], []], contract: [[1], [1]] }), [-1]),
      /an extent is/,
    ],
  ])("%s", (_, build, reason) => {
    expect(() => fileOf(build)).toThrow(reason);
    expect(() => fileOf(build)).toThrow(
      /^export to ONNX: the model does something else for another batch size \(.*Settle it, such as batch 1\.$/,
    );
  });

  test("reading along the batch is refused where its size is open", () => {
    expect(() => fileOf((x) => g.take(x, g.constant([0, 1], "int32")))).toThrow(/take reads along the batch/);
  });

  test("an output that does not depend on the inputs is no model", () => {
    expect(() => fileOf((x, w) => g.broadcastTo(g.sum(w), [x.shape[0]]))).toThrow(
      /nothing that the model gives depends on its x/,
    );
  });
});
