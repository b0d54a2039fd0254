/** Walking, printing, rewriting and verifying graphs. */
import { describe, expect, test } from "vitest";
import { SlalomError } from "../../src/base/errors.js";
import * as f from "../../src/graph/index.js";
import {
  constant,
  evaluate,
  formatGraph,
  rewrite,
  substitute,
  type Tensor,
  topologicalOrder,
  variable,
  verify,
} from "../../src/graph/index.js";
import { grad } from "../../src/transform/index.js";
import { nestedValue } from "./support.js";

/** A node as no function would make it. */
const forged = (node: Tensor, changes: object): Tensor => ({ ...node, ...changes }) as Tensor;

describe("topologicalOrder", () => {
  const x = variable("x", []);
  test("inputs before users, each once, unreachable nodes not at all", () => {
    const a = f.neg(x);
    const b = f.exp(a);
    f.log(b);
    const c = f.add(a, b);
    const order = topologicalOrder([c, b, c]);
    expect(order).toEqual([x, a, b, c]);
    expect(new Set(order).size).toBe(4);
  });
  test("a chain of 100,000 nodes is walked, evaluated, verified, rewritten and printed", () => {
    let y: Tensor = x;
    for (let i = 0; i < 100_000; i++) y = f.neg(y);
    expect(topologicalOrder([y])).toHaveLength(100_001);
    verify([y]);
    const value = { shape: [], dtype: "float32", data: Float32Array.of(3) } as const;
    expect(evaluate([y], new Map([[x, value]]))[0].data[0]).toBe(3);
    const [moved] = substitute([y], new Map([[x, constant(2)]]));
    expect(nestedValue(moved)).toBe(2);
    expect(formatGraph({ y }).split("\n")).toHaveLength(100_001);
  });
  test("a node used by two thousand paths is visited once", () => {
    let y: Tensor = x;
    for (let i = 0; i < 2000; i++) y = f.add(y, y);
    expect(topologicalOrder([y])).toHaveLength(2001);
  });
});

describe("formatGraph", () => {
  test("one line a node, leaves in place, outputs by name", () => {
    const weights = variable("weights", [3, 2]);
    const inputs = variable("inputs", [4, 3]);
    const labels = variable("labels", [4], "uint8");
    const logits = f.matmul(inputs, weights);
    const loss = f.neg(f.mean(f.sum(f.mul(f.logSoftmax(logits), f.oneHot(labels, 2)), { axis: 1 })));
    const padded = f.pad(
      f.slice(weights, { axis: 0, stop: 2 }),
      [
        [0, 0],
        [1, 0],
      ],
      -Infinity,
    );
    const table = constant([1, 2, 3]);
    expect(formatGraph({ loss, padded, table, sum: f.add(table, 0.5) })).toMatchInlineSnapshot(`
      "%0 = dot inputs weights batch=[[],[]] contract=[[1],[0]] : f32[4,2]
      %1 = reduceMax %0 axes=[1] : f32[4]
      %2 = reshape %1 shape=[4,1] : f32[4,1]
      %3 = stopGradient %2 : f32[4,1]
      %4 = sub %3 %3 : f32[4,1]
      %5 = broadcast 0 shape=[4,1] axes=[] : f32[4,1]
      %6 = equal %4 %5 : u8[4,1]
      %7 = broadcast 0 shape=[4,1] axes=[] : f32[4,1]
      %8 = where %6 %3 %7 : f32[4,1]
      %9 = reshape %8 shape=[4] : f32[4]
      %10 = broadcast %9 shape=[4,2] axes=[0] : f32[4,2]
      %11 = sub %0 %10 : f32[4,2]
      %12 = exp %11 : f32[4,2]
      %13 = sum %12 axes=[1] : f32[4]
      %14 = reshape %13 shape=[4,1] : f32[4,1]
      %15 = log %14 : f32[4,1]
      %16 = add %15 %8 : f32[4,1]
      %17 = reshape %16 shape=[4] : f32[4]
      %18 = broadcast %17 shape=[4,2] axes=[0] : f32[4,2]
      %19 = sub %0 %18 : f32[4,2]
      %20 = cast labels dtype="int32" : i32[4]
      %21 = broadcast %20 shape=[4,2] axes=[0] : i32[4,2]
      %22 = iota axis=1 : i32[4,2]
      %23 = equal %21 %22 : u8[4,2]
      %24 = cast %23 dtype="float32" : f32[4,2]
      %25 = mul %19 %24 : f32[4,2]
      %26 = sum %25 axes=[1] : f32[4]
      %27 = sum %26 axes=[0] : f32[]
      %28 = div %27 4 : f32[]
      %29 = neg %28 : f32[]
      %30 = slice weights start=[0,0] stop=[2,2] step=[1,1] : f32[2,2]
      %31 = pad %30 low=[0,1] high=[0,0] value=-Infinity : f32[2,3]
      %32 = constant {3 values} : f32[3]
      %33 = broadcast 0.5 shape=[3] axes=[] : f32[3]
      %34 = add %32 %33 : f32[3]
      loss <- %29 : f32[]
      padded <- %31 : f32[2,3]
      table <- %32 : f32[3]
      sum <- %34 : f32[3]"
    `);
  });
  test("a gradient prints as any graph", () => {
    const x = variable("x", [3]);
    const [gradient] = grad(f.sum(f.mul(f.exp(x), 2)), [x]);
    expect(formatGraph({ gradient })).toMatchInlineSnapshot(`
      "%0 = broadcast 1 shape=[3] axes=[] : f32[3]
      %1 = broadcast 2 shape=[3] axes=[] : f32[3]
      %2 = mul %0 %1 : f32[3]
      %3 = exp x : f32[3]
      %4 = mul %2 %3 : f32[3]
      gradient <- %4 : f32[3]"
    `);
  });
});

describe("rewrite and substitute", () => {
  const x = variable("x", [2]);
  const y = variable("y", [2]);
  const kept = f.exp(y);
  const graph = f.add(f.neg(x), kept);

  test("what does not change is the same node", () => {
    const visited: [string, boolean][] = [];
    const [same] = rewrite([graph], (node, original) => {
      visited.push([node.op, node === original]);
      return node;
    });
    expect(same).toBe(graph);
    expect(visited).toEqual([
      ["variable", true],
      ["neg", true],
      ["variable", true],
      ["exp", true],
      ["add", true],
    ]);
  });
  test("a change reaches all users and nothing else", () => {
    const [changed] = rewrite([graph], (node) => (node.op === "neg" ? f.mul(node.inputs[0], 3) : node));
    verify([changed]);
    expect(changed).not.toBe(graph);
    expect(changed.inputs[1]).toBe(kept);
    expect(graph.inputs[0].op).toBe("neg");
    expect(
      nestedValue(
        substitute(
          [changed],
          new Map([
            [x, constant([1, 2])],
            [y, constant([0, 0])],
          ]),
        )[0],
      ),
    ).toEqual([4, 7]);
  });
  test("several outputs keep what they share", () => {
    const [a, b] = substitute([f.neg(kept), f.abs(kept)], new Map([[y, constant([1, 1])]]));
    expect(a.inputs[0]).toBe(b.inputs[0]);
  });
  test("an output itself can be replaced", () => {
    expect(substitute([x], new Map([[x, y]]))).toEqual([y]);
  });
  test("a replacement of another type is refused", () => {
    expect(() => substitute([graph], new Map([[x, constant([1, 2, 3])]]))).toThrow(
      "substitute: f32[3] in place of f32[2]; expected equal types.",
    );
  });
});

describe("verify", () => {
  const x = variable("x", [2, 3]);
  const y = f.transpose(x);

  test("accepts what functions make", () => {
    verify([f.matmul(x, y), f.softmax(x), ...grad(f.sum(f.gelu(x)), [x])]);
  });
  test.each<[string, () => Tensor, RegExp]>([
    [
      "another shape",
      () => forged(y, { shape: [2, 3] }),
      /node transpose f32\[2,3\] should be f32\[3,2\] by its inputs f32\[2,3\]/,
    ],
    [
      "another dtype",
      () => forged(f.less(x, 0), { dtype: "float32" }),
      /node less f32\[2,3\] should be u8\[2,3\]/,
    ],
    [
      "inputs that do not fit",
      () => forged(f.add(x, x), { inputs: [x, y] }),
      /node add .* is refused by its operation: add: operands differ in shape/,
    ],
    [
      "too few inputs",
      () => forged(f.add(x, x), { inputs: [x] }),
      /node add .* is refused by its operation: add: 1 operands; expected 2/,
    ],
    ["no inputs", () => forged(f.concat([x, x]), { inputs: [] }), /node concat f32\[4,3\] has no inputs/],
    [
      "a leaf with inputs",
      () => forged(x, { inputs: [y] }),
      /node variable f32\[2,3\] is a leaf with inputs/,
    ],
    ["an unknown operation", () => forged(y, { op: "twist" }), /node twist f32\[3,2\] is no known operation/],
    [
      "a fractional extent",
      () => forged(x, { shape: [1.5] }),
      /node variable f32\[1.5\] has an extent that is no natural number/,
    ],
    [
      "too few constant values",
      () => forged(constant([1, 2]), { shape: [3] }),
      /node constant f32\[3\] holds another number of values/,
    ],
  ])("finds %s, wherever it stands", (_, broken, message) => {
    for (const output of [broken(), forged(f.neg(x), { inputs: [broken()], shape: broken().shape })]) {
      let error: unknown;
      try {
        verify([x, output], "after fusion");
      } catch (thrown) {
        error = thrown;
      }
      expect(error).toBeInstanceOf(SlalomError);
      expect((error as SlalomError).code).toBe("internal");
      expect((error as SlalomError).message).toMatch(message);
      expect((error as SlalomError).message).toMatch(
        /^after fusion: .* \(a bug in Slalom: please report it\)$/,
      );
    }
  });
  test("finds a cycle", () => {
    const inputs: Tensor[] = [x];
    const first = forged(f.neg(x), { inputs });
    inputs[0] = f.exp(first);
    expect(() => verify([first])).toThrow(/comes before one of its inputs/);
  });
});
