/** Clipping, decay and schedule around an update; initial slots; what is missing is named. */
import { describe, expect, test } from "vitest";
import type { HostTensor } from "../../../src/base/shape.js";
import { constantArray, evaluate, full, sub, type Tensor, variable } from "../../../src/graph/index.js";
import {
  type ApplyInput,
  applyOptimizer,
  defineOptimizer,
  globalNorm,
  initialSlots,
  momentum,
  nadam,
  sgd,
} from "../../../src/learn/optimizers/index.js";
import { stepDecay } from "../../../src/learn/schedules/index.js";

const vector = (...values: number[]): Tensor =>
  constantArray(Float64Array.from(values), [values.length], "float64");
const scalar = (value: number): Tensor => full([], value, "float64");

/** Gradients of global norm 13. */
const base: ApplyInput = {
  optimizer: sgd,
  parameters: { a: vector(1, 2), b: scalar(10) },
  gradients: { a: vector(3, 4), b: scalar(12) },
  slots: { a: {}, b: {} },
  hyper: { lr: scalar(0.5), weightDecay: scalar(0) },
  step: scalar(1),
  totalSteps: 10,
};

const valuesOf = (tensors: Readonly<Record<string, Tensor>>): number[] =>
  evaluate(Object.values(tensors)).flatMap(({ data }) => [...data]);
const updated = (change: Partial<ApplyInput>): number[] =>
  valuesOf(applyOptimizer({ ...base, ...change }).parameters);

describe("clipping by the global norm", () => {
  test("scales all gradients by clipNorm / (norm + 1e-6), as PyTorch does", () => {
    const scale = 2 / (13 + 1e-6);
    expect(updated({ clipNorm: 2 })).toEqual([
      1 - 0.5 * (3 * scale),
      2 - 0.5 * (4 * scale),
      10 - 0.5 * (12 * scale),
    ]);
  });

  test("leaves smaller gradients as they are", () => {
    expect(updated({ clipNorm: 14 })).toEqual(updated({}));
    expect(updated({})).toEqual([-0.5, 0, 4]);
  });

  test("takes the norm as an input of the program too", () => {
    const clipNorm = variable("clipNorm", [], "float32");
    const { parameters } = applyOptimizer({ ...base, clipNorm });
    const values = new Map<Tensor, HostTensor>([
      [clipNorm, { shape: [], dtype: "float32", data: Float32Array.of(2) }],
    ]);
    expect([...evaluate([parameters.a], values)[0].data]).toEqual(updated({ clipNorm: 2 }).slice(0, 2));
  });

  test("reports the norm before clipping", () => {
    const { gradientNorm } = applyOptimizer({ ...base, clipNorm: 2 });
    expect(valuesOf({ gradientNorm })).toEqual([13]);
  });

  test("makes nothing of zero gradients", () => {
    expect(updated({ clipNorm: 1, gradients: { a: vector(0, 0), b: scalar(0) } })).toEqual([1, 2, 10]);
  });
});

describe("decoupled weight decay", () => {
  test("shrinks by 1 - lr * decay before the update", () => {
    expect(updated({ decoupledWeightDecay: 0.2 })).toEqual([0.9 - 1.5, 1.8 - 2, 9 - 6]);
  });

  test("follows the schedule", () => {
    const schedule = stepDecay({ every: 1, decay: 0.5 });
    const { parameters, lr } = applyOptimizer({
      ...base,
      schedule,
      decoupledWeightDecay: 0.2,
      step: scalar(2),
    });
    expect(valuesOf({ lr: lr! })).toEqual([0.25]);
    expect(valuesOf(parameters)).toEqual([0.95 - 0.75, 1.9 - 1, 9.5 - 3]);
  });
});

test("parameters of two dtypes each keep their own", () => {
  const b = { parameter: full([], 10, "float32"), gradient: full([], 12, "float32") };
  const { parameters, slots } = applyOptimizer({
    ...base,
    optimizer: momentum,
    parameters: { a: base.parameters.a, b: b.parameter },
    gradients: { a: base.gradients.a, b: b.gradient },
    slots: initialSlots(momentum, { a: base.parameters.a, b: b.parameter }),
    hyper: { ...base.hyper, momentum: scalar(0.9) },
    clipNorm: 100,
    decoupledWeightDecay: 0.2,
    schedule: stepDecay({ every: 5 }),
  });
  expect([parameters.a.dtype, parameters.b.dtype]).toEqual(["float64", "float32"]);
  expect([slots.a.velocity.dtype, slots.b.velocity.dtype]).toEqual(["float64", "float32"]);
  expect(valuesOf(parameters)).toEqual([0.9 - 1.5, 1.8 - 2, 3]);
});

test("initial slots are graphs with values", () => {
  const slots = initialSlots(nadam, { w: { shape: [2], dtype: "float64" } });
  expect(Object.keys(slots.w)).toEqual(["firstMoment", "secondMoment", "momentumProduct"]);
  expect(valuesOf(slots.w)).toEqual([0, 0, 0, 0, 1]);
});

describe("mistakes", () => {
  test("a missing gradient, slot or hyperparameter is named", () => {
    expect(() => updated({ gradients: { a: base.gradients.a } })).toThrow('the gradient of "b" is missing');
    expect(() => updated({ slots: {} })).toThrow('the slots of "a" is missing');
    expect(() => updated({ hyper: { lr: scalar(1) } })).toThrow(
      'the hyperparameter "weightDecay" of sgd is missing',
    );
    expect(() => updated({ parameters: {} })).toThrow("no parameters");
    expect(() => globalNorm([])).toThrow("no parameters");
  });

  test("a schedule needs a learning rate", () => {
    const unitStep = defineOptimizer({
      id: "unit-step",
      title: "Unit step",
      paper: { authors: "nobody", title: "none", year: 2020 },
      hyperparameters: {},
      slots: () => ({}),
      update: ({ parameter, gradient }) => ({ parameter: sub(parameter, gradient), slots: {} }),
    });
    expect(updated({ optimizer: unitStep, hyper: {} })).toEqual([-2, -2, -2]);
    const schedule = stepDecay({ every: 5 });
    expect(() => updated({ optimizer: unitStep, hyper: {}, schedule })).toThrow('no hyperparameter "lr"');
  });
});
