/** Products in bfloat16 on the CPU against reference, with every oneDNN that is here. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { allGemm } from "../../../src/backends/cpu/gemm/index.js";
import { cpuBackend } from "../../../src/backends/cpu/index.js";
import { referenceBackend } from "../../../src/backends/reference/index.js";
import { sizeOf } from "../../../src/base/shape.js";
import type { Backend } from "../../../src/compile/backend.js";
import * as f from "../../../src/graph/index.js";
import type { Tensor } from "../../../src/graph/tensor.js";
import { grad, vmap, withProductPrecision } from "../../../src/transform/index.js";
import { unitsFrom } from "../../support/numbers.js";
import { convolutions } from "../../support/operationShapes.js";

const other = process.env.SLALOM_TEST_ONEDNN;
const able = [undefined, other].flatMap((path) =>
  allGemm(path === undefined ? {} : { searchPaths: [path] }).libraries.filter(
    (library) => library.multipliesBfloat16() && (path === undefined || library.path === path),
  ),
);

test.skipIf(able.length > 0)(
  "skipped: no oneDNN here multiplies in bfloat16 (it takes a processor with AVX-512 BF16 or AMX)",
  ({ skip }) => skip(),
);

/** Values of the outputs in bfloat16 products, on a backend. */
function outputsOn(
  backend: Backend,
  variables: readonly Tensor[],
  outputs: readonly Tensor[],
  seed: number,
): number[][] {
  const named = Object.fromEntries(variables.map((variable, i) => [`v${i}`, variable]));
  const rounding = withProductPrecision(outputs, "bfloat16");
  const traces = Object.fromEntries(rounding.map((output, i) => [`o${i}`, output]));
  const executable = backend.compile({
    name: "products",
    variables: named,
    entries: { run: { updates: {}, traces } },
    traceCapacity: 1,
  });
  const next = unitsFrom(seed);
  for (const [name, { shape }] of Object.entries(named))
    executable.write(name, Float32Array.from({ length: sizeOf(shape) }, next));
  // A second run finds what the first one left in the library's memory.
  executable.run("run");
  executable.run("run");
  const values = Object.keys(traces).map((name) => [...executable.trace("run", name)]);
  executable.release();
  return values;
}

const reference = referenceBackend();

describe.each(able)("$title $version", ({ path }) => {
  const backend = cpuBackend({ gemm: "onednn", searchPaths: [path] });

  function compare(variables: readonly Tensor[], outputs: readonly Tensor[], seed: number): void {
    const received = outputsOn(backend, variables, outputs, seed);
    outputsOn(reference, variables, outputs, seed).forEach((expected, i) => {
      const tolerance = 4e-6 * Math.max(1, ...expected.map(Math.abs));
      expected.forEach((value, j) => {
        expect(Math.abs(received[i][j] - value)).toBeLessThanOrEqual(tolerance);
      });
    });
  }

  const extent = fc.integer({ min: 1, max: 40 });

  test("matrices, transposed, in lanes, and their gradients", () => {
    fc.assert(
      fc.property(
        extent,
        extent,
        extent,
        fc.integer({ min: 1, max: 3 }),
        fc.nat(),
        (m, n, k, lanes, seed) => {
          const a = f.variable("a", [m, k], "float32");
          const b = f.variable("b", [k, n], "float32");
          const c = f.variable("c", [n, k], "float32");
          const many = f.variable("many", [lanes, m, k], "float32");
          const plain = f.matmul(a, b);
          const transposed = f.matmul(a, f.transpose(c));
          const inLanes = vmap((x) => f.matmul(x, b), { axes: [0] })(many);
          compare(
            [a, b, c, many],
            [plain, transposed, inLanes, ...grad(f.sum(plain), [a, b]), ...grad(f.sum(transposed), [a, c])],
            seed,
          );
        },
      ),
      { numRuns: 40, seed: 3 },
    );
  });

  test("convolutions and both of their gradients", () => {
    fc.assert(
      fc.property(convolutions, fc.nat(), ({ x, w, y, attributes }, seed) => {
        const images = f.variable("x", x, "float32");
        const filters = f.variable("w", w, "float32");
        const weights = f.variable("g", y, "float32");
        const { stride, padding, dilation, groups } = attributes;
        const convolved = f.conv2d(images, filters, { stride, padding, dilation, groups });
        compare(
          [images, filters, weights],
          [convolved, ...grad(f.sum(f.mul(convolved, weights)), [images, filters])],
          seed,
        );
      }),
      { numRuns: 40, seed: 4 },
    );
  });
});

test("a library that can't is told before anything runs", () => {
  const a = f.variable("a", [64, 64], "float32");
  const [product] = withProductPrecision([f.matmul(a, a)], "bfloat16");
  const program = {
    name: "square",
    variables: { a },
    entries: { run: { updates: {}, traces: { product } } },
    traceCapacity: 1,
  };
  expect(() => cpuBackend({ gemm: "wasm" }).compile(program)).toThrow(
    /^program square: asks for products in bfloat16, which WebAssembly does not make on this processor; expected oneDNN on a processor with AVX-512 BF16 or AMX\. Take precision "float32"/,
  );
});
