/** Every operation's gradient, and the gradient of that gradient, against central differences in float64. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { evaluate } from "../../src/graph/evaluate.js";
import * as f from "../../src/graph/functions.js";
import { constant, fullLike, variable } from "../../src/graph/operations/leaves.js";
import type { OperationName, Tensor } from "../../src/graph/tensor.js";
import { verify } from "../../src/graph/verify.js";
import { grad, vjp } from "../../src/transform/index.js";
import { compositeCases } from "../support/compositeCases.js";
import { type OperationCase, type OperationInstance, operationCases } from "../support/operationCases.js";
import { finiteDifferences, relativeDifference, valuesFor, variablesFor, weightsLike } from "./support.js";

const tolerance = 1e-6;
const seed = 20240607;

const names = Object.keys(operationCases) as OperationName[];
const differentiable = names.filter((name) => operationCases[name].differentiable);
const others = names.filter((name) => !operationCases[name].differentiable);

/** Compares the gradient by each differentiable operand with differences; returns the gradients. */
function checkGradients(
  loss: Tensor,
  variables: readonly Tensor[],
  { inputs }: OperationInstance,
  operands: readonly number[],
): Tensor[] {
  const gradients = grad(
    loss,
    operands.map((operand) => variables[operand]),
  );
  verify(gradients);
  const values = evaluate(gradients, valuesFor(variables, inputs));
  operands.forEach((operand, i) => {
    expect(gradients[i].shape).toEqual(variables[operand].shape);
    expect(gradients[i].dtype).toBe(variables[operand].dtype);
    const measured = finiteDifferences(loss, variables, inputs, operand);
    expect(
      relativeDifference(values[i].data, measured),
      `operand ${operand}: gradient ${values[i].data} against measured ${measured}`,
    ).toBeLessThan(tolerance);
  });
  return gradients;
}

const weighted = (x: Tensor, weightSeed: number): Tensor => f.sum(f.mul(x, weightsLike(x, weightSeed)));

function checkFirstAndSecond({ differentiable, instances }: OperationCase, numRuns: number): void {
  fc.assert(
    fc.property(instances("float64", "smooth"), (instance) => {
      const variables = variablesFor(instance.inputs);
      const operands = (differentiable || []).filter((operand) => operand < variables.length);
      const loss = weighted(instance.build(variables), 1);
      const gradients = checkGradients(loss, variables, instance, operands);
      const second = gradients
        .map((gradient, i) => weighted(gradient, 2 + i))
        .reduce((total, term) => f.add(total, term));
      checkGradients(second, variables, instance, operands);
    }),
    { numRuns, seed },
  );
}

describe("first and second gradients of operations", () => {
  test.each(differentiable)("%s", (name) => checkFirstAndSecond(operationCases[name], 20));
});

describe("first and second gradients of compositions", () => {
  test.each(Object.keys(compositeCases))("%s", (name) =>
    checkFirstAndSecond(compositeCases[name as keyof typeof compositeCases], 15),
  );
});

describe("no gradient flows through", () => {
  const withInputs = others.filter((name) => !["constant", "full", "iota", "rank"].includes(name));
  test.each(withInputs)("%s", (name) => {
    const { dtypes, instances } = operationCases[name];
    const dtype = dtypes.includes("float64") ? "float64" : dtypes[0];
    fc.assert(
      fc.property(instances(dtype, "any"), ({ inputs, build }) => {
        const variables = variablesFor(inputs);
        const output = build(variables);
        const gradients = vjp(output, variables, fullLike(output, 1));
        for (const [i, { data }] of evaluate(gradients, valuesFor(variables, inputs)).entries()) {
          expect(gradients[i].shape).toEqual(variables[i].shape);
          expect([...data].every((value) => value === 0)).toBe(true);
        }
      }),
      { numRuns: 5, seed },
    );
  });
});

/** First and second derivative of a function of one float64 number. */
function derivativesAt(build: (x: Tensor) => Tensor, at: number): number[] {
  const x = variable("x", [], "float64");
  const [first] = grad(build(x), [x]);
  const [second] = grad(first, [x]);
  const value = { shape: [], dtype: "float64", data: Float64Array.of(at) } as const;
  return evaluate([first, second], new Map([[x, value]])).map(({ data }) => data[0]);
}

describe("at kinks, ties and limits", () => {
  const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));
  test.each([
    ["relu at 0", f.relu, 0, [0, 0]],
    ["abs at 0", f.abs, 0, [0, 0]],
    ["maximum at a tie with a constant", (x: Tensor) => f.maximum(x, 1), 1, [0.5, 0]],
    ["minimum at a tie with a constant", (x: Tensor) => f.minimum(x, 1), 1, [0.5, 0]],
    ["maximum with itself", (x: Tensor) => f.maximum(x, x), 1, [1, 0]],
    ["softplus at 0", f.softplus, 0, [0.5, 0.25]],
    ["softplus at 40", f.softplus, 40, [sigmoid(40), sigmoid(40) * sigmoid(-40)]],
    ["softplus at -40", f.softplus, -40, [sigmoid(-40), sigmoid(40) * sigmoid(-40)]],
    ["softplus at 1000", f.softplus, 1000, [1, 0]],
    ["softplus at -1000", f.softplus, -1000, [0, 0]],
    ["sigmoid at 1000", f.sigmoid, 1000, [0, 0]],
    ["sigmoid at -1000", f.sigmoid, -1000, [0, 0]],
    ["gelu at 0", f.gelu, 0, [0.5, 2 * Math.sqrt(2 / Math.PI) * 0.5]],
    ["x^3 at 0", (x: Tensor) => f.pow(x, 3), 0, [0, 0]],
    ["x^2 at 0", (x: Tensor) => f.pow(x, 2), 0, [0, 2]],
    ["x^1 at 0", (x: Tensor) => f.pow(x, 1), 0, [1, 0]],
    ["x^0 at 0", (x: Tensor) => f.pow(x, 0), 0, [0, 0]],
    ["x^2 below 0", (x: Tensor) => f.pow(x, 2), -1.5, [-3, 2]],
    ["(x + 2)^x at 0", (x: Tensor) => f.pow(f.add(x, 2), x), 0, [Math.log(2), Math.log(2) ** 2 + 1]],
    ["0^x above 0", (x: Tensor) => f.pow(constant(0, "float64"), x), 2, [0, 0]],
  ] as const)("%s", (_, build, at, expected) => {
    derivativesAt(build, at).forEach((value, i) => {
      expect(value).toBeCloseTo(expected[i], 12);
    });
  });

  test("extrema share the gradient among ties", () => {
    const x = variable("x", [5]);
    const at = { shape: [5], dtype: "float32", data: Float32Array.of(3, 1, 3, 1, 1) } as const;
    const gradients = [f.max(x), f.min(x)].map((y) => grad(y, [x])[0]);
    const [high, low] = evaluate(gradients, new Map([[x, at]]));
    expect([...high.data]).toEqual([0.5, 0, 0.5, 0, 0]);
    expect([...low.data]).toEqual([0, 1, 0, 1, 1].map((share) => Math.fround(share * Math.fround(1 / 3))));
  });

  test("the cross-entropy of extreme logits is finite and so is its gradient", () => {
    const logits = variable("logits", [2, 3]);
    const loss = f.neg(
      f.sum(
        f.mul(
          f.logSoftmax(logits),
          constant([
            [1, 0, 0],
            [0, 1, 0],
          ]),
        ),
      ),
    );
    const at = { shape: [2, 3], dtype: "float32", data: Float32Array.of(-1e4, 0, 1e4, 1e30, 0, 0) } as const;
    const [value, gradient] = evaluate([loss, ...grad(loss, [logits])], new Map([[logits, at]]));
    expect(value.data[0]).toBe(Math.fround(2e4 + 1e30));
    expect([...gradient.data]).toEqual([-1, 0, 1, 1, -1, 0]);
  });
});

describe("grad and vjp", () => {
  const x = variable("x", [2], "float64");
  const at = new Map([[x, { shape: [2], dtype: "float64", data: Float64Array.of(2, 3) } as const]]);
  const valuesOf = (tensors: Tensor[]) => evaluate(tensors, at).map(({ data }) => [...data]);

  test("contributions of several uses add up", () => {
    const loss = f.sum(f.add(f.mul(x, x), f.mul(x, 5)));
    expect(valuesOf(grad(loss, [x]))).toEqual([[9, 11]]);
  });
  test("zeros where the loss does not depend on it", () => {
    expect(valuesOf(grad(f.sum(x), [variable("y", [3])]))).toEqual([[0, 0, 0]]);
  });
  test("by an inner node, with the outer variable at once", () => {
    const squared = f.mul(x, x);
    expect(valuesOf(grad(f.sum(f.mul(squared, squared)), [squared, x]))).toEqual([
      [8, 18],
      [32, 108],
    ]);
  });
  test("by the loss itself", () => {
    const loss = f.sum(x);
    expect(valuesOf(grad(loss, [loss, x]))).toEqual([[1], [1, 1]]);
  });
  test("vjp multiplies with the cotangent", () => {
    expect(valuesOf(vjp(f.mul(x, x), [x], constant([10, 100], "float64")))).toEqual([[40, 600]]);
  });
  test("stopGradient holds back one of two paths", () => {
    expect(valuesOf(grad(f.sum(f.mul(x, f.stopGradient(x))), [x]))).toEqual([[2, 3]]);
  });
  test("a cast to float32 and back passes the gradient", () => {
    expect(valuesOf(grad(f.sum(f.cast(f.cast(x, "float32"), "float64")), [x]))).toEqual([[1, 1]]);
  });
  test("errors say what was received and what to do", () => {
    expect(() => grad(x, [x])).toThrow("grad: the loss is f64[2]; expected a scalar. Take its sum or mean?");
    expect(() => grad(f.sum(f.cast(x, "int32")), [x])).toThrow(/^grad: the loss is i32\[\]; expected/);
    expect(() => vjp(x, [x], constant([1, 2, 3], "float64"))).toThrow(
      "vjp: the cotangent is f64[3]; expected f64[2], the output's type.",
    );
    expect(() => vjp(x, [x], constant([1, 2]))).toThrow(/^vjp: the cotangent is f32\[2\]; expected f64\[2\]/);
  });
  test("a chain of 20,000 nodes needs no deep stack", () => {
    let y: Tensor = f.sum(x);
    for (let i = 0; i < 20_000; i++) y = f.add(y, 1);
    expect(valuesOf(grad(y, [x]))).toEqual([[1, 1]]);
  });
});
