/** Layers against products by hand; dropout's mean and keys; names and counts of parameters. */
import { describe, expect, it } from "vitest";
import {
  constant,
  evaluate,
  type Key,
  keyFromSeed,
  sum,
  type Tensor,
  variable,
} from "../../../src/graph/index.js";
import { constantValue, heNormal, pytorchDefault } from "../../../src/learn/initializers/index.js";
import {
  activation,
  activationNames,
  type BuiltLayer,
  dense,
  dropout,
  flatten,
  partKey,
  sequential,
} from "../../../src/learn/layers/index.js";
import { grad } from "../../../src/transform/index.js";

const key = keyFromSeed(7);
const training = (stepKey: Key | Tensor) => ({ training: true, key: stepKey });
const evaluating = { training: false, key };
const valuesOf = (...tensors: Tensor[]) => evaluate(tensors).map(({ data }) => [...data]);
const initialOf = ({ parameters }: BuiltLayer) =>
  Object.fromEntries(Object.entries(parameters).map(([name, { initial }]) => [name, initial(key)]));

describe("dense", () => {
  it("is x W^T + b with the weight output first, on the last axis of any rank", () => {
    const built = dense(2).build([3]);
    const parameters = {
      weight: constant([
        [1, 2, 3],
        [-1, 0, 5],
      ]),
      bias: constant([10, 20]),
    };
    const x = constant([
      [1, 1, 1],
      [0, 2, -1],
    ]);
    expect(valuesOf(built.apply(parameters, x, evaluating))[0]).toEqual([16, 24, 11, 15]);
    expect(built.output).toEqual([2]);
    const rows = dense(2).build([2, 3]);
    expect(rows.output).toEqual([2, 2]);
    const x3 = constant([
      [
        [1, 1, 1],
        [0, 2, -1],
      ],
    ]);
    const y = rows.apply(parameters, x3, evaluating);
    expect(y.shape).toEqual([1, 2, 2]);
    expect(valuesOf(y)[0]).toEqual([16, 24, 11, 15]);
  });

  it("does without bias, and takes initialisers for both parameters with the layer's fans", () => {
    expect(Object.keys(dense(4, { bias: "none" }).build([3]).parameters)).toEqual(["weight"]);
    const built = dense(50, { initializer: pytorchDefault, bias: pytorchDefault }).build([400]);
    const [weight, bias] = valuesOf(...Object.values(initialOf(built)));
    // Both are uniform within 1 / sqrt(400), and not the same draws.
    expect(Math.max(...weight.map(Math.abs))).toBeCloseTo(0.05, 4);
    expect(Math.max(...bias.map(Math.abs))).toBeGreaterThan(0.04);
    expect(Math.max(...bias.map(Math.abs))).toBeLessThanOrEqual(0.05);
    expect(bias).not.toEqual(weight.slice(0, 50));
  });

  it("names wrong sizes", () => {
    expect(() => dense(0)).toThrow("dense: received 0 units; expected an integer from 1.");
    expect(() => dense(3).build([])).toThrow("dense: the input is a scalar");
    expect(() => dense(3, { intializer: heNormal } as never)).toThrow('Did you mean "initializer"?');
  });
});

describe("activation", () => {
  it("applies each function", () => {
    const x = constant([[-2, 0, 0.5]], "float64");
    const expected: Record<string, (v: number) => number> = {
      relu: (v) => Math.max(v, 0),
      tanh: Math.tanh,
      sigmoid: (v) => 1 / (1 + Math.exp(-v)),
      gelu: (v) => 0.5 * v * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (v + 0.044715 * v ** 3))),
      softplus: (v) => Math.log(1 + Math.exp(v)),
    };
    for (const name of activationNames) {
      const [values] = valuesOf(activation(name).build([3]).apply({}, x, evaluating));
      [-2, 0, 0.5].forEach((v, i) => {
        expect(values[i], name).toBeCloseTo(expected[name](v), 12);
      });
    }
    expect(() => activation("rleu" as never)).toThrow('unknown activation "rleu". Did you mean "relu"?');
  });
});

describe("dropout", () => {
  const size = 20_000;
  const built = dropout(0.3).build([size]);
  const x = constant([Array.from({ length: size }, (_, i) => 1 + (i % 3))]);
  const dropped = (stepKey: Key | Tensor) => valuesOf(built.apply({}, x, training(stepKey)))[0];

  it("zeroes its share, scales the rest, keeps the mean", () => {
    const values = dropped(key);
    const zeros = values.filter((value) => value === 0).length / size;
    expect(Math.abs(zeros - 0.3)).toBeLessThan(4 * Math.sqrt((0.3 * 0.7) / size));
    const ratios = new Set(values.map((value, i) => (value / (1 + (i % 3))).toFixed(5)));
    expect([...ratios].sort()).toEqual(["0.00000", (1 / 0.7).toFixed(5)]);
    const mean = values.reduce((a, b) => a + b, 0) / size;
    expect(Math.abs(mean - 2)).toBeLessThan(0.05);
  });

  it("has another mask for another step's key, the same for the same, whether known now or when running", () => {
    const first = partKey(key, 1);
    const second = partKey(key, 2);
    expect(dropped(first)).toEqual(dropped(first));
    const others = dropped(second);
    const differing = dropped(first).filter((v, i) => (v === 0) !== (others[i] === 0)).length;
    expect(Math.abs(differing / size - 2 * 0.3 * 0.7)).toBeLessThan(0.03);
    expect(dropped(constant([...(first as Key)], "int32"))).toEqual(dropped(first));
  });

  it("does nothing outside of training or at probability 0, and its gradient has the same mask", () => {
    expect(built.apply({}, x, evaluating)).toBe(x);
    expect(dropout(0).build([size]).apply({}, x, training(key))).toBe(x);
    const given = variable("x", x.shape);
    const y = built.apply({}, given, training(key));
    const [values, gradient] = evaluate([y, ...grad(sum(y), [given])], new Map([[given, evaluate([x])[0]]]));
    expect([...gradient.data].map((g) => g === 0)).toEqual([...values.data].map((v) => v === 0));
    expect(Math.max(...gradient.data)).toBeCloseTo(1 / 0.7, 6);
    expect(() => dropout(1)).toThrow("dropout: received probability 1; expected a number from 0 to below 1");
  });
});

describe("sequential", () => {
  it("names parameters by layer and passes values through", () => {
    const layer = sequential([
      flatten(),
      dense(2, { initializer: constantValue(1) }),
      activation("relu"),
      dense(1),
    ]);
    const built = layer.build([2, 2]);
    expect(Object.entries(built.parameters).map(([name, { shape }]) => [name, shape])).toEqual([
      ["dense1.weight", [2, 4]],
      ["dense1.bias", [2]],
      ["dense2.weight", [1, 2]],
      ["dense2.bias", [1]],
    ]);
    const x = constant([
      [
        [1, 2],
        [3, 4],
      ],
      [
        [-1, -2],
        [-3, -4],
      ],
    ]);
    const parameters = {
      ...initialOf(built),
      "dense2.weight": constant([[2, 3]]),
      "dense2.bias": constant([0.5]),
    };
    expect(valuesOf(built.apply(parameters, x, evaluating))[0]).toEqual([50.5, 0.5]);
    expect(built.output).toEqual([1]);
  });

  it("gives layers of one shape different first values, and nested dropouts different masks", () => {
    const built = sequential([dense(8), dense(8)]).build([8]);
    const [first, , second] = valuesOf(...Object.values(initialOf(built)));
    expect(first).not.toEqual(second);
    const one = sequential([dropout(0.5)]);
    const twice = sequential([one, one]).build([2000]);
    const ones = constant([Array(2000).fill(1)]);
    const [values] = valuesOf(twice.apply({}, ones, training(key)));
    const kept = values.filter((value) => value === 4).length;
    expect(values.every((value) => value === 0 || value === 4)).toBe(true);
    expect(Math.abs(kept / 2000 - 0.25)).toBeLessThan(0.05);
    expect(Object.keys(sequential([sequential([dense(1)])]).build([2]).parameters)[0]).toBe(
      "sequential1.dense1.weight",
    );
  });
});
