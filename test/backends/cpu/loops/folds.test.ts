/** Folds of floats that are not exact: NaN from any place, and long sums. */
import { expect, test } from "vitest";
import type { Combine, LoopKernel } from "../../../../src/compile/plan.js";
import { Arena, featureSets, runEmitted } from "./harness.js";

/** Folds all of [rows, columns], or each column over its rows. */
function fold(x: Float32Array, rows: number, combine: Combine, over: "all" | "rows"): Float32Array[] {
  const columns = x.length / rows;
  return featureSets.map((features) => {
    const arena = new Arena();
    const from = arena.add("float32", x);
    const to = arena.add("float32", new Float32Array(over === "all" ? 1 : columns));
    const kernel: LoopKernel = {
      kind: "loop",
      name: combine,
      extents: [rows, columns],
      reduced: [true, over === "all"],
      body: [{ op: "load", dtype: "float32", access: { buffer: from, offset: 0, strides: [columns, 1] } }],
      stores: [],
      reductions: [
        { value: 0, combine, access: { buffer: to, offset: 0, strides: [0, over === "all" ? 0 : 1] } },
      ],
    };
    return runEmitted(arena, kernel, features)[to] as Float32Array;
  });
}

test.each(["max", "min", "sum"] as const)("%s keeps a NaN wherever it stands", (combine) => {
  for (const length of [1, 2, 5, 16, 39]) {
    for (let place = 0; place < length; place++) {
      const x = Float32Array.from({ length }, (_, i) => (i === place ? Number.NaN : i - 7));
      for (const [total] of fold(x, 1, combine, "all")) expect(total).toBeNaN();
      // One column of three has the NaN.
      const wide = Float32Array.from({ length: 3 * length }, (_, i) =>
        i === 3 * place + 1 ? Number.NaN : i,
      );
      for (const totals of fold(wide, length, combine, "rows"))
        expect([...totals].map(Number.isNaN)).toEqual([false, true, false]);
    }
  }
});

test("a long float32 sum loses little", () => {
  const x = Float32Array.from({ length: 300_000 }, (_, i) => 1 + ((i * 7919) % 1000) / 1000);
  const exact = x.reduce((sum, value) => sum + value, 0);
  for (const [total] of fold(x, 1, "sum", "all")) expect(Math.abs(total / exact - 1)).toBeLessThan(2e-6);
  for (const totals of fold(x, 100_000, "sum", "rows")) {
    totals.forEach((total, column) => {
      const own = x.reduce((sum, value, i) => (i % 3 === column ? sum + value : sum), 0);
      expect(Math.abs(total / own - 1)).toBeLessThan(5e-5);
    });
  }
});
