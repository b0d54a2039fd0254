/** Mixed precision: which products round their operands, and to what values. */
import { describe, expect, test } from "vitest";
import { roundedToBfloat16 } from "../../src/base/bfloat16.js";
import * as f from "../../src/graph/index.js";
import { formatGraph } from "../../src/graph/print.js";
import { grad, withProductPrecision } from "../../src/transform/index.js";

const values = (count: number): Float32Array =>
  Float32Array.from({ length: count }, (_, i) => Math.sin(i + 1));

describe("withProductPrecision", () => {
  test("rounds the operands of products, forward and backward, and nothing else", () => {
    const x = f.variable("x", [2, 6, 6, 3], "float32");
    const w = f.variable("w", [4, 3, 3, 3], "float32");
    const v = f.variable("v", [4, 5], "float32");
    const pooled = f.mean(f.relu(f.conv2d(x, w, { padding: "same" })), { axis: [1, 2] });
    const loss = f.sum(f.square(f.matmul(pooled, v)));
    const outputs = withProductPrecision([loss, ...grad(loss, [x, w, v])], "bfloat16");
    const lines = formatGraph(Object.fromEntries(outputs.map((output, i) => [`o${i}`, output]))).split("\n");
    const products = lines.filter((line) => /= (dot|conv2d\w*) /.test(line));
    expect(products).toHaveLength(6);
    for (const line of products) expect(line).toContain("bfloat16");
    expect(lines.filter((line) => line.includes("bfloat16"))).toEqual(products);
  });

  test("leaves float64 alone", () => {
    const a = f.variable("a", [2, 2], "float64");
    const product = f.matmul(a, a);
    expect(withProductPrecision([product], "bfloat16")).toEqual([product]);
  });

  test("gives the product of the rounded operands", () => {
    const [a, b] = [values(6), values(12)];
    const product = (left: Float32Array, right: Float32Array) =>
      f.matmul(f.constantArray(left, [2, 3], "float32"), f.constantArray(right, [3, 4], "float32"));
    const [rounding] = withProductPrecision([product(a, b)], "bfloat16");
    const plain = product(roundedToBfloat16(a), roundedToBfloat16(b));
    const [received, expected, exact] = f
      .evaluate([rounding, plain, product(a, b)])
      .map(({ data }) => [...data]);
    expect(received).toEqual(expected);
    expect(received).not.toEqual(exact);
  });

  test("gives the convolution of the rounded operands", () => {
    const [x, w] = [values(32), values(36)];
    const convolved = (images: Float32Array, filters: Float32Array) =>
      f.conv2d(
        f.constantArray(images, [1, 4, 4, 2], "float32"),
        f.constantArray(filters, [2, 3, 3, 2], "float32"),
        {
          padding: "same",
        },
      );
    const [rounding] = withProductPrecision([convolved(x, w)], "bfloat16");
    const plain = convolved(roundedToBfloat16(x), roundedToBfloat16(w));
    const [received, expected] = f.evaluate([rounding, plain]).map(({ data }) => [...data]);
    expect(received).toEqual(expected);
  });
});
