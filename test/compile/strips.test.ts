/** Large products read by one loop: when they are computed by strips, and that this changes no value. */
import { afterAll, describe, expect, test } from "vitest";
import { cpuBackend } from "../../src/backends/cpu/index.js";
import { referenceBackend } from "../../src/backends/reference/index.js";
import { sizeOf } from "../../src/base/shape.js";
import type { Backend } from "../../src/compile/backend.js";
import { explainPlan } from "../../src/compile/explain.js";
import type { StripsKernel } from "../../src/compile/plan.js";
import { planForRank } from "../../src/compile/planForRank.js";
import { planProgram } from "../../src/compile/planProgram.js";
import type { Program } from "../../src/compile/program.js";
import { stripParts } from "../../src/compile/stripParts.js";
import * as g from "../../src/graph/index.js";
import { unitsFrom } from "../support/numbers.js";
import { formatEntry } from "./support.js";

const [rows, columns, examples] = [600, 500, 12];

/**
 * w -= 0.1 (y^T x summed over ranks), m = 0.9 m + the same: the update of a dense layer's weights. Rank r multiplies
 * rows r, r + ranks, ... of given matrices.
 */
function updating(ranks: number, change: (gradient: g.Tensor) => g.Tensor = (gradient) => gradient): Program {
  const w = g.variable("w", [rows, columns]);
  const m = g.variable("m", [rows, columns]);
  const x = g.variable("x", [examples, columns]);
  const y = g.variable("y", [examples, rows]);
  const places = g.add(g.mul(g.iota([examples / ranks]), ranks), ranks === 1 ? 0 : g.rank());
  const [own, wanted] = [x, y].map((all) => g.mul(g.take(all, places), 0.5));
  const product = g.matmul(g.transpose(wanted), own);
  const gradient = change(ranks === 1 ? product : g.allReduceSum(product));
  const momentum = g.add(g.mul(m, 0.9), gradient);
  return {
    name: "updating",
    variables: { w, m, x, y },
    entries: {
      step: { updates: { m: momentum, w: g.sub(w, g.mul(momentum, 0.1)) }, traces: {} },
    },
    traceCapacity: 4,
    ranks,
  };
}

const kernelsOf = (program: Program, ranks = program.ranks ?? 1) => {
  const plan = planProgram(program, { check: true });
  return { plan, kernels: planForRank(plan, ranks - 1).entries.step.kernels };
};

const isStrips = (kernel: { readonly kind: string }): kernel is StripsKernel => kernel.kind === "strips";

describe("the plan", () => {
  test("turns a product and its update into strips that fit into a cache", () => {
    const { plan } = kernelsOf(updating(1));
    expect(formatEntry(plan, "step")).toMatchInlineSnapshot(`
      "loop 12x600 [gather mul]: y -> t0 f32[12,600]
      loop 12x500 [gather mul]: x -> t1 f32[12,500]
      strips of 131: gemm 600x500x12; loop 600x500 [mul add sub]: t0, t1, m, w -> t2 f32[131,500], m, w"
    `);
    const [strips] = plan.entries.step.kernels.filter(isStrips);
    const parts = stripParts(strips);
    expect(parts.map(({ kind }) => kind)).toEqual(
      Array.from({ length: parts.length / 2 }, () => ["gemm", "loop"]).flat(),
    );
    const stripRows = parts.flatMap((part) => (part.kind === "gemm" ? [part.m] : []));
    expect(stripRows.reduce((sum, m) => sum + m, 0)).toBe(rows);
    const strip = plan.buffers[strips.products[0].c.buffer];
    expect(strip.shape).toEqual([stripRows[0], columns]);
    expect(sizeOf(strip.shape) * 4).toBeLessThanOrEqual(2 ** 18);
  });

  test("gives each rank its share of the rows, of which it adds up the products of all", () => {
    const shares = [1, 2, 3].map((rank) => kernelsOf(updating(3), rank).kernels.filter(isStrips));
    expect(shares.map((own) => own.map(({ loop, products }) => [loop.extents, products.length]))).toEqual(
      Array.from({ length: 3 }, () => [[[rows / 3, columns], 3]]),
    );
    expect(shares[0][0].products.map(({ accumulate }) => accumulate)).toEqual([false, true, true]);
  });

  test.each<[string, Program]>([
    ["a product that something else reads too", updating(1, (product) => g.add(product, g.sum(product)))],
    [
      "a product that a loop reads transposed",
      updating(1, (product) => g.reshape(g.transpose(g.reshape(product, [columns, rows])), [rows, columns])),
    ],
  ])("leaves %s whole", (_, program) => {
    expect(kernelsOf(program).kernels.filter(isStrips)).toEqual([]);
  });

  test("counts the arithmetic of both, and no traffic for what stays in the cache", () => {
    const { plan } = kernelsOf(updating(1));
    const peaks = { gemmGflops: 100, loopGflops: 10, bandwidthGBs: 10 };
    const strips = explainPlan(plan, peaks).entries[0].kernels.find(({ kind }) => kind === "strips")!;
    expect(strips.flops).toBe(2 * rows * columns * examples + 4 * rows * columns);
    expect(strips.bytes).toBe(4 * (4 * rows * columns + examples * (rows + columns)));
  });
});

describe("values", () => {
  const backends = [1, 2, 3].map((ranks) => cpuBackend({ ranks }));
  afterAll(async () => {
    await Promise.all(backends.map((backend) => backend.close()));
  });

  function run(backend: Backend, program: Program): { w: number[]; m: number[] } {
    const executable = backend.compile(program);
    const next = unitsFrom(3);
    for (const [name, { shape }] of Object.entries(program.variables))
      executable.write(name, Float32Array.from({ length: sizeOf(shape) }, next));
    executable.run("step", 3);
    const values = { w: [...executable.read("w")], m: [...executable.read("m")] };
    executable.release();
    return values;
  }

  const expected = run(referenceBackend(), updating(1));

  test.each([1, 2, 3])("%i ranks: those of reference", (ranks) => {
    const received = run(backends[ranks - 1], updating(ranks));
    for (const name of ["w", "m"] as const) {
      const worst = received[name].reduce(
        (most, value, i) => Math.max(most, Math.abs(value - expected[name][i])),
        0,
      );
      expect(worst).toBeLessThan(2e-5);
    }
  });

  test("the same bits again", () => {
    expect(run(backends[1], updating(2))).toEqual(run(backends[1], updating(2)));
  });
});
