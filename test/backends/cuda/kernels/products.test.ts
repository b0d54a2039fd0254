/** Our own products and convolutions in every precision, by threads and by tensor cores, run on the CPU. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { referenceBackend } from "../../../../src/backends/reference/index.js";
import { sizeOf } from "../../../../src/base/shape.js";
import type { Backend } from "../../../../src/compile/backend.js";
import type { GemmKernel, Plan } from "../../../../src/compile/plan.js";
import { planProgram } from "../../../../src/compile/planProgram.js";
import type { Program } from "../../../../src/compile/program.js";
import * as f from "../../../../src/graph/index.js";
import { withProductPrecision } from "../../../../src/transform/index.js";
import { comparedProgram, compareProducts, comparisons, type Precision } from "../../../cuda/products.js";
import { integersFrom } from "../../../support/numbers.js";
import { Emulation, missingCompiler } from "./emulation.js";
import { checkProgram } from "./structure.js";

/** Sizes [products, rows, columns, depth] that are cut into tiles of every size, none of which they fill. */
const sizes = [
  [1, 7, 7, 3],
  [3, 70, 3000, 3],
  [3, 33, 3000, 4],
  [3, 3000, 33, 5],
  [3, 3000, 7, 20],
  [3, 7, 3000, 12],
  [133, 33, 7, 67],
  [133, 7, 33, 68],
  [133, 7, 34, 3],
  [133, 34, 33, 4],
  [133, 70, 7, 35],
  [133, 7, 72, 36],
  [133, 33, 33, 35],
  [40, 7, 33, 500],
  [1, 20, 36, 517],
] as const;

const tileSizes = [
  ...["128x128", "128x64", "64x128", "64x64", "128x32", "32x128"],
  ...["64x32", "32x64", "32x32", "64x16", "16x64"],
];

/** Each size with operands stored either way. Sums of integers are exact in any order, rounded to bfloat16 or not. */
function tilesProgram(precision: Precision): Program {
  const variables: Record<string, f.Tensor> = {};
  const traces: Record<string, f.Tensor> = {};
  sizes.forEach(([batch, m, n, k], i) => {
    for (const isTransposed of [false, true]) {
      const operand = (name: string, rows: number, columns: number, isStoredSo: boolean): f.Tensor => {
        const stored = f.variable(name, isStoredSo ? [batch, columns, rows] : [batch, rows, columns]);
        variables[name] = stored;
        return isStoredSo ? f.transpose(stored, [0, 2, 1]) : stored;
      };
      const name = `${i}${isTransposed ? " transposed" : ""}`;
      // Depths of left and right lie side by side in turn, and once those of both.
      const product = f.matmul(
        operand(`a${name}`, m, k, isTransposed),
        operand(`b${name}`, k, n, isTransposed !== (i % 2 === 0)),
      );
      traces[name] = precision === "bfloat16" ? withProductPrecision([product], "bfloat16")[0] : product;
    }
  });
  return { name: "tiles", variables, entries: { step: { updates: {}, traces } }, traceCapacity: 1 };
}

/** All traces of a step from integers between -8 and 8. */
function exactResults(backend: Backend, program: Program): Record<string, readonly number[]> {
  const executable = backend.compile(program);
  const next = integersFrom(4);
  for (const [name, { shape }] of Object.entries(program.variables))
    executable.write(
      name,
      Array.from({ length: sizeOf(shape) }, () => (next() % 17) - 8),
    );
  executable.run("step");
  const results = Object.keys(program.entries.step.traces).map((name) => [
    name,
    Array.from(executable.trace("step", name)),
  ]);
  executable.release();
  return Object.fromEntries(results);
}

/** y = a b for y [20, 36] and a [20, 12], as a plan whose product is changed. */
function changedPlan(changes: Partial<GemmKernel>): Plan {
  const [a, b, y] = [f.variable("a", [20, 12]), f.variable("b", [12, 36]), f.variable("y", [20, 36])];
  const entries = { step: { updates: { y: f.matmul(a, b) }, traces: {} } };
  const plan = planProgram({ name: "changed", variables: { a, b, y }, entries, traceCapacity: 2 });
  const kernels = plan.entries.step.kernels.map((kernel) =>
    kernel.kind === "gemm" ? { ...kernel, ...changes } : kernel,
  );
  return { ...plan, entries: { step: { ...plan.entries.step, kernels } } };
}

/** What tensor cores multiply, and what threads do where there are none. */
const cases: readonly { readonly architecture: number; readonly precision: Precision }[] = [
  { architecture: 80, precision: "float32" },
  { architecture: 80, precision: "tf32" },
  { architecture: 80, precision: "bfloat16" },
  { architecture: 70, precision: "float32" },
  { architecture: 70, precision: "bfloat16" },
];

const missing = missingCompiler();

describe.skipIf(missing)(`own products on the CPU${missing ? `: ${missing}` : ""}`, () => {
  describe.each(cases)("of sm_$architecture in $precision", ({ architecture, precision }) => {
    const emulation = new Emulation(checkProgram, {
      architecture,
      precision: precision === "tf32" ? "tf32" : "float32",
    });
    const tiles = tilesProgram(precision);
    // Threads before 8.0 differ in how they fill shared memory, which rounding shows.
    const compared = architecture < 80 && precision === "float32" ? [] : comparisons;
    const [adding, overNothing] = [changedPlan({ accumulate: true }), changedPlan({ k: 0 })];
    beforeAll(async () => {
      emulation.add(tiles);
      for (const plan of [adding, overNothing]) emulation.addPlan(plan);
      for (const comparison of compared) emulation.add(comparedProgram(comparison, precision));
      await emulation.compile();
    }, 600_000);
    afterAll(() => emulation.release());

    test("are exact where sums are, in tiles of every size", { timeout: 300_000 }, () => {
      const used = emulation.sources[0].source.matchAll(/multiplyTile<float, Rounding::\w+, (\d+), (\d+),/g);
      const sizesOfTiles = new Set([...used].map(([, rows, columns]) => `${rows}x${columns}`));
      expect(sizesOfTiles).toEqual(new Set(tileSizes));
      const received = exactResults(emulation.backend(), tiles);
      const expected = exactResults(referenceBackend(), tiles);
      for (const [name, values] of Object.entries(expected)) expect(received[name], name).toEqual(values);
    });

    test("add to what is there, and are 0 over nothing", () => {
      const finalOf = (plan: Plan): number[] => {
        const executable = emulation.backend().load(plan, 2);
        executable.write("a", Array(20 * 12).fill(2));
        executable.write("b", Array(12 * 36).fill(0.5));
        executable.write("y", Array(20 * 36).fill(7));
        executable.run("step", 2);
        const values = Array.from(executable.read("y"));
        executable.release();
        return values;
      };
      expect(finalOf(adding)).toEqual(Array(20 * 36).fill(7 + 2 * 12));
      expect(finalOf(overNothing)).toEqual(Array(20 * 36).fill(0));
    });

    test.each(compared)("$title, and both gradients", { timeout: 300_000 }, (comparison) =>
      compareProducts(emulation.backend(), precision, comparison),
    );
  });
});
