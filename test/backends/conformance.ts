/**
 * What every backend must do: give each operation's reference values, alone and fused, differentiated and batched;
 * keep and update variables; trace. A backend inherits all of it by one call of `conformance`.
 */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { allocate, isFloat, type TypedArray } from "../../src/base/dtype.js";
import { type HostTensor, sizeOf } from "../../src/base/shape.js";
import type { Backend } from "../../src/compile/backend.js";
import type { Program } from "../../src/compile/program.js";
import { evaluate } from "../../src/graph/evaluate.js";
import * as f from "../../src/graph/functions.js";
import { iota, variable } from "../../src/graph/operations/leaves.js";
import { foldInTensor, permutationAt, randomNormal, randomUniform } from "../../src/graph/random.js";
import type { OperationName, Tensor } from "../../src/graph/tensor.js";
import { grad, vmap } from "../../src/transform/index.js";
import { compositeCases } from "../support/compositeCases.js";
import { type OperationCase, type OperationInstance, operationCases } from "../support/operationCases.js";

const seed = 77;

/** All tests of one backend; `make` is called once. */
export function conformance(name: string, make: () => Backend): void {
  describe(`${name} against reference`, () => {
    const backend = make();

    describe("operations", () => {
      for (const operation of Object.keys(operationCases) as OperationName[]) {
        test(operation, () => checkCase(backend, operationCases[operation], "any", 25));
      }
    });

    describe("composed functions", () => {
      for (const [composed, instances] of Object.entries(compositeCases)) {
        test(composed, () => checkCase(backend, instances, "any", 15));
      }
    });

    test("gradients of every operation", () => {
      for (const operation of Object.keys(operationCases) as OperationName[]) {
        const { differentiable, instances } = operationCases[operation];
        if (!differentiable) continue;
        fc.assert(
          fc.property(instances("float64", "smooth"), (instance) => {
            compare(backend, instance, (variables) => {
              const wrt = differentiable
                .filter((operand) => operand < variables.length)
                .map((operand) => variables[operand]);
              return grad(f.sum(f.square(instance.build(variables))), wrt);
            });
          }),
          { numRuns: 5, seed },
        );
      }
    });

    test("lanes of every operation", () => {
      for (const operation of Object.keys(operationCases) as OperationName[]) {
        const { dtypes, instances } = operationCases[operation];
        fc.assert(
          fc.property(instances(dtypes[0], "any"), (instance) => {
            if (instance.inputs.length === 0) return;
            const axes = instance.inputs.map(() => 0);
            const lanes = [0, 1, 2].map((lane) => instance.redraw(lane));
            const stacked = instance.inputs.map((_, i) => stack(lanes.map((lane) => lane[i])));
            const batched = { ...instance, inputs: stacked };
            compare(backend, batched, (variables) => [
              vmap((...args) => instance.build(args), { axes })(...variables),
            ]);
          }),
          { numRuns: 4, seed },
        );
      }
    });

    test("variables are updated from their old values, in any order of dependence", () => {
      const a = variable("a", [3]);
      const b = variable("b", [3]);
      const c = variable("c", [3]);
      // A swap, a shift that reads neighbours, and an update that several others read.
      const shifted = f.add(
        f.concat([f.slice(c, { axis: 0, start: 1 }), f.slice(c, { axis: 0, stop: 1 })]),
        f.sum(a),
      );
      const program: Program = {
        name: "swap",
        variables: { a, b, c },
        entries: { step: { updates: { a: b, b: f.mul(a, 2), c: shifted }, traces: { before: f.sum(c), b } } },
        traceCapacity: 4,
      };
      const executable = backend.compile(program);
      executable.write("a", [1, 2, 3]);
      executable.write("b", [10, 20, 30]);
      executable.write("c", [5, 6, 7]);
      executable.run("step", 3);
      let [x, y, z] = [
        [1, 2, 3],
        [10, 20, 30],
        [5, 6, 7],
      ];
      const before: number[] = [];
      const seen: number[] = [];
      for (let step = 0; step < 3; step++) {
        const total = x[0] + x[1] + x[2];
        before.push(z[0] + z[1] + z[2]);
        seen.push(...y);
        [x, y, z] = [y, x.map((v) => 2 * v), [z[1] + total, z[2] + total, z[0] + total]];
      }
      expect([...executable.read("a")]).toEqual(x);
      expect([...executable.read("b")]).toEqual(y);
      expect([...executable.read("c")]).toEqual(z);
      expect([...executable.trace("step", "before")]).toEqual(before);
      expect([...executable.trace("step", "b")]).toEqual(seen);
      executable.release();
    });

    test("entries share variables, and many steps equal single ones", () => {
      const w = variable("w", [4, 3]);
      const lr = variable("lr", []);
      const step = variable("step", [], "int32");
      const target = f.cast(iota([4, 3], 1), "float32");
      const loss = f.sum(f.square(f.sub(f.tanh(w), target)));
      const [gradient] = grad(loss, [w]);
      const program: Program = {
        name: "descent",
        variables: { w, lr, step },
        entries: {
          step: {
            updates: { w: f.sub(w, f.mul(lr, gradient)), step: f.add(step, 1) },
            traces: { loss, step },
          },
          measure: { updates: {}, traces: { loss } },
        },
        traceCapacity: 50,
      };
      const [together, single] = [backend.compile(program), backend.compile(program)];
      for (const executable of [together, single]) {
        executable.write(
          "w",
          Array.from({ length: 12 }, (_, i) => i / 7 - 0.5),
        );
        executable.write("lr", [0.05]);
      }
      together.run("step", 50);
      const losses: number[] = [];
      for (let i = 0; i < 50; i++) {
        single.run("step");
        losses.push(single.trace("step", "loss")[0]);
      }
      expect([...together.trace("step", "loss")]).toEqual(losses);
      expect([...together.trace("step", "step")]).toEqual(losses.map((_, i) => i));
      expect(together.read("w")).toEqual(single.read("w"));
      together.run("measure");
      expect(together.trace("measure", "loss")[0]).toBeLessThan(losses[0]);
      // A new learning rate takes effect without compiling again.
      together.write("lr", [0]);
      const kept = together.read("w");
      together.run("step", 3);
      expect(together.read("w")).toEqual(kept);
      together.release();
      single.release();
    });

    test("random numbers are the reference's, bit for bit", () => {
      const key = variable("key", [2], "int32");
      const step = variable("step", [], "int32");
      const own = foldInTensor(key, step);
      const outputs = {
        uniform: randomUniform(own, [7, 13]),
        normal: randomNormal(own, [501]),
        permuted: permutationAt(own, iota([300]), 1000),
      };
      const values: [string, HostTensor][] = [
        ["key", { shape: [2], dtype: "int32", data: new Int32Array([123, -456]) }],
        ["step", { shape: [], dtype: "int32", data: new Int32Array([41]) }],
      ];
      const variables = { key, step };
      const expected = evaluate(
        Object.values(outputs),
        new Map(values.map(([n, v]) => [variables[n as "key"], v])),
      );
      const executable = backend.compile({
        name: "random",
        variables,
        entries: { go: { updates: {}, traces: outputs } },
        traceCapacity: 1,
      });
      for (const [n, { data }] of values) executable.write(n, data);
      executable.run("go");
      for (const [i, output] of Object.keys(outputs).entries()) {
        expect(executable.trace("go", output)).toEqual(expected[i].data);
      }
      executable.release();
    });

    test("wrong names, counts and steps are refused", () => {
      const w = variable("weight", [2]);
      const executable = backend.compile({
        name: "small",
        variables: { weight: w },
        entries: { step: { updates: { weight: f.add(w, 1) }, traces: {} } },
        traceCapacity: 3,
      });
      expect(() => executable.write("weigth", [1, 2])).toThrow(/"weigth".*Did you mean "weight"/);
      expect(() => executable.write("weight", [1])).toThrow(
        /1 values for "weight" of type f32\[2\]; expected 2/,
      );
      expect(() => executable.run("stop")).toThrow(/"stop".*"step"/);
      expect(() => executable.run("step", 4)).toThrow(/4 steps; expected 0 to 3/);
      executable.release();
    });
  });
}

function checkCase(
  backend: Backend,
  { dtypes, instances }: OperationCase,
  region: "any" | "smooth",
  numRuns: number,
): void {
  for (const dtype of dtypes) {
    fc.assert(
      fc.property(instances(dtype, region), (instance) => {
        compare(backend, instance, (variables) => [instance.build(variables)]);
      }),
      { numRuns, seed },
    );
  }
}

/** Runs the outputs of a graph on the backend and holds them against the reference evaluation. */
function compare(
  backend: Backend,
  { inputs }: Pick<OperationInstance, "inputs">,
  build: (variables: Tensor[]) => Tensor[],
): void {
  const variables = inputs.map(({ shape, dtype }, i) => variable(`x${i}`, shape, dtype));
  const outputs = build(variables);
  const expected = evaluate(outputs, new Map(variables.map((node, i) => [node, inputs[i]])));
  const executable = backend.compile({
    name: "conformance",
    variables: Object.fromEntries(variables.map((node, i) => [`x${i}`, node])),
    entries: {
      go: { updates: {}, traces: Object.fromEntries(outputs.map((output, i) => [`y${i}`, output])) },
    },
    traceCapacity: 1,
  });
  for (const [i, { data }] of inputs.entries()) executable.write(`x${i}`, data);
  executable.run("go");
  for (const [i, { data, dtype }] of expected.entries()) {
    expectClose(executable.trace("go", `y${i}`), data, dtype === "float64" ? 1e-12 : 3e-6, isFloat(dtype));
  }
  executable.release();
}

/** Equal up to `tolerance` relative to the largest finite value; NaN, infinities and integers exactly. */
function expectClose(
  received: TypedArray,
  expected: TypedArray,
  tolerance: number,
  isApproximate: boolean,
): void {
  expect(received.length).toBe(expected.length);
  const scale = Array.from(expected).reduce(
    (most, value) => (Number.isFinite(value) ? Math.max(most, Math.abs(value)) : most),
    1e-30,
  );
  expected.forEach((value, i) => {
    const same = Object.is(received[i], value) || received[i] === value;
    const close = isApproximate && Math.abs(received[i] - value) <= tolerance * Math.max(scale, 1e-3);
    if (!same && !close)
      expect.fail(
        `element ${i}: received ${received[i]}, expected ${value}; all: ${received} against ${expected}`,
      );
  });
}

function stack(parts: readonly HostTensor[]): HostTensor {
  const [{ shape, dtype }] = parts;
  const data = allocate(dtype, parts.length * sizeOf(shape));
  for (const [i, part] of parts.entries()) data.set(part.data, i * sizeOf(shape));
  return { shape: [parts.length, ...shape], dtype, data };
}
