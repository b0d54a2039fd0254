/** Sums in another order: equal values, otherwise rounded. */
import { describe, expect, test } from "vitest";
import * as f from "../../src/graph/index.js";
import { formatGraph } from "../../src/graph/print.js";
import { grad, sumsInHalves } from "../../src/transform/index.js";

const values = (count: number): Float32Array =>
  Float32Array.from({ length: count }, (_, i) => Math.sin(i + 1));

const linesOf = (outputs: readonly f.Tensor[]): string[] =>
  formatGraph(Object.fromEntries(outputs.map((output, i) => [`o${i}`, output]))).split("\n");

describe("sumsInHalves", () => {
  test("takes sums, contractions and the gradients of filters in two halves each, and gives the same", () => {
    const x = f.constantArray(values(5 * 6 * 6 * 3), [5, 6, 6, 3], "float32");
    const w = f.constantArray(values(4 * 3 * 3 * 3), [4, 3, 3, 3], "float32");
    const v = f.constantArray(values(20), [4, 5], "float32");
    const pooled = f.mean(f.relu(f.conv2d(x, w, { padding: "same" })), { axis: [1, 2] });
    const loss = f.sum(f.square(f.matmul(pooled, v)));
    const outputs = [loss, ...grad(loss, [x, w, v])];
    const halved = sumsInHalves(outputs);
    const counted = (of: readonly f.Tensor[], op: string): number =>
      linesOf(of).filter((line) => line.includes(`= ${op} `)).length;
    for (const op of ["sum", "dot", "conv2dKernel"]) {
      expect(counted(outputs, op)).toBeGreaterThan(0);
      expect(counted(halved, op)).toBe(2 * counted(outputs, op));
    }
    for (const op of ["conv2d", "conv2dInput"]) expect(counted(halved, op)).toBe(counted(outputs, op));
    const [plain, other] = [f.evaluate(outputs), f.evaluate(halved)];
    plain.forEach(({ data, shape }, i) => {
      expect(other[i].shape).toEqual(shape);
      const largest = Math.max(...Array.from(data, Math.abs));
      data.forEach((value, k) => {
        expect(Math.abs(other[i].data[k] - value)).toBeLessThan(1e-6 * largest);
      });
    });
  });

  test("halves an odd number of elements too, and rounds otherwise", () => {
    // In float32 2^24 + 1 is 2^24: what is lost twice in halves is there in the whole.
    const total = f.sum(f.constantArray(Float32Array.of(2 ** 24, 1, 0, 1, 0), [5], "float32"));
    const [whole, halved] = f.evaluate([total, ...sumsInHalves([total])]);
    expect([whole.data[0], halved.data[0]]).toEqual([2 ** 24 + 2, 2 ** 24]);
  });

  test("leaves integers, and sums of one element", () => {
    const integers = f.sum(f.constantArray(Int32Array.of(1, 2, 3), [3], "int32"));
    const single = f.sum(f.constantArray(Float32Array.of(1), [1], "float32"));
    expect(sumsInHalves([integers, single])).toEqual([integers, single]);
  });
});
