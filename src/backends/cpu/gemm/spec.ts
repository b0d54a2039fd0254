/** Defaults and checks of a product's shape, shared by all libraries. */
import { bytesOf } from "../../../base/dtype.js";
import { SlalomError } from "../../../base/errors.js";
import type { FullGemmSpec, GemmCall, GemmSpec } from "./types.js";

/** Largest size or leading dimension: C libraries take 32-bit integers. */
const largestSize = 2 ** 31 - 1;

/** The spec with defaults; throws where sizes do not fit each other. */
export function completeSpec(spec: GemmSpec): FullGemmSpec {
  const { m, n, k, transA = false, transB = false } = spec;
  const lda = spec.lda ?? (transA ? m : k);
  const ldb = spec.ldb ?? (transB ? k : n);
  const ldc = spec.ldc ?? n;
  checkSizes({ m, n, k, lda, ldb, ldc });
  checkLeading("lda", lda, transA ? m : k);
  checkLeading("ldb", ldb, transB ? k : n);
  checkLeading("ldc", ldc, n);
  return {
    dtype: spec.dtype,
    ...(spec.precision && { precision: spec.precision }),
    m,
    n,
    k,
    transA,
    transB,
    // C libraries refuse a leading dimension of 0, which an empty matrix has.
    lda: Math.max(lda, 1),
    ldb: Math.max(ldb, 1),
    ldc: Math.max(ldc, 1),
    alpha: spec.alpha ?? 1,
    beta: spec.beta ?? 0,
    batch: spec.batch ?? 1,
    strideA: spec.strideA ?? (transA ? k : m) * lda,
    strideB: spec.strideB ?? (transB ? n : k) * ldb,
    strideC: spec.strideC ?? m * ldc,
  };
}

/** Bytes from the start of A, B and C to the end of their last element, over the whole batch. */
export function extents(spec: FullGemmSpec): { a: number; b: number; c: number } {
  const bytes = bytesOf(spec.dtype);
  const extent = (rows: number, columns: number, leading: number, stride: number): number =>
    rows === 0 || columns === 0 || spec.batch === 0
      ? 0
      : ((spec.batch - 1) * stride + (rows - 1) * leading + columns) * bytes;
  const { m, n, k, transA, transB } = spec;
  return {
    a: extent(transA ? k : m, transA ? m : k, spec.lda, spec.strideA),
    b: extent(transB ? n : k, transB ? k : n, spec.ldb, spec.strideB),
    c: extent(m, n, spec.ldc, spec.strideC),
  };
}

/**
 * Wraps a raw call with the check that keeps a wrong offset from reaching a C library: it would write
 * anywhere in the process. Offsets may come as signed 32-bit integers from WebAssembly.
 */
export function guarded(spec: FullGemmSpec, memoryBytes: number, call: GemmCall): GemmCall {
  const { a, b, c } = extents(spec);
  const lastA = memoryBytes - a;
  const lastB = memoryBytes - b;
  const lastC = memoryBytes - c;
  return (aOffset, bOffset, cOffset) => {
    const aStart = aOffset >>> 0;
    const bStart = bOffset >>> 0;
    const cStart = cOffset >>> 0;
    if (aStart > lastA || bStart > lastB || cStart > lastC)
      throw outside(spec, memoryBytes, aStart, bStart, cStart);
    call(aStart, bStart, cStart);
  };
}

/** Runs `call` for every product of the batch; a batch of one costs nothing more. */
export function overBatch(spec: FullGemmSpec, call: GemmCall): GemmCall {
  const { batch } = spec;
  if (batch === 1) return call;
  const bytes = bytesOf(spec.dtype);
  const stepA = spec.strideA * bytes;
  const stepB = spec.strideB * bytes;
  const stepC = spec.strideC * bytes;
  return (a, b, c) => {
    for (let i = 0; i < batch; i++) call(a + i * stepA, b + i * stepB, c + i * stepC);
  };
}

function describeSpec(spec: FullGemmSpec): string {
  const { m, n, k } = spec;
  const a = spec.transA ? `[${k},${m}]ᵀ` : `[${m},${k}]`;
  const b = spec.transB ? `[${n},${k}]ᵀ` : `[${k},${n}]`;
  const short = spec.dtype === "float32" ? "f32" : "f64";
  return `${short} ${a} x ${b}${spec.batch === 1 ? "" : `, batch ${spec.batch}`}`;
}

function outside(spec: FullGemmSpec, memoryBytes: number, a: number, b: number, c: number): SlalomError {
  const received = `${describeSpec(spec)} at byte offsets ${a}, ${b}, ${c}`;
  const message = `gemm: ${received} reaches beyond the memory of ${memoryBytes} bytes (a bug in Slalom: please report it)`;
  return new SlalomError("internal", message);
}

function checkSizes(sizes: Record<string, number>): void {
  for (const [name, size] of Object.entries(sizes)) {
    if (Number.isInteger(size) && size >= 0 && size <= largestSize) continue;
    throw new SlalomError("shape", `gemm: ${name} is ${size}; expected an integer from 0 to ${largestSize}.`);
  }
}

function checkLeading(name: string, leading: number, columns: number): void {
  if (leading >= columns) return;
  const message = `gemm: ${name} is ${leading}, but a stored row has ${columns} elements; expected at least ${columns}.`;
  throw new SlalomError("shape", message);
}
