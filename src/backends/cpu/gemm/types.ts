/** The one interface to matrix products, whoever computes them. */
import type { WasmMemory } from "../wasm/index.js";

export type GemmDType = "float32" | "float64";

/**
 * A product of fixed shape, row-major: C[m,n] = alpha * op(A)[m,k] * op(B)[k,n] + beta * C.
 *
 * op(X) is X, or its transpose where `transA` (`transB`) is set: then A is stored [k,m] (B [n,k]).
 * Leading dimensions and strides are in elements and default to matrices without gaps.
 */
export interface GemmSpec {
  readonly dtype: GemmDType;
  /** What elements in float32 are rounded to before they are multiplied; only of a library that can. */
  readonly precision?: "bfloat16";
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly transA?: boolean;
  readonly transB?: boolean;
  /** Elements from one stored row to the next. */
  readonly lda?: number;
  readonly ldb?: number;
  readonly ldc?: number;
  /** Factor of the product; 1 by default. */
  readonly alpha?: number;
  /** Factor of what C held; 0 by default, and then C is not read (NaN there is overwritten). */
  readonly beta?: number;
  /** Number of products of this shape; 1 by default. */
  readonly batch?: number;
  /** Elements from one matrix of the batch to the next; 0 uses the same one for all. */
  readonly strideA?: number;
  readonly strideB?: number;
  readonly strideC?: number;
}

/** A prepared product: byte offsets of A, B and C in the memory it was bound to. */
export type GemmCall = (aOffset: number, bOffset: number, cOffset: number) => void;

/** Prepares products over one memory, for one rank. */
export interface BoundGemm {
  /** Checks the shape once and returns the call, with as little as possible left to do in it. */
  prepare(spec: GemmSpec): GemmCall;
  /** Frees what the library holds for prepared products, none of which may be called afterwards; absent: nothing. */
  release?(): void;
}

export type GemmLibraryName = "onednn" | "cblas" | "wasm";

export interface GemmLibrary {
  readonly name: GemmLibraryName;
  /** What people call it: "oneDNN", "OpenBLAS", "WebAssembly". */
  readonly title: string;
  readonly version: string;
  /** The file it was loaded from; empty for our own. */
  readonly path: string;
  /** Whether it multiplies numbers in bfloat16, by instructions of this processor. */
  multipliesBfloat16(): boolean;
  /** Bytes of scratch memory `bind` wants; one region per rank, aligned to 64. */
  readonly workspaceBytes: number;
  /**
   * Binds it to a memory that will not grow.
   *
   * `workspaceOffset`: byte offset of `workspaceBytes` bytes that no one else touches meanwhile.
   */
  bind(memory: WasmMemory, workspaceOffset: number): BoundGemm;
}

/** Every field filled in. */
export type FullGemmSpec = Required<Omit<GemmSpec, "precision">> & Pick<GemmSpec, "precision">;
