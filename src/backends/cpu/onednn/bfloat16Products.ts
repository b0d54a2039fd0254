/**
 * Matrix products of float32 matrices whose elements are rounded to bfloat16, summed in float32: oneDNN's matmul on
 * processors that multiply such numbers (AVX-512 BF16, AMX).
 *
 * Operands are rounded into memory of the library's own before each product, in the order in which they lie: its
 * preferred order would make the product of 3 million weights and 50 rows faster by 0.15 ms, and rounding slower by 1.
 */
import { SlalomError } from "../../../base/errors.js";
import type { NativeLibrary } from "../../../native/library.js";
import { guarded, overBatch } from "../gemm/spec.js";
import type { FullGemmSpec, GemmCall } from "../gemm/types.js";
import type { WasmMemory } from "../wasm/index.js";
import { argumentOf, Dnnl, type Pointer } from "./dnnl.js";
import { madeOnce } from "./places.js";

/** Whether this library multiplies numbers in bfloat16 by instructions of this processor. */
export function hasBfloat16(library: NativeLibrary, major: 2 | 3): boolean {
  const dnnl = new Dnnl(library, major);
  try {
    const [extents, strides] = [
      [64, 64],
      [64, 1],
    ];
    const operand = dnnl.descriptor({ extents, strides, type: "bfloat16" });
    const c = dnnl.descriptor({ extents, strides });
    const description = dnnl.product({ a: operand, b: operand, c }, { accumulate: false });
    return description !== undefined && /amx|bf16/.test(dnnl.implementationOf(description));
  } finally {
    dnnl.release();
  }
}

/** The call; alpha is 1 and beta 0 or 1. What it holds is released with `dnnl`. */
export function prepareBfloat16Product(
  dnnl: Dnnl,
  base: bigint,
  memory: WasmMemory,
  spec: FullGemmSpec,
): GemmCall {
  const { m, n, k, transA, transB, lda, ldb, ldc, beta } = spec;
  const matrix = (rows: number, columns: number, leading: number, transposed: boolean) => {
    const extents = [rows, columns];
    const lying = (line: number): number[] => (transposed ? [1, line] : [line, 1]);
    return {
      given: dnnl.descriptor({ extents, strides: lying(leading) }),
      rounded: dnnl.descriptor({
        extents,
        strides: lying(transposed ? rows : columns),
        type: "bfloat16",
      }),
    };
  };
  const a = matrix(m, k, lda, transA);
  const b = matrix(k, n, ldb, transB);
  const c = dnnl.descriptor({ extents: [m, n], strides: [ldc, 1] });
  const description = dnnl.product({ a: a.rounded, b: b.rounded, c }, { accumulate: beta === 1 });
  if (description === undefined)
    throw new SlalomError(
      "library",
      `oneDNN has no product ${m}x${n}x${k} in bfloat16 (a bug in Slalom: please report it)`,
    );
  const product = dnnl.primitive(description);
  const roundings = [a, b].map(({ given, rounded }) => ({
    given,
    reorder: dnnl.reorder(given, rounded),
    own: dnnl.memory(rounded, "own"),
  }));
  const at = (descriptor: Pointer, offset: number): Pointer => dnnl.memory(descriptor, base + BigInt(offset));
  const call = madeOnce((...places: [a: number, b: number, c: number]) => {
    const roundBoth = roundings.map(({ given, reorder, own }, i) =>
      dnnl.execution(reorder, [
        [argumentOf.source, at(given, places[i])],
        [argumentOf.destination, own],
      ]),
    );
    const multiply = dnnl.execution(product, [
      [argumentOf.source, roundings[0].own],
      [argumentOf.weights, roundings[1].own],
      [argumentOf.destination, at(c, places[2])],
    ]);
    return () => {
      for (const round of roundBoth) round();
      multiply();
    };
  });
  return guarded(spec, memory.buffer.byteLength, overBatch(spec, call));
}
