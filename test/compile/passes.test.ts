/** Each pass by itself: what it makes of small graphs, and that no value changes on random ones. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { isFloat, type TypedArray } from "../../src/base/dtype.js";
import type { HostTensor } from "../../src/base/shape.js";
import { optimize, passes } from "../../src/compile/optimize.js";
import { evaluate } from "../../src/graph/evaluate.js";
import * as f from "../../src/graph/functions.js";
import { constant, full, iota, variable } from "../../src/graph/operations/leaves.js";
import { formatGraph } from "../../src/graph/print.js";
import type { OperationName, Tensor } from "../../src/graph/tensor.js";
import { topologicalOrder } from "../../src/graph/traverse.js";
import { verify } from "../../src/graph/verify.js";
import { grad } from "../../src/transform/index.js";
import { compositeCases } from "../support/compositeCases.js";
import { type OperationCase, operationCases } from "../support/operationCases.js";

const x = variable("x", [2, 3]);
const y = variable("y", [2, 3]);

const passNamed = (name: string) => passes.find((pass) => pass.name === name)!;

/** The graph of `out` before and after a pass. */
function around(pass: string, out: Tensor): string {
  const [after] = passNamed(pass).run([out]);
  verify([after], pass);
  return `${formatGraph({ before: out })}\n\n${formatGraph({ after })}`;
}

describe("decompose", () => {
  test("argmax is the least index of what equals the maximum", () => {
    expect(around("decompose", f.argmax(x, 1))).toMatchInlineSnapshot(`
      "%0 = argmax x axis=1 : i32[2]
      before <- %0 : i32[2]

      %0 = reduceMax x axes=[1] : f32[2]
      %1 = broadcast %0 shape=[2,3] axes=[0] : f32[2,3]
      %2 = equal x %1 : u8[2,3]
      %3 = broadcast 1 shape=[2,3] axes=[] : u8[2,3]
      %4 = notEqual x x : u8[2,3]
      %5 = where %2 %3 %4 : u8[2,3]
      %6 = iota axis=1 : i32[2,3]
      %7 = broadcast 2 shape=[2,3] axes=[] : i32[2,3]
      %8 = where %5 %6 %7 : i32[2,3]
      %9 = reduceMin %8 axes=[1] : i32[2]
      after <- %9 : i32[2]"
    `);
  });

  test("stopGradient is its operand", () => {
    expect(around("decompose", f.exp(f.stopGradient(x)))).toMatchInlineSnapshot(`
      "%0 = stopGradient x : f32[2,3]
      %1 = exp %0 : f32[2,3]
      before <- %1 : f32[2,3]

      %0 = exp x : f32[2,3]
      after <- %0 : f32[2,3]"
    `);
  });
});

describe("simplify", () => {
  const simplified = (out: Tensor): string => {
    const [after] = passNamed("simplify").run([out]);
    verify([after], "simplify");
    return formatGraph({ after });
  };

  test.each([
    ["x + 0", f.add(x, 0), "after <- x : f32[2,3]"],
    ["0 + x", f.add(full([2, 3], 0), x), "after <- x : f32[2,3]"],
    ["x - 0", f.sub(x, 0), "after <- x : f32[2,3]"],
    ["x * 1", f.mul(x, 1), "after <- x : f32[2,3]"],
    ["x / 1", f.div(x, 1), "after <- x : f32[2,3]"],
    ["x ^ 1", f.pow(x, 1), "after <- x : f32[2,3]"],
    ["- - x", f.neg(f.neg(x)), "after <- x : f32[2,3]"],
    ["x * -1", f.mul(x, -1), "%0 = neg x : f32[2,3]\nafter <- %0 : f32[2,3]"],
    ["x ^ 2", f.pow(x, 2), "%0 = mul x x : f32[2,3]\nafter <- %0 : f32[2,3]"],
    ["x ^ 0", f.pow(x, 0), "after <- 1 : f32[2,3]"],
    ["x / 8", f.div(x, 8), "%0 = mul x 0.125 : f32[2,3]\nafter <- %0 : f32[2,3]"],
    ["x / 3: 1/3 would round", f.div(x, 3), "%0 = div x 3 : f32[2,3]\nafter <- %0 : f32[2,3]"],
    ["x * 0: x may be NaN", f.mul(x, 0), "%0 = mul x 0 : f32[2,3]\nafter <- %0 : f32[2,3]"],
    ["where(true, x, y)", f.where(full([2, 3], 1, "uint8"), x, y), "after <- x : f32[2,3]"],
    ["where(false, x, y)", f.where(full([2, 3], 0, "uint8"), x, y), "after <- y : f32[2,3]"],
    ["2 * 3 + 1", f.add(f.mul(full([2, 3], 2), 3), 1), "after <- 7 : f32[2,3]"],
    ["sum of threes", f.sum(full([2, 3], 3)), "after <- 18 : f32[]"],
    ["cast to its own dtype", f.cast(x, "float32"), "after <- x : f32[2,3]"],
    ["transposed twice", f.transpose(f.transpose(x)), "after <- x : f32[2,3]"],
    ["reshaped to and fro", f.reshape(f.reshape(x, [3, 2]), [2, 3]), "after <- x : f32[2,3]"],
    [
      "a sum of a sum",
      f.sum(f.sum(variable("z", [2, 3, 4]), { axis: 1 }), { axis: 0 }),
      "%0 = sum z axes=[0,1] : f32[4]\nafter <- %0 : f32[4]",
    ],
  ])("%s", (_, out, expected) => {
    expect(simplified(out)).toBe(expected);
  });

  test("a number whose logarithm only rounds to an integer is no power of two", () => {
    const almost = 2 ** 49 + 1;
    const z = variable("z", [], "float64");
    expect(simplified(f.div(z, almost))).toContain("div");
    expect(simplified(f.div(z, -(2 ** 49)))).toContain("mul");
  });
});

describe("shareCommon", () => {
  test("what is computed twice is one node", () => {
    const twice = f.add(f.exp(f.mul(x, y)), f.exp(f.mul(x, y)));
    expect(around("shareCommon", twice)).toMatchInlineSnapshot(`
      "%0 = mul x y : f32[2,3]
      %1 = exp %0 : f32[2,3]
      %2 = mul x y : f32[2,3]
      %3 = exp %2 : f32[2,3]
      %4 = add %1 %3 : f32[2,3]
      before <- %4 : f32[2,3]

      %0 = mul x y : f32[2,3]
      %1 = exp %0 : f32[2,3]
      %2 = add %1 %1 : f32[2,3]
      after <- %2 : f32[2,3]"
    `);
  });

  test("attributes, dtypes, the order of operands and the sign of zero tell nodes apart", () => {
    const apart = [
      f.sum(x, { axis: 0, keepDims: true }),
      f.sum(x, { axis: 1, keepDims: true }),
      f.sub(x, y),
      f.sub(y, x),
      f.cast(x, "int32"),
      f.cast(x, "uint8"),
      f.mul(x, full([2, 3], 0)),
      f.mul(x, full([2, 3], -0)),
      f.mul(x, full([2, 3], Number.NaN)),
      f.mul(x, full([2, 3], Number.POSITIVE_INFINITY)),
      iota([2, 3], 0),
      iota([2, 3], 1),
    ];
    const shared = passNamed("shareCommon").run(apart);
    expect(new Set(shared).size).toBe(apart.length);
  });

  test("constants are one if they hold the same array", () => {
    const data = constant([1, 2]);
    const again = constant([1, 2]);
    const nodes = (outputs: Tensor[]): number =>
      topologicalOrder(passNamed("shareCommon").run(outputs)).length;
    expect(nodes([f.exp(data), f.exp({ ...data })])).toBe(2);
    expect(nodes([f.exp(data), f.exp(again)])).toBe(4);
  });
});

/** Values of a graph's outputs at other inputs than its case draws: NaN, infinities and zeros among them. */
function withSpecials(inputs: readonly HostTensor[]): HostTensor[] {
  const specials = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 0, -0];
  return inputs.map((input, n) => {
    if (!isFloat(input.dtype)) return input;
    return {
      ...input,
      data: input.data.map((value, i) => ((i + n) % 3 === 0 ? specials[(i + n) % 5] : value)),
    };
  });
}

/** Equal to rounding of the dtype; NaN and infinities in the same places. */
function expectSame(received: TypedArray, expected: TypedArray, tolerance: number): void {
  expect(received.length).toBe(expected.length);
  const scale = Array.from(expected).reduce(
    (most: number, v: number) => (Number.isFinite(v) ? Math.max(most, Math.abs(v)) : most),
    1e-3,
  );
  expected.forEach((value, i) => {
    if (received[i] === value || (Number.isNaN(value) && Number.isNaN(received[i]))) return;
    if (!(Math.abs(received[i] - value) <= tolerance * scale))
      expect.fail(`element ${i}: ${received[i]} after, ${value} before; ${received} against ${expected}`);
  });
}

function expectKept(
  outputs: readonly Tensor[],
  variables: readonly Tensor[],
  inputs: readonly HostTensor[],
): void {
  for (const values of [inputs, withSpecials(inputs)]) {
    const at = new Map(variables.map((node, i) => [node, values[i]]));
    const before = evaluate(outputs, at);
    for (const { name, run } of [
      ...passes,
      { name: "all", run: (graph: readonly Tensor[]) => optimize(graph, { check: true }) },
    ]) {
      const after = run(outputs);
      verify(after, name);
      for (const [i, { data }] of evaluate(after, at).entries())
        expectSame(data, before[i].data, before[i].dtype === "float64" ? 1e-14 : 1e-6);
    }
  }
}

describe("every pass keeps the values", () => {
  const all: [string, OperationCase][] = [
    ...(Object.keys(operationCases) as OperationName[]).map((name): [string, OperationCase] => [
      name,
      operationCases[name],
    ]),
    ...Object.entries(compositeCases),
  ];
  test.each(all)("%s", (_, { dtypes, differentiable, instances }) => {
    for (const dtype of dtypes) {
      fc.assert(
        fc.property(instances(dtype, "any"), ({ inputs, build }) => {
          const variables = inputs.map((type, i) => variable(`x${i}`, type.shape, type.dtype));
          const out = build(variables);
          const outputs = [out];
          // Gradients are where graphs get large: they share much and hold many zeros and ones.
          if (differentiable && isFloat(out.dtype)) {
            const wrt = differentiable.filter((i) => i < variables.length).map((i) => variables[i]);
            outputs.push(...grad(f.sum(f.square(out)), wrt));
          }
          expectKept(outputs, variables, inputs);
        }),
        { numRuns: 8, seed: 5 },
      );
    }
  });
});
