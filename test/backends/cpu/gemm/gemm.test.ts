/** Every matrix library that is present against plain loops in float64. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  allGemm,
  type BoundGemm,
  type GemmLibrary,
  type GemmSpec,
  selectGemm,
} from "../../../../src/backends/cpu/gemm/index.js";
import { completeSpec, extents } from "../../../../src/backends/cpu/gemm/spec.js";
import { createSharedMemory } from "../../../../src/backends/cpu/wasm/index.js";

const { libraries, rejections } = allGemm();
const memory = createSharedMemory(256);
const workspaceOffset = 12 * 1024 * 1024;
const offsets = { a: 64, b: 4 * 1024 * 1024 + 8, c: 8 * 1024 * 1024 + 24 };
/** What lies around C: a library that touches it shows. */
const sentinel = -12345;

for (const name of ["onednn", "cblas"] as const) {
  const tried = rejections.filter((rejection) => rejection.name === name);
  test.runIf(!libraries.some((library) => library.name === name))(`${name} is absent`, ({ skip }) => {
    skip(`no ${name} here: ${tried.map(({ path, reason }) => `${path}: ${reason}`).join("; ")}`);
  });
}

const floats = (dtype: GemmSpec["dtype"], at: number, length: number): Float32Array | Float64Array =>
  dtype === "float32"
    ? new Float32Array(memory.buffer, at, length)
    : new Float64Array(memory.buffer, at, length);

/** A fixed value for a place, of both signs and many magnitudes. */
const valueAt = (i: number, salt: number): number => Math.fround(Math.sin(i * 12.9898 + salt * 78.233) * 2);

/** Fills A, B and C, runs the product, and compares every element of C and of its surroundings. */
function check(bound: BoundGemm, given: GemmSpec): void {
  const spec = completeSpec(given);
  const { dtype, m, n, k, transA, transB, lda, ldb, ldc, alpha, beta, batch, strideA, strideB, strideC } =
    spec;
  const size = dtype === "float32" ? 4 : 8;
  const sizes = extents(spec);
  const a = floats(dtype, offsets.a, sizes.a / size);
  const b = floats(dtype, offsets.b, sizes.b / size);
  const margin = 16;
  const around = floats(dtype, offsets.c - margin * size, sizes.c / size + 2 * margin);
  const before = new Float64Array(around.length).fill(sentinel);
  for (let i = 0; i < a.length; i++) a[i] = valueAt(i, 1);
  for (let i = 0; i < b.length; i++) b[i] = valueAt(i, 2);
  for (let t = 0; t < batch; t++) {
    for (let i = 0; i < m; i++) {
      for (let j = 0; j < n; j++) {
        const at = margin + t * strideC + i * ldc + j;
        before[at] = beta === 0 ? Number.NaN : valueAt(at, 3);
      }
    }
  }
  around.set(before);
  bound.prepare(given)(offsets.a, offsets.b, offsets.c);
  const epsilon = dtype === "float32" ? 2 ** -23 : 2 ** -52;
  const expected = before.slice();
  for (let t = 0; t < batch; t++) {
    for (let i = 0; i < m; i++) {
      for (let j = 0; j < n; j++) {
        const at = margin + t * strideC + i * ldc + j;
        let sum = 0;
        let magnitude = 0;
        for (let p = 0; p < k; p++) {
          const x = a[t * strideA + (transA ? p * lda + i : i * lda + p)];
          const y = b[t * strideB + (transB ? j * ldb + p : p * ldb + j)];
          sum += x * y;
          magnitude += Math.abs(x * y);
        }
        const old = beta === 0 ? 0 : beta * before[at];
        expected[at] = alpha * sum + old;
        const bound = epsilon * (k + 4) * (Math.abs(alpha) * magnitude + Math.abs(old) + 1e-30);
        if (!(Math.abs(around[at] - expected[at]) <= bound)) {
          const where = `C[${t}][${i},${j}] of ${JSON.stringify(given)}`;
          expect.fail(`${where}: ${around[at]}, expected ${expected[at]} within ${bound}`);
        }
        expected[at] = around[at];
      }
    }
  }
  // Only what lies between and around the rows of C is left to compare.
  expect([...around].findIndex((value, i) => value !== expected[i])).toBe(-1);
}

const transposes = [
  { transA: false, transB: false },
  { transA: false, transB: true },
  { transA: true, transB: false },
  { transA: true, transB: true },
];

/** Around the tile sizes (3, 4, 6 rows; 4, 8, 12 columns) and the blocks of k (320) and m (240). */
const shapes = [
  [1, 1, 1],
  [1, 10, 1],
  [1, 10, 784],
  [2, 3, 5],
  [3, 12, 7],
  [4, 8, 321],
  [7, 11, 13],
  [8, 12, 9],
  [9, 24, 33],
  [13, 25, 640],
  [241, 50, 3],
  [245, 13, 322],
  [100, 10, 50],
  [5, 100, 2],
] as const;

const named = libraries.map((library) => [`${library.title} ${library.version}`, library] as const);

describe.each([...named, ["auto", selectGemm().library] as const])("%s", (_, library: GemmLibrary) => {
  const bound = library.bind(memory, workspaceOffset);

  test.each(["float32", "float64"] as const)("%s shapes around its blocks, all transposes", (dtype) => {
    for (const [m, n, k] of shapes) {
      for (const transpose of transposes) check(bound, { dtype, m, n, k, ...transpose });
    }
  });

  test.each(["float32", "float64"] as const)("%s strides, factors and batches", (dtype) => {
    for (const transpose of transposes) {
      const [m, n, k] = [10, 14, 9];
      check(bound, { dtype, m, n, k, ...transpose, lda: 17, ldb: 23, ldc: 19 });
      check(bound, { dtype, m, n, k, ...transpose, alpha: -0.5, beta: 1 });
      check(bound, { dtype, m, n, k, ...transpose, alpha: 2, beta: -0.25, ldc: 15 });
      check(bound, { dtype, m, n, k, ...transpose, batch: 3, alpha: 1.5, beta: 0.5 });
      check(bound, { dtype, m, n, k, ...transpose, batch: 4, strideB: 0, strideC: 10 * 14 + 5 });
    }
  });

  test("rows that lie a multiple of 2 KiB apart", () => {
    for (const transpose of transposes) {
      check(bound, { dtype: "float32", m: 50, n: 512, k: 130, ...transpose, beta: 0.5 });
      check(bound, { dtype: "float32", m: 512, n: 48, k: 60, ...transpose, ldb: 512, batch: 2 });
    }
  });

  test("random shapes", () => {
    const size = fc.integer({ min: 1, max: 40 });
    const gap = fc.integer({ min: 0, max: 5 });
    fc.assert(
      fc.property(
        fc.record({
          dtype: fc.constantFrom("float32" as const, "float64" as const),
          m: size,
          n: size,
          k: size,
          transA: fc.boolean(),
          transB: fc.boolean(),
          alpha: fc.constantFrom(1, -2, 0, 0.3),
          beta: fc.constantFrom(0, 1, 0.7),
          batch: fc.integer({ min: 1, max: 3 }),
          gaps: fc.tuple(gap, gap, gap),
        }),
        ({ gaps, ...spec }) => {
          const { m, n, k, transA, transB } = spec;
          const [lda, ldb, ldc] = [(transA ? m : k) + gaps[0], (transB ? k : n) + gaps[1], n + gaps[2]];
          check(bound, { ...spec, lda, ldb, ldc });
        },
      ),
      { numRuns: 150 },
    );
  });

  test("a shape that does not fit and an offset outside the memory are refused", () => {
    expect(() => bound.prepare({ dtype: "float32", m: 2, n: 2, k: 2.5 })).toThrow(/k is 2.5/);
    expect(() => bound.prepare({ dtype: "float32", m: 2, n: 4, k: 3, ldb: 3 })).toThrow(
      /ldb is 3.*at least 4/,
    );
    const call = bound.prepare({ dtype: "float32", m: 4, n: 4, k: 4 });
    expect(() => call(0, 64, 256 * 65536 - 60)).toThrow(/reaches beyond the memory/);
    expect(() => call(0, -4, 64)).toThrow(/reaches beyond the memory/);
    call(0, 64, 256 * 65536 - 64);
  });
});

test("our own product leaves an empty sum at beta * C", () => {
  const bound = libraries.at(-1)!.bind(memory, workspaceOffset);
  check(bound, { dtype: "float32", m: 3, n: 5, k: 0, beta: 0 });
  check(bound, { dtype: "float64", m: 3, n: 5, k: 0, beta: 0.5 });
});
