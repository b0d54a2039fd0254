/** Layers for images and normalisation: against PyTorch, names, shapes, states, what is refused. */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import {
  add,
  constant,
  evaluate,
  keyFromSeed,
  mul,
  reshape,
  sum,
  type Tensor,
  variable,
} from "../../../src/graph/index.js";
import { constantValue } from "../../../src/learn/initializers/index.js";
import {
  activation,
  averagePool,
  batchNorm,
  convolution,
  dense,
  globalAveragePool,
  globalMaxPool,
  layerNorm,
  maxPool,
  residual,
  sequential,
} from "../../../src/learn/layers/index.js";
import { grad } from "../../../src/transform/index.js";

const key = keyFromSeed(3);
const evaluating = { training: false, key };
const dataOf = (...tensors: Tensor[]) => evaluate(tensors).map(({ data }) => [...data]);
const f64 = (values: readonly number[], shape: readonly number[]) =>
  reshape(constant(values, "float64"), shape);
const expectNear = (received: readonly number[], expected: readonly number[]) => {
  expect(received.length).toBe(expected.length);
  received.forEach((value, i) => {
    expect(Math.abs(value - expected[i])).toBeLessThan(1e-12 * Math.max(1, Math.abs(expected[i])));
  });
};
const fixture = JSON.parse(
  readFileSync(new URL("../../fixtures/images/normalisation.json", import.meta.url), "utf8"),
);

describe("batchNorm as PyTorch has it", () => {
  const { shape, momentum, steps, evaluation, ...affine } = fixture.batch;
  const channels = [shape[3]];
  const built = batchNorm({ momentum }).build(shape.slice(1));

  it("normalises with the batch, remembers, and normalises with what it remembers", () => {
    const scale = f64(affine.scale, channels);
    const shift = f64(affine.shift, channels);
    let state: Record<string, Tensor> = {
      mean: f64([0, 0, 0], channels),
      variance: f64([1, 1, 1], channels),
    };
    for (const step of steps) {
      const kept: Record<string, Tensor> = {};
      const x = f64(step.x, shape);
      const y = built.apply({ scale, shift, ...state }, x, {
        training: true,
        key,
        keep: (name, value) => {
          kept[name] = value;
        },
      });
      const gradients = grad(sum(mul(y, f64(step.g, shape))), [x, scale, shift]);
      const [values, dx, dscale, dshift, mean, variance] = dataOf(y, ...gradients, kept.mean, kept.variance);
      expectNear(values, step.y);
      expectNear(dx, step.dx);
      expectNear(dscale, step.dscale);
      expectNear(dshift, step.dshift);
      expectNear(mean, step.mean);
      expectNear(variance, step.variance);
      state = { mean: f64(mean, channels), variance: f64(variance, channels) };
    }
    const y = built.apply({ scale, shift, ...state }, f64(evaluation.x, shape), evaluating);
    expectNear(dataOf(y)[0], evaluation.y);
  });

  it("does not count examples that only fill up a batch", () => {
    const values = {
      scale: f64([1], [1]),
      shift: f64([0], [1]),
      mean: f64([0], [1]),
      variance: f64([1], [1]),
    };
    const one = batchNorm({ momentum: 0 }).build([1]);
    const run = (x: number[], present?: number[]) => {
      const kept: Tensor[] = [];
      const y = one.apply(values, f64(x, [x.length, 1]), {
        training: true,
        key,
        keep: (_, value) => kept.push(value),
        ...(present && { present: constant(present, "uint8") }),
      });
      return dataOf(y, ...kept);
    };
    const [whole, mean, variance] = run([1, 2, 4]);
    const [padded, ...rest] = run([1, 2, 4, 4, 4], [1, 1, 1, 0, 0]);
    expectNear(padded.slice(0, 3), whole);
    expect(rest).toEqual([mean, variance]);
    expectNear(mean, [7 / 3]);
    expectNear(variance, [7 / 3]);
  });

  it("refuses impossible options", () => {
    expect(() => batchNorm({ momentum: 1 })).toThrow("batchNorm: received momentum 1, epsilon 0.00001");
    expect(() => batchNorm().build([])).toThrow("batchNorm: the input is a scalar");
  });
});

it("layerNorm as PyTorch has it", () => {
  const { shape, ...stored } = fixture.layer;
  const [scale, shift] = [f64(stored.scale, [5]), f64(stored.shift, [5])];
  const x = f64(stored.x, shape);
  const y = layerNorm().build(shape.slice(1)).apply({ scale, shift }, x, evaluating);
  const [values, ...gradients] = dataOf(y, ...grad(sum(mul(y, f64(stored.g, shape))), [x, scale, shift]));
  expectNear(values, stored.y);
  gradients.forEach((gradient, i) => {
    expectNear(gradient, [stored.dx, stored.dscale, stored.dshift][i]);
  });
});

describe("images", () => {
  const image = constant(
    [
      [
        [1, 2],
        [3, 4],
      ],
      [
        [5, 6],
        [7, 9],
      ],
    ].map((rows) => rows.map((row) => row)),
  );

  it("a convolution takes images without channel axis, adds its bias, and states its shapes", () => {
    const built = convolution(2, { kernel: 2, bias: constantValue(0.5) }).build([2, 2]);
    expect(built.output).toEqual([1, 1, 2]);
    expect(Object.entries(built.parameters).map(([name, { shape }]) => [name, shape])).toEqual([
      ["weight", [2, 2, 2, 1]],
      ["bias", [2]],
    ]);
    const weight = reshape(constant([1, 0, 0, 0, 1, 1, 1, 1]), [2, 2, 2, 1]);
    const bias = constantValue(0.5)(key, [2], { in: 4, out: 8 });
    expect(dataOf(built.apply({ weight, bias }, image, evaluating))).toEqual([[1.5, 10.5, 5.5, 27.5]]);
  });

  it("fans count the taps of a filter and a group's channels", () => {
    const fans: unknown[] = [];
    const spy = Object.defineProperty(
      (k: typeof key, shape: readonly number[], given: unknown) => {
        fans.push(given);
        return constantValue(0)(k, shape, { in: 1, out: 1 });
      },
      "name",
      { value: "spy" },
    );
    const built = convolution(6, { kernel: [3, 5], groups: 2, initializer: spy as never }).build([9, 9, 4]);
    built.parameters.weight.initial(key);
    expect(fans).toEqual([{ in: 3 * 5 * 2, out: (3 * 5 * 6) / 2 }]);
  });

  it("pools windows and whole images", () => {
    const values = (layer: ReturnType<typeof maxPool>) =>
      dataOf(layer.build([2, 2]).apply({}, image, evaluating))[0];
    expect(values(maxPool(2))).toEqual([4, 9]);
    expect(values(averagePool(2))).toEqual([2.5, 6.75]);
    expect(values(globalAveragePool())).toEqual([2.5, 6.75]);
    expect(values(globalMaxPool())).toEqual([4, 9]);
    expect(maxPool(3, { stride: 2, padding: "same" }).build([7, 7, 5]).output).toEqual([4, 4, 5]);
  });

  it("adds a branch to its shortcut, with parameters and states under their names", () => {
    const built = sequential([
      residual(
        [convolution(2, { kernel: 3, stride: 2, padding: "same" }), batchNorm()],
        [convolution(2, { kernel: 1, stride: 2 })],
      ),
      residual([activation("relu")]),
    ]).build([4, 4, 1]);
    expect(built.output).toEqual([2, 2, 2]);
    expect(Object.keys(built.parameters)).toEqual([
      "residual1.branch.conv1.weight",
      "residual1.branch.conv1.bias",
      "residual1.branch.batchNorm1.scale",
      "residual1.branch.batchNorm1.shift",
      "residual1.shortcut.conv1.weight",
      "residual1.shortcut.conv1.bias",
    ]);
    expect(Object.keys(built.state ?? {})).toEqual([
      "residual1.branch.batchNorm1.mean",
      "residual1.branch.batchNorm1.variance",
    ]);
    const doubled = residual([activation("relu")]).build([3]);
    expect(dataOf(doubled.apply({}, constant([[-1, 0, 2]]), evaluating))).toEqual([[-1, 0, 4]]);
  });

  it("hands states of inner layers on under their whole names", () => {
    const built = sequential([dense(2), sequential([batchNorm()])]).build([2]);
    const values = Object.fromEntries(
      [...Object.entries(built.parameters), ...Object.entries(built.state ?? {})].map(([name, { shape }]) => [
        name,
        variable(name, shape),
      ]),
    );
    const kept: string[] = [];
    built.apply(values, add(constant([[1, 2]]), 0), { training: true, key, keep: (name) => kept.push(name) });
    expect(kept).toEqual(["sequential1.batchNorm1.mean", "sequential1.batchNorm1.variance"]);
  });

  it("names what is no image and what does not fit", () => {
    expect(() => convolution(4, { kernel: 3 }).build([784])).toThrow(
      "convolution: an example of shape [784]; expected an image",
    );
    expect(() => convolution(0, { kernel: 3 })).toThrow("received 0 filters of 3 x 3");
    expect(() => convolution(4, { kernel: 5 }).build([3, 3])).toThrow(
      "a window that fits into the padded image",
    );
    expect(() => residual([dense(3)]).build([4])).toThrow(
      "the branch gives [3] for an example and the shortcut [4]",
    );
  });
});
