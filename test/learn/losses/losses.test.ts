/** Losses against plain formulas in float64, at extreme logits, and their gradients. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { constant, evaluate, sum, variable } from "../../../src/graph/index.js";
import { accuracy, crossEntropy, squaredError } from "../../../src/learn/losses/index.js";
import { grad } from "../../../src/transform/index.js";

describe("crossEntropy", () => {
  it("is -log softmax at the label, with gradient softmax - one-hot", () => {
    const row = fc.array(fc.double({ min: -20, max: 20, noNaN: true }), { minLength: 4, maxLength: 4 });
    const examples = fc.array(fc.tuple(row, fc.integer({ min: 0, max: 3 })), { minLength: 1, maxLength: 5 });
    fc.assert(
      fc.property(examples, (pairs) => {
        const logits = variable("logits", [pairs.length, 4], "float64");
        const labels = constant(
          pairs.map(([, label]) => label),
          "int32",
        );
        const loss = crossEntropy(logits, labels);
        const data = Float64Array.from(pairs.flatMap(([values]) => values));
        const given = new Map([[logits, { shape: logits.shape, dtype: logits.dtype, data }]]);
        const [losses, gradient] = evaluate([loss, ...grad(sum(loss), [logits])], given);
        pairs.forEach(([values, label], i) => {
          const total = values.reduce((t, v) => t + Math.exp(v), 0);
          expect(losses.data[i]).toBeCloseTo(-Math.log(Math.exp(values[label]) / total), 9);
          values.forEach((v, k) => {
            expect(gradient.data[4 * i + k]).toBeCloseTo(Math.exp(v) / total - (k === label ? 1 : 0), 12);
          });
        });
      }),
      { numRuns: 50 },
    );
  });

  it("is finite at logits of 1e4, also where softmax is 0, and keeps small losses beside large logits", () => {
    for (const dtype of ["float32", "float64"] as const) {
      const logits = constant(
        [
          [1e4, -1e4, 0],
          [1e4, -1e4, 0],
          [-1e4, -1e4, -1e4],
          [1e4, 1e4 - 8, 0],
        ],
        dtype,
      );
      const labels = constant([0, 1, 2, 0], "uint8");
      const loss = crossEntropy(logits, labels);
      const [values, gradient] = evaluate([loss, ...grad(sum(loss), [logits])]);
      expect(values.data[0]).toBe(0);
      expect(values.data[1]).toBe(20_000);
      expect(values.data[2]).toBeCloseTo(Math.log(3), 6);
      expect(values.data[3] / Math.log1p(Math.exp(-8))).toBeCloseTo(1, 3);
      expect([...gradient.data].every(Number.isFinite)).toBe(true);
      expect([...gradient.data.subarray(3, 6)]).toEqual([1, -1, 0]);
    }
  });

  it("gives a masked class (-Infinity) no weight", () => {
    const logits = constant([[0, Number.NEGATIVE_INFINITY, Math.log(3)]], "float64");
    const loss = crossEntropy(logits, constant([2], "int32"));
    const [values, gradient] = evaluate([loss, ...grad(sum(loss), [logits])]);
    expect(values.data[0]).toBeCloseTo(Math.log(4 / 3), 14);
    expect([...gradient.data].map((g) => Number(g.toFixed(12)))).toEqual([0.25, 0, -0.25]);
  });

  it("names labels that do not fit", () => {
    const logits = constant([[1, 2]]);
    expect(() => crossEntropy(logits, constant([1]))).toThrow(
      "crossEntropy: logits f32[1,2], labels f32[1]; expected class indices, int32 or uint8, of shape [1].",
    );
    expect(() => accuracy(logits, constant([[1]], "int32"))).toThrow("labels i32[1,1]");
  });
});

describe("accuracy", () => {
  it("is 1 where the first greatest logit is the label's", () => {
    const logits = constant([
      [1, 3, 2],
      [5, 5, 0],
      [0, 0, 0],
      [-3, -2, -1],
    ]);
    const [values] = evaluate([accuracy(logits, constant([1, 1, 0, 2], "uint8"))]);
    expect(values).toMatchObject({ dtype: "float32", shape: [4] });
    expect([...values.data]).toEqual([1, 0, 1, 1]);
  });
});

describe("squaredError", () => {
  it("sums or averages over an example's outputs", () => {
    const predictions = constant(
      [
        [1, 2],
        [3, 5],
      ],
      "float64",
    );
    const targets = constant(
      [
        [0, 4],
        [3, 2],
      ],
      "float32",
    );
    const [summed, averaged] = evaluate([
      squaredError(predictions, targets),
      squaredError(predictions, targets, { over: "mean" }),
    ]);
    expect(summed).toMatchObject({ dtype: "float64", shape: [2] });
    expect([...summed.data]).toEqual([5, 9]);
    expect([...averaged.data]).toEqual([2.5, 4.5]);
    expect([...evaluate([squaredError(constant([1, 4]), constant([3, 3]))])[0].data]).toEqual([4, 1]);
  });

  it("refuses to broadcast", () => {
    expect(() => squaredError(constant([[1], [2]]), constant([1, 2]))).toThrow(
      "squaredError: predictions f32[2,1], targets f32[2]; expected one shape",
    );
    expect(() => squaredError(constant([1]), constant([1]), { over: "max" as never })).toThrow('over "max"');
  });
});
