/** Plans of networks for images: what is computed, what is joined, what nobody asks for. */
import { describe, expect, test } from "vitest";
import type { ConvolutionKernel, PoolKernel } from "../../src/compile/plan.js";
import { planProgram } from "../../src/compile/planProgram.js";
import { sourceOf } from "../../src/learn/datasets/dataset.js";
import { classification } from "../../src/learn/datasets/index.js";
import { activation, convolution, dense, flatten, maxPool } from "../../src/learn/layers/index.js";
import { convNet, layersModel, type Model } from "../../src/learn/models/index.js";
import { adam } from "../../src/learn/optimizers/index.js";
import { classificationProblem } from "../../src/learn/problems/index.js";
import { evaluateEntry, laneProgram, stepEntry } from "../../src/train/index.js";
import { classifying } from "../train/support.js";

async function planOf(model: Model) {
  const count = 120;
  const dataset = classification({
    name: "images",
    inputs: { shape: [count, 28, 28, 1], dtype: "uint8", data: new Uint8Array(count * 784) },
    targets: Uint8Array.from({ length: count }, (_, i) => i % 10),
    classes: 10,
    scale: 1 / 255,
    split: { train: 100, validation: 20 },
  });
  const training = await classifying(adam(), {
    dataset,
    problem: classificationProblem({ dataset: sourceOf(dataset), model }),
    batchSize: 50,
    evaluate: ["validation"],
  });
  return planProgram(laneProgram(training, 1).program, { check: true });
}

const kernelsOf = async (model: Model, entry: string) => {
  const { kernels } = (await planOf(model)).entries[entry];
  return {
    kernels,
    convolutions: kernels.filter((kernel): kernel is ConvolutionKernel => kernel.kind === "convolution"),
    pools: kernels.filter((kernel): kernel is PoolKernel => kernel.kind === "pool"),
  };
};

describe("the network of exercise 3", () => {
  test("computes no gradient for its input, and finds places of maxima in the pass that finds the maxima", async () => {
    const { convolutions, pools } = await kernelsOf(convNet(), stepEntry);
    expect(
      convolutions.map(({ computes, sizes }) => `${computes} of ${sizes.channels} to ${sizes.filters}`),
    ).toEqual(["y of 1 to 32", "y of 32 to 64", "x of 32 to 64", "w of 1 to 32", "w of 32 to 64"]);
    expect(pools.map(({ mode, target, index }) => [mode, target !== undefined, index !== undefined])).toEqual(
      [
        ["max", true, true],
        ["max", true, true],
        ["unpool", true, true],
        ["unpool", true, true],
      ],
    );
  });

  test("keeps no places where nothing comes back", async () => {
    const { pools } = await kernelsOf(convNet(), evaluateEntry("validation"));
    expect(pools.map(({ mode, index }) => [mode, index])).toEqual([
      ["max", undefined],
      ["max", undefined],
    ]);
  });

  test("updates each parameter with its slots in one pass, in place", async () => {
    const plan = await planOf(convNet());
    const weight = plan.buffers.findIndex(({ name }) => name === "parameter/dense1.weight");
    const slots = ["firstMoment", "secondMoment"].map((slot) =>
      plan.buffers.findIndex(({ name }) => name === `slot/dense1.weight/${slot}`),
    );
    const writers = plan.entries[stepEntry].kernels.filter(
      (kernel) => kernel.kind === "loop" && kernel.stores.some(({ access }) => access.buffer === weight),
    );
    expect(writers).toHaveLength(1);
    const [update] = writers;
    const stored = update.kind === "loop" ? update.stores.map(({ access }) => access.buffer) : [];
    expect([...stored].sort()).toEqual([weight, ...slots].sort());
  });
});

test("a bias and a ReLU behind a convolution are part of it", async () => {
  const model = layersModel({
    name: "two",
    takes: "images",
    layers: (outputs) => [
      convolution(4, { kernel: 3 }),
      activation("relu"),
      convolution(5, { kernel: 3, bias: "none" }),
      activation("relu"),
      convolution(6, { kernel: 3 }),
      activation("tanh"),
      maxPool(2),
      flatten(),
      dense(outputs),
    ],
  });
  const { convolutions, kernels } = await kernelsOf(model, stepEntry);
  const forward = convolutions.filter(({ computes }) => computes === "y");
  expect(forward.map(({ bias, relu }) => [bias !== undefined, relu])).toEqual([
    [true, true],
    [false, true],
    // The tanh reads it, and so does its gradient: a loop adds the bias.
    [false, false],
  ]);
  expect(kernels.filter(({ name }) => name === "add relu" || name === "relu")).toEqual([]);
});
