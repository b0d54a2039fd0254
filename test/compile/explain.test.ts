import { describe, expect, it } from "vitest";
import { explainPlan, formatBytes, formatExplanation } from "../../src/compile/explain.js";
import { planProgram } from "../../src/compile/index.js";
import { add, matmul, mul, sum, variable } from "../../src/graph/index.js";

/** A billion a second of everything: then nanoseconds are FLOPs or bytes. */
const peaks = { gemmGflops: 1, loopGflops: 1, bandwidthGBs: 1 };

const explained = (
  build: () => { variables: Parameters<typeof planProgram>[0]["variables"]; updates: object },
) => {
  const { variables, updates } = build();
  const plan = planProgram({
    name: "test",
    variables,
    entries: { step: { updates: updates as Record<string, never>, traces: {} } },
    traceCapacity: 1,
  });
  return explainPlan(plan, peaks);
};

describe("a plan explained", () => {
  it("counts a matrix product: 2 m n k operations, each matrix once", () => {
    const { entries, arenaBytes } = explained(() => {
      const a = variable("a", [8, 16], "float32");
      const b = variable("b", [16, 4], "float32");
      const c = variable("c", [8, 4], "float32");
      return { variables: { a, b, c }, updates: { c: matmul(a, b) } };
    });
    const gemm = entries[0].kernels.find(({ kind }) => kind === "gemm");
    expect(gemm).toMatchObject({
      shape: "8x4x16",
      flops: 2 * 8 * 4 * 16,
      bytes: 4 * (8 * 16 + 16 * 4 + 8 * 4),
      bound: "arithmetic",
    });
    expect(gemm?.predictedS).toBeCloseTo(1024e-9, 15);
    expect(arenaBytes).toBeGreaterThanOrEqual(4 * (8 * 16 + 16 * 4 + 8 * 4));
  });

  it("counts a fused loop: its operations an element, each buffer read and written once", () => {
    const { entries, bufferBytes } = explained(() => {
      const x = variable("x", [100], "float64");
      return { variables: { x }, updates: { x: add(mul(x, 3), 1) } };
    });
    expect(entries[0].kernels).toHaveLength(1);
    expect(entries[0]).toMatchObject({ flops: 200, bytes: 2 * 100 * 8 });
    expect(entries[0].kernels[0]).toMatchObject({ kind: "loop", shape: "100", bound: "memory" });
    expect(entries[0].predictedS).toBeCloseTo(1600e-9, 15);
    expect(bufferBytes).toMatchObject({ state: 800, constant: 0 });
  });

  it("counts a reduction: an operation for each element that it folds, and what it keeps", () => {
    const { entries } = explained(() => {
      const x = variable("x", [10, 30], "float32");
      const s = variable("s", [10], "float32");
      return { variables: { x, s }, updates: { s: sum(mul(x, x), { axis: 1 }) } };
    });
    const total = entries[0].kernels.reduce((flops, kernel) => flops + kernel.flops, 0);
    expect(total).toBe(2 * 300);
    expect(entries[0].kernels.map(({ shape }) => shape)).toContain("10, folding 30");
    expect(entries[0].bytes).toBeGreaterThanOrEqual(4 * (300 + 10));
  });

  it("reads as a table of kernels with totals", () => {
    const text = formatExplanation(
      explained(() => {
        const x = variable("x", [1000, 1000], "float32");
        return { variables: { x }, updates: { x: mul(x, 0.5) } };
      }),
    );
    expect(text).toMatch(/^program test\nmemory 4\.00 MB in one arena \(state 4\.00 MB\)/);
    expect(text).toMatch(
      /entry "step": 1 kernel\n {2}kernel +shape +FLOP +bytes +predicted +bound by +operations\n/,
    );
    // Neighbouring dimensions may have been made one.
    expect(text).toMatch(/ {2}loop +(?:1000x1000|1000000) +1\.00 M +8\.00 MB +8\.00 ms +memory/);
    expect(text).toMatch(/ {2}total +1\.00 M +8\.00 MB +8\.00 ms$/);
  });

  it("writes bytes in units of a thousand", () => {
    expect([0, 640, 1000, 12_345, 999_999, 1.5e9].map(formatBytes)).toEqual([
      "0 B",
      "640 B",
      "1.00 kB",
      "12.3 kB",
      "1000 kB",
      "1.50 GB",
    ]);
  });
});
