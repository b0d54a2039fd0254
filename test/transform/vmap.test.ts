/** Lanes against a loop over them: equal to the last bit on the reference evaluation. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { allocate } from "../../src/base/dtype.js";
import { type HostTensor, sizeOf } from "../../src/base/shape.js";
import { evaluate } from "../../src/graph/evaluate.js";
import * as f from "../../src/graph/functions.js";
import { constant, variable } from "../../src/graph/operations/leaves.js";
import { permutationAt, randomNormal } from "../../src/graph/random.js";
import type { OperationName, Tensor } from "../../src/graph/tensor.js";
import { verify } from "../../src/graph/verify.js";
import { batch, grad, vjp, vmap } from "../../src/transform/index.js";
import { compositeCases } from "../support/compositeCases.js";
import { integersFrom } from "../support/numbers.js";
import { type OperationInstance, operationCases } from "../support/operationCases.js";
import { relativeDifference, valuesFor, variablesFor, weightsLike } from "./support.js";

const lanes = 3;
const seed = 20240608;
const names = Object.keys(operationCases) as OperationName[];

type Axes = (number | undefined)[];

/** Lane tensors joined along a new axis. */
function stack(parts: readonly HostTensor[], axis: number): HostTensor {
  const [{ shape, dtype }] = parts;
  const data = allocate(dtype, sizeOf(shape) * parts.length);
  const inner = sizeOf(shape.slice(axis));
  parts.forEach((part, lane) => {
    for (let i = 0; i < part.data.length; i++)
      data[(Math.floor(i / inner) * parts.length + lane) * inner + (i % inner)] = part.data[i];
  });
  return { shape: shape.toSpliced(axis, 0, parts.length), dtype, data };
}

/** Every way to give operands lanes at some axis or none, but not none to all. */
function placements(inputs: readonly HostTensor[]): Axes[] {
  let result: Axes[] = [[]];
  for (const { shape } of inputs) {
    const places = [undefined, ...Array.from({ length: shape.length + 1 }, (_, axis) => axis)];
    result = result.flatMap((axes) => places.map((place) => [...axes, place]));
  }
  return result.filter((axes) => axes.some((axis) => axis !== undefined));
}

/** At most `count` of the placements, spread evenly. */
const someOf = (all: Axes[], count: number): Axes[] =>
  all.filter(
    (_, i) =>
      all.length <= count ||
      Math.floor((i * count) / all.length) !== Math.floor(((i + 1) * count) / all.length),
  );

function run(build: (tensors: Tensor[]) => Tensor, inputs: readonly HostTensor[]): HostTensor {
  const variables = variablesFor(inputs);
  const output = build(variables);
  verify([output]);
  return evaluate([output], valuesFor(variables, inputs))[0];
}

function expectSame(received: HostTensor, expected: HostTensor, context: string): void {
  expect(received.shape, context).toEqual(expected.shape);
  expect(received.dtype, context).toBe(expected.dtype);
  const differs = received.data.findIndex((value, i) => !Object.is(value, expected.data[i]));
  if (differs >= 0) expect([...received.data], context).toEqual([...expected.data]);
}

/** `build` mapped over lanes at `axes` against a loop over the lanes. */
function checkLanes(
  { inputs, redraw }: OperationInstance,
  build: (tensors: readonly Tensor[]) => Tensor,
  chosen: readonly Axes[],
): void {
  const draws = [inputs, ...Array.from({ length: lanes - 1 }, (_, lane) => redraw(lane + 1))];
  const loops = new Map<string, HostTensor>();
  for (const axes of chosen) {
    const key = axes.map((axis) => axis !== undefined).join();
    const expected =
      loops.get(key) ??
      stack(
        draws.map((draw) =>
          run(
            build,
            inputs.map((input, i) => (axes[i] === undefined ? input : draw[i])),
          ),
        ),
        0,
      );
    loops.set(key, expected);
    const batched = inputs.map((input, i) =>
      axes[i] === undefined
        ? input
        : stack(
            draws.map((draw) => draw[i]),
            axes[i],
          ),
    );
    const received = run((tensors) => vmap((...args) => build(args), { axes })(...tensors), batched);
    expectSame(received, expected, `lanes on axes [${axes}]`);
  }
}

describe("every operation, lanes at every place of every operand", () => {
  test.each(names)("%s", (name) => {
    const { dtypes, instances } = operationCases[name];
    for (const dtype of dtypes) {
      fc.assert(
        fc.property(instances(dtype, "any"), (instance) => {
          checkLanes(instance, instance.build, placements(instance.inputs));
        }),
        { numRuns: name === "dot" ? 25 : 7, seed },
      );
    }
  });
});

describe("compositions", () => {
  test.each(Object.entries(compositeCases))("%s", (_, { instances }) => {
    fc.assert(
      fc.property(instances("float32", "any"), (instance) => {
        checkLanes(instance, instance.build, someOf(placements(instance.inputs), 12));
      }),
      { numRuns: 8, seed },
    );
  });
});

describe("lanes of gradients", () => {
  const differentiable = names.filter((name) => operationCases[name].differentiable);
  test.each(differentiable)("%s", (name) => {
    const { instances, differentiable: operands } = operationCases[name];
    fc.assert(
      fc.property(instances("float64", "any"), (instance) => {
        for (const operand of operands || []) {
          if (operand >= instance.inputs.length) continue;
          const gradient = (tensors: readonly Tensor[]): Tensor => {
            const output = instance.build(tensors);
            // A cast to integers has no cotangent of its type.
            if (!output.dtype.startsWith("float")) return f.cast(output, "float64");
            return vjp(output, [tensors[operand]], weightsLike(output, 3))[0];
          };
          checkLanes(instance, gradient, someOf(placements(instance.inputs), 10));
        }
      }),
      { numRuns: 10, seed },
    );
  });
});

describe("lanes of lanes", () => {
  const withInputs = names.filter((name) => !["constant", "full", "iota", "rank"].includes(name));
  test.each(withInputs)("%s", (name) => {
    const { dtypes, instances } = operationCases[name];
    fc.assert(
      fc.property(instances(dtypes[0], "any"), fc.nat(), ({ inputs, redraw, build }, placeSeed) => {
        const next = integersFrom(placeSeed);
        // The first operand always has both kinds of lanes, each other one kind, both or none.
        const has = inputs.map((_, i) => (i === 0 ? [true, true] : [next() % 2 === 0, next() % 3 > 0]));
        const inner = inputs.map(({ shape }, i) => (has[i][0] ? next() % (shape.length + 1) : undefined));
        const outer = inputs.map(({ shape }, i) =>
          has[i][1] ? next() % (shape.length + (has[i][0] ? 2 : 1)) : undefined,
        );
        const drawOf = (a: number, b: number, i: number) =>
          redraw(1 + (has[i][1] ? a * 10 : 0) + (has[i][0] ? b : 0))[i];
        const expected = stack(
          [0, 1].map((a) =>
            stack(
              [0, 1, 2].map((b) =>
                run(
                  build,
                  inputs.map((_, i) => drawOf(a, b, i)),
                ),
              ),
              0,
            ),
          ),
          0,
        );
        const nested = inputs.map((_, i) => {
          const innerOf = (a: number) =>
            inner[i] === undefined
              ? drawOf(a, 0, i)
              : stack(
                  [0, 1, 2].map((b) => drawOf(a, b, i)),
                  inner[i],
                );
          return outer[i] === undefined ? innerOf(0) : stack([innerOf(0), innerOf(1)], outer[i]);
        });
        const received = run(
          (tensors) =>
            vmap((...args) => vmap((...one) => build(one), { axes: inner })(...args), { axes: outer })(
              ...tensors,
            ),
          nested,
        );
        expectSame(received, expected, `inner [${inner}], outer [${outer}]`);
      }),
      { numRuns: 8, seed },
    );
  });
});

describe("vmap", () => {
  const row = variable("row", [3]);
  const rows = variable("rows", [2, 3]);
  const rowsAt = new Map([
    [rows, { shape: [2, 3], dtype: "float32", data: Float32Array.of(1, 2, 3, 4, 5, 6) } as const],
  ]);

  test("a result without lanes is repeated", () => {
    const y = vmap(() => constant([7, 8]), { axes: [0] })(rows);
    expect([...evaluate([y])[0].data]).toEqual([7, 8, 7, 8]);
  });
  test("axes count from the end too", () => {
    const [byEnd, byStart] = evaluate(
      [vmap((x) => f.sum(x), { axes: [-1] })(rows), vmap((x) => f.sum(x), { axes: [1] })(rows)],
      rowsAt,
    );
    expect([...byEnd.data]).toEqual([5, 7, 9]);
    expect([...byStart.data]).toEqual([5, 7, 9]);
  });
  test("tensors from outside are shared by all lanes", () => {
    const y = vmap((x) => f.sum(f.mul(x, f.sum(rows))), { axes: [0] })(rows);
    expect([...evaluate([y], rowsAt)[0].data]).toEqual([6 * 21, 15 * 21]);
  });
  test("a training step in lanes equals each step alone", () => {
    const inputs = constant([1, 2, 3, 4]);
    const targets = constant([0, -1, -2, -3]);
    const step = (slope: Tensor, rate: Tensor): Tensor => {
      let now = slope;
      for (let i = 0; i < 5; i++) {
        const loss = f.sum(f.square(f.sub(f.mul(now, inputs), targets)));
        now = f.sub(now, f.mul(rate, grad(loss, [now])[0]));
      }
      return now;
    };
    const rates = [1e-3, 1e-2, 1e-1];
    const together = evaluate([vmap(step, { axes: [undefined, 0] })(constant(0.3), constant(rates))])[0];
    const alone = rates.map((rate) => evaluate([step(constant(0.3), constant(rate))])[0].data[0]);
    expect([...together.data]).toEqual(alone);
    expect(relativeDifference(together.data, alone)).toBe(0);
  });
  test("random draws with a key in each lane are the draws of that key", () => {
    const keys = constant(
      [
        [1, 2],
        [3, 4],
      ],
      "int32",
    );
    const draw = (key: Tensor) =>
      f.add(
        randomNormal(key, [4]),
        f.cast(permutationAt(key, constant([0, 1, 2, 3], "int32"), 9), "float32"),
      );
    const together = evaluate([vmap(draw, { axes: [0] })(keys)])[0];
    const alone = [
      [1, 2],
      [3, 4],
    ].flatMap((key) => [...evaluate([draw(constant(key, "int32"))])[0].data]);
    expect([...together.data]).toEqual(alone);
  });
  test("what no lane changes stays as it is", () => {
    const shared = f.exp(row);
    const x = variable("x", []);
    const many = variable("many", [5]);
    const [y, same] = batch([f.mul(shared, x), shared], new Map([[x, { tensor: many, axis: 0 }]]));
    expect(y.tensor.shape.toSorted()).toEqual([3, 5]);
    expect(same).toEqual({ tensor: shared, axis: undefined });
  });
  test("errors say which axes were received", () => {
    const map = (axes: Axes) => () => vmap((x) => x, { axes })(rows, row);
    expect(map([undefined, undefined])).toThrow(/^vmap: arguments f32\[2,3\], f32\[3\] with lanes on axes/);
    expect(map([0, 0])).toThrow(/expected at least one lane axis and equal numbers of lanes/);
    expect(map([2, undefined])).toThrow(/^vmap: axis 2 is out of range for rank 2/);
    expect(map([0])).toThrow(
      "vmap: 1 axes for 2 arguments; expected one for each, undefined where it is shared.",
    );
  });
});
