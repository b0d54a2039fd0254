/** Row-major products of plans through cuBLASLt's column-major ones, which are computed by plain loops here. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { CublasLt } from "../../../src/backends/cuda/cublasLt.js";
import type { FoundLibrary } from "../../../src/backends/cuda/libraries.js";
import { cublasLtProducts, type ProductPrecision } from "../../../src/backends/cuda/products.js";
import { roundedToBfloat16 } from "../../../src/base/bfloat16.js";
import { bytesOf } from "../../../src/base/dtype.js";
import type { GemmKernel, GemmOperand, Plan } from "../../../src/compile/plan.js";
import { type FakeMatmulOptions, fakeMatmul } from "./fakeMatmul.js";

function started(options: FakeMatmulOptions = {}, precision: ProductPrecision = "float32") {
  const fake = fakeMatmul(options);
  const found: FoundLibrary = {
    name: "cublasLt",
    title: "cuBLASLt",
    path: fake.library.path,
    native: fake.library,
  };
  return { ...fake, products: cublasLtProducts(new CublasLt(found), precision) };
}

const bufferBytes = 256 * 10;
/** Three buffers, as unevenly placed as plans may place them. */
const plan = {
  buffers: [0, 1, 2].map((i) => ({ offset: i * bufferBytes + 64 * i })),
} as unknown as Plan;

const operand = (fields: Partial<GemmOperand> & Pick<GemmOperand, "buffer" | "leading">): GemmOperand => ({
  offset: 0,
  transposed: false,
  batchStrides: [],
  ...fields,
});

const simple: GemmKernel = {
  kind: "gemm",
  name: "dot",
  dtype: "float32",
  m: 2,
  n: 3,
  k: 4,
  a: operand({ buffer: 0, leading: 4 }),
  b: operand({ buffer: 1, leading: 3 }),
  c: operand({ buffer: 2, leading: 3 }),
  accumulate: false,
  batch: [],
};

type Floats = Float32Array | Float64Array;

/** What the product leaves in the three buffers, by the library and by the definition; undefined where it is not taken. */
function computed(kernel: GemmKernel, { library, products }: ReturnType<typeof started>) {
  const [call] = products.callsFor(kernel, plan);
  if (call === undefined) return undefined;
  const kind = kernel.dtype === "float32" ? Float32Array : Float64Array;
  const arena = new Uint8Array(3 * bufferBytes + 256);
  const floats = (buffer: number): Floats =>
    new kind(arena.buffer, plan.buffers[buffer].offset, bufferBytes / bytesOf(kernel.dtype));
  for (const buffer of [0, 1, 2])
    floats(buffer).set(floats(buffer).map((_, i) => Math.sin(i * (buffer + 1)) + i / 1000));
  const expected = definition(
    kernel,
    [0, 1, 2].map((buffer) => floats(buffer).slice()),
  );
  call.enqueue({
    arena: library.map(arena),
    workspace: library.map(new Uint8Array(call.workspaceBytes)),
    stream: 5n,
    inBranches: () => expect.unreachable("a product is one call after another"),
    launch: (name, _shape, args) => {
      expect(name).toBe("library_roundMatrices");
      const [from, to, ...sizes] = args;
      const [matrices, rows, columns, leading, stride] = sizes.map(Number);
      for (let i = 0; i < matrices * rows * columns; i++) {
        const line = Math.floor(i / columns);
        const element = Math.floor(line / rows) * stride + (line % rows) * leading + (i % columns);
        const value = library.view(from + BigInt(4 * element)).getFloat32(0, true);
        const bits = new Uint32Array(roundedToBfloat16(Float32Array.of(value)).buffer)[0];
        library.view(to + BigInt(2 * i)).setUint16(0, bits >>> 16, true);
      }
    },
  });
  return { received: [...floats(2)], expected: [...expected] };
}

/** The third buffer by `plan.ts`'s own words. */
function definition(kernel: GemmKernel, [a, b, c]: Floats[]): Floats {
  const rounded = (values: Floats): Floats =>
    kernel.precision ? roundedToBfloat16(values as Float32Array) : values;
  const [left, right] = [rounded(a), rounded(b)];
  const at = (
    { offset, leading, transposed, batchStrides }: GemmOperand,
    index: number[],
    i: number,
    j: number,
  ) =>
    offset +
    index.reduce((sum, place, dimension) => sum + place * batchStrides[dimension], 0) +
    (transposed ? j * leading + i : i * leading + j);
  const indices = kernel.batch.reduce(
    (all, extent) => all.flatMap((index) => Array.from({ length: extent }, (_, i) => [...index, i])),
    [[]] as number[][],
  );
  for (const index of indices) {
    for (let i = 0; i < kernel.m; i++) {
      for (let j = 0; j < kernel.n; j++) {
        let sum = 0;
        for (let k = 0; k < kernel.k; k++)
          sum += left[at(kernel.a, index, i, k)] * right[at(kernel.b, index, k, j)];
        const place = at(kernel.c, index, i, j);
        c[place] = kernel.accumulate ? c[place] + sum : sum;
      }
    }
  }
  return c;
}

const size = fc.integer({ min: 1, max: 4 });
/** Any product that a plan may hold, in buffers of this size. */
const kernels = fc
  .record({
    sizes: fc.tuple(size, size, size),
    transposed: fc.tuple(fc.boolean(), fc.boolean()),
    gaps: fc.tuple(fc.nat(3), fc.nat(3), fc.nat(3)),
    offsets: fc.tuple(fc.nat(20), fc.nat(20), fc.nat(20)),
    batch: fc.array(fc.integer({ min: 1, max: 3 }), { maxLength: 2 }),
    repeats: fc.array(fc.boolean(), { minLength: 4, maxLength: 4 }),
    accumulate: fc.boolean(),
    kind: fc.constantFrom("float32", "float64", "bfloat16"),
  })
  .map(({ sizes: [m, n, k], transposed, gaps, offsets, batch, repeats, accumulate, kind }): GemmKernel => {
    const part = (buffer: 0 | 1 | 2, rows: number, columns: number): GemmOperand => {
      const isTransposed = buffer < 2 && transposed[buffer as 0 | 1];
      const [lines, elements] = isTransposed ? [columns, rows] : [rows, columns];
      const leading = elements + gaps[buffer];
      const strides = batch.map(
        (_, i) => lines * leading * batch.slice(i + 1).reduce((product, extent) => product * extent, 1),
      );
      return {
        buffer,
        offset: offsets[buffer],
        leading,
        transposed: isTransposed,
        batchStrides: strides.map((stride, i) => (buffer < 2 && repeats[2 * buffer + i] ? 0 : stride)),
      };
    };
    return {
      ...simple,
      ...{ m, n, k, batch, accumulate },
      dtype: kind === "float64" ? "float64" : "float32",
      ...(kind === "bfloat16" && { precision: "bfloat16" as const }),
      a: part(0, m, k),
      b: part(1, k, n),
      c: part(2, m, n),
    };
  });

describe("products", () => {
  test("of any layout are what the plan says, and touch nothing else", () => {
    const library = started();
    fc.assert(
      fc.property(kernels, (kernel) => {
        const { received, expected } = computed(kernel, library)!;
        expect(Math.max(...expected.map((value, i) => Math.abs(received[i] - value)))).toBeLessThan(1e-5);
      }),
      { numRuns: 200, seed: 77 },
    );
  });

  test("of one shape are looked for once", () => {
    const library = started();
    library.products.callsFor(simple, plan);
    library.products.callsFor({ ...simple, name: "another" }, plan);
    expect(library.seen.searches).toBe(1);
    library.products.callsFor({ ...simple, m: 1 }, plan);
    expect(library.seen.searches).toBe(2);
    // Partial sums are added in a fixed order.
    expect(library.seen.reductions).toEqual([6n, 6n]);
  });

  test("are promised the alignment that all their matrices have", () => {
    const library = started();
    const offset = { ...simple, a: { ...simple.a, offset: 3 } };
    const batched = {
      ...simple,
      batch: [2],
      a: { ...simple.a, batchStrides: [8] },
      b: { ...simple.b, batchStrides: [12] },
      c: { ...simple.c, batchStrides: [6] },
    };
    for (const kernel of [simple, offset, batched]) library.products.callsFor(kernel, plan);
    // To the library B comes first. The buffers begin at 0, and at 64 and 128 behind multiples of 256.
    expect(library.seen.alignments).toEqual([
      [64n, 256n, 128n, 128n],
      [64n, 4n, 128n, 128n],
      [16n, 32n, 8n, 8n],
    ]);
  });

  test("of float32 are computed as the backend's precision says, rounded ones in float32", () => {
    const of = (precision: ProductPrecision, kernel: GemmKernel): number => {
      const library = started({}, precision);
      computed(kernel, library);
      return library.seen.compute[0];
    };
    const rounded = { ...simple, precision: "bfloat16" } as const;
    const double = { ...simple, dtype: "float64" } as const;
    expect([of("float32", simple), of("float32", rounded), of("float32", double)]).toEqual([68, 68, 70]);
    expect([of("tf32", simple), of("tf32", rounded), of("tf32", double)]).toEqual([77, 68, 70]);
  });

  test("have a call for each algorithm that can be used", () => {
    const calls = started().products.callsFor(simple, plan);
    expect(calls.map(({ name, workspaceBytes }) => [name, workspaceBytes])).toEqual([
      ["cuBLASLt algorithm 0", 1024],
      ["cuBLASLt algorithm 1", 2048],
    ]);
  });

  test("that the library has no algorithm for, and empty ones, are left to others", () => {
    const library = started({ refusal: 15 });
    expect(library.products.callsFor(simple, plan)).toEqual([]);
    expect(library.live()).toBe(0);
    const { products } = started();
    for (const empty of [{ m: 0 }, { n: 0 }, { k: 0 }, { batch: [0] }])
      expect(products.callsFor({ ...simple, ...empty }, plan)).toEqual([]);
  });

  test("that fail say what the library says and what to do", () => {
    expect(() => computed(simple, started({ failure: 3 }))).toThrow(
      "cuBLASLt at libcublasLt.so.12: cublasLtMatmul failed with CUBLAS_STATUS_ALLOC_FAILED (3). The host or the device has too little memory: end other programs on the GPU (nvidia-smi lists them).",
    );
  });

  test("leave nothing behind when the library is released", () => {
    const library = started();
    computed(simple, library);
    expect(library.live()).toBe(4);
    library.products.release();
    expect(library.live()).toBe(0);
  });
});
