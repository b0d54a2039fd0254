/** What every optimizer of the list must hold; a new one inherits it. */
import { describe, expect, test } from "vitest";
import { type DType, dtypes } from "../../../src/base/dtype.js";
import { type HostTensor, sizeOf } from "../../../src/base/shape.js";
import { evaluate, formatGraph, type Tensor, variable } from "../../../src/graph/index.js";
import { type Optimizer, optimizers } from "../../../src/learn/optimizers/index.js";
import { vmap } from "../../../src/transform/index.js";

type Numbers = Readonly<Record<string, number>>;

const all: readonly (readonly [string, Optimizer])[] = optimizers.map((optimizer) => [
  optimizer.id,
  optimizer,
]);
const shapes = [[], [3], [2, 3]];

describe.each(all)("%s", (_, optimizer) => {
  test.each(
    shapes.flatMap((shape) => (["float32", "float64"] as const).map((dtype) => [shape, dtype] as const)),
  )("keeps the types of parameter and slots, %j %s", (shape, dtype) => {
    const { parameter, slots, result } = updateGraph(optimizer, shape, dtype);
    const type = ({ shape, dtype }: Tensor) => ({ shape, dtype });
    expect(type(result.parameter)).toEqual(type(parameter));
    expect(Object.keys(result.slots)).toEqual(Object.keys(slots));
    for (const [name, slot] of Object.entries(slots)) expect(type(result.slots[name])).toEqual(type(slot));
  });

  test("is pure: the same graph and the same values again, its input untouched", () => {
    const { input, outputs, values } = updateGraph(optimizer, [3], "float64");
    const frozen = { ...input, slots: Object.freeze(input.slots), hyper: Object.freeze(input.hyper) };
    const again = optimizer.update(Object.freeze(frozen));
    const named = (tensors: readonly Tensor[]) =>
      Object.fromEntries(tensors.map((tensor, i) => [`${i}`, tensor]));
    const outputsAgain = [again.parameter, ...Object.values(again.slots)];
    expect(formatGraph(named(outputsAgain))).toBe(formatGraph(named(outputs)));
    const before = [...values.values()].map(({ data }) => [...data]);
    expect(evaluate(outputs, values)).toEqual(evaluate(outputs, values));
    expect([...values.values()].map(({ data }) => [...data])).toEqual(before);
  });

  test("moves nothing where gradient and weight decay are 0, and makes no NaN", () => {
    const start = [1, -2, 0];
    const path = descend(optimizer, { start, steps: 10, gradient: () => 0, hyper: { weightDecay: 0 } });
    for (const point of path) expect(point).toEqual(start);
  });

  test("shrinks a weight with weight decay alone", () => {
    const hyper = { weightDecay: 0.1, lr: 0.01 };
    const [last] = descend(optimizer, { start: [1, -2], steps: 5, gradient: () => 0, hyper }).slice(-1);
    expect(Math.abs(last[0])).toBeLessThan(1);
    expect(Math.abs(last[1])).toBeLessThan(2);
  });

  const { range, default: usual } = optimizer.hyperparameters.lr;
  test.each([usual, Math.sqrt(range[0] * range[1])])("goes down a quadratic at lr %d", (lr) => {
    const curvature = [0.1, 0.5, 1];
    const lossAt = (x: readonly number[]) => x.reduce((sum, xi, i) => sum + 0.5 * curvature[i] * xi * xi, 0);
    const gradient = (xi: number, i: number) => curvature[i] * xi;
    const path = descend(optimizer, { start: [2, -1.5, 1], steps: 40, gradient, hyper: { lr } });
    const losses = path.map(lossAt);
    expect(losses[20]).toBeLessThan(losses[0]);
    expect(losses[40]).toBeLessThan(losses[20]);
  });

  test("gives in float32 the path of float64 to five digits", () => {
    const gradient = (xi: number, i: number) => [0.1, 0.5, 1][i] * xi;
    const run = { start: [2, -1.5, 1], steps: 12, gradient, hyper: { lr: 0.01 } };
    const exact = descend(optimizer, run);
    descend(optimizer, { ...run, dtype: "float32" }).forEach((point, t) => {
      point.forEach((value, i) => {
        expect(Math.abs(value - exact[t][i]), `step ${t}`).toBeLessThan(2e-5);
      });
    });
  });

  test("in lanes with different hyperparameters does in each what it does alone", () => {
    const lanes = 3;
    const single = updateGraph(optimizer, [2, 3], "float64");
    const inputs = [...single.values.keys()];
    const laneValues = Array.from({ length: lanes }, (_, lane) => single.valuesOf(lane + 1));
    const stacked = inputs.map((input) => variable("lanes", [lanes, ...input.shape], "float64"));
    const stackedValues = new Map(
      stacked.map((tensor, i) => [
        tensor,
        host(
          tensor.shape,
          laneValues.flatMap((values) => [...values.get(inputs[i])!.data]),
        ),
      ]),
    );
    const alone = laneValues.map((values) => evaluate(single.outputs, values));
    single.outputs.forEach((_, k) => {
      const one = (...args: Tensor[]): Tensor => outputsOf(optimizer, single.names, args)[k];
      const batched = vmap(one, { axes: inputs.map(() => 0) })(...stacked);
      const [result] = evaluate([batched], stackedValues);
      expect(result.shape).toEqual([lanes, ...single.outputs[k].shape]);
      expect([...result.data]).toEqual(alone.flatMap((outputs) => [...outputs[k].data]));
    });
  });

  test("describes itself: title, paper, hyperparameters with range, scale and bounds", () => {
    expect(optimizer.id).toMatch(/^[a-z][a-z0-9-]*$/);
    expect(optimizer.title).not.toBe("");
    expect(optimizer.paper.year).toBeGreaterThan(1800);
    expect(optimizer.hyperparameters).toHaveProperty("lr");
    for (const [name, h] of Object.entries(optimizer.hyperparameters)) {
      const [low, high] = h.range;
      expect(low, name).toBeLessThan(high);
      expect(low, name).toBeGreaterThanOrEqual(h.minimum ?? Number.NEGATIVE_INFINITY);
      expect(high, name).toBeLessThanOrEqual(h.maximum ?? Number.POSITIVE_INFINITY);
      if (h.scale === "log") expect(low, name).toBeGreaterThan(0);
      expect(h.meaning, name).not.toBe("");
    }
  });
});

test("ids are unique", () => {
  expect(new Set(optimizers.map(({ id }) => id)).size).toBe(optimizers.length);
});

interface Descent {
  readonly start: readonly number[];
  readonly steps: number;
  /** Of coordinate `i` at `x`. */
  readonly gradient: (x: number, i: number) => number;
  readonly hyper?: Numbers;
  readonly dtype?: DType;
}

/** The points of a run: the start, then the point after each step. They are a matrix, as the weights of a layer are. */
function descend(
  optimizer: Optimizer,
  { start, steps, gradient, hyper = {}, dtype = "float64" }: Descent,
): number[][] {
  const shape = [start.length, 1];
  const graph = updateGraph(optimizer, shape, dtype);
  const inputs = [graph.parameter, ...Object.values(graph.slots)];
  let state: HostTensor[] = [
    host(shape, start, dtype),
    ...evaluate(Object.values(optimizer.slots(graph.parameter))),
  ];
  const path = [[...start]];
  for (let t = 1; t <= steps; t++) {
    const values = new Map(inputs.map((input, i) => [input, state[i]]));
    values.set(graph.input.gradient, host(shape, [...state[0].data].map(gradient), dtype));
    values.set(graph.input.step, host([], [t], dtype));
    for (const [name, { default: value }] of Object.entries(optimizer.hyperparameters)) {
      values.set(graph.input.hyper[name], host([], [hyper[name] ?? value], dtype));
    }
    state = evaluate(graph.outputs, values);
    path.push([...state[0].data]);
  }
  return path;
}

/** One update as a graph of variables, with values for them. */
function updateGraph(optimizer: Optimizer, shape: readonly number[], dtype: DType) {
  const parameter = variable("parameter", shape, dtype);
  const initial = optimizer.slots(parameter);
  const names = { slots: Object.keys(initial), hyper: Object.keys(optimizer.hyperparameters) };
  const args = [
    parameter,
    variable("gradient", shape, dtype),
    variable("step", [], dtype),
    ...names.slots.map((name) => variable(name, initial[name].shape, dtype)),
    ...names.hyper.map((name) => variable(name, [], dtype)),
  ];
  const input = inputOf(names, args);
  const result = optimizer.update(input);
  /** Plausible values, other ones for each `seed`: slots positive, as after some steps. */
  const valuesOf = (seed: number): Map<Tensor, HostTensor> => {
    const wave = (size: number, phase: number) =>
      Array.from({ length: size }, (_, i) => Math.sin(seed * 7 + i * 3 + phase));
    const values = args.map((arg, k): HostTensor => {
      const size = sizeOf(arg.shape);
      const name = [...names.slots, ...names.hyper][k - 3];
      if (k === 2) return host([], [seed + 4], dtype);
      if (k < 2) return host(arg.shape, wave(size, k), dtype);
      if (names.slots.includes(name))
        return host(
          arg.shape,
          wave(size, k).map((x) => 0.3 + 0.2 * x),
          dtype,
        );
      const { minimum = 0, maximum = 1, default: value } = optimizer.hyperparameters[name];
      return host([], [Math.min(maximum, Math.max(minimum, value * (1 - 0.03 * seed)))], dtype);
    });
    return new Map(args.map((arg, i) => [arg, values[i]]));
  };
  return {
    parameter,
    slots: input.slots,
    names,
    input,
    result,
    outputs: [result.parameter, ...names.slots.map((name) => result.slots[name])],
    values: valuesOf(1),
    valuesOf,
  };
}

interface Names {
  readonly slots: readonly string[];
  readonly hyper: readonly string[];
}

/** An update's input from the tensors in the order of `updateGraph`. */
function inputOf(names: Names, [parameter, gradient, step, ...rest]: readonly Tensor[]) {
  const named = (keys: readonly string[], tensors: readonly Tensor[]): Record<string, Tensor> =>
    Object.fromEntries(keys.map((key, i) => [key, tensors[i]]));
  const slots = named(names.slots, rest);
  const hyper = named(names.hyper, rest.slice(names.slots.length));
  return { parameter, gradient, step, slots, hyper };
}

function outputsOf(optimizer: Optimizer, names: Names, args: readonly Tensor[]): Tensor[] {
  const result = optimizer.update(inputOf(names, args));
  return [result.parameter, ...names.slots.map((name) => result.slots[name])];
}

function host(shape: readonly number[], values: readonly number[], dtype: DType = "float64"): HostTensor {
  const data = new dtypes[dtype].array(values.length);
  data.set(values);
  return { shape, dtype, data };
}
