/** The one interface to convolutions, whoever computes them. */
import type { ConvolutionSizes } from "../../../graph/operations/convolution.js";
import type { ConvolutionAttributes } from "../../../graph/tensor.js";
import type { BoundGemm } from "../gemm/index.js";
import type { WasmMemory } from "../wasm/index.js";

/** Which tensor is computed: y = conv(x, w); x = adjoint(y, w); w = adjoint(x, y). */
export type ConvolutionDirection = "forward" | "input" | "kernel";

/** A convolution of fixed shape; x, w and y are row-major, channels last, contiguous. */
export interface ConvolutionSpec extends ConvolutionSizes, ConvolutionAttributes {
  readonly direction: ConvolutionDirection;
  readonly dtype: "float32" | "float64";
  /** Forward only: y = conv(x, w) + bias [filters]. */
  readonly bias?: boolean;
  /** Forward only: y = max(y, 0) in the end. */
  readonly relu?: boolean;
}

/** Byte offsets in the bound memory; the tensor that the direction names is written, the others are read. */
export type ConvolutionCall = (x: number, w: number, y: number, bias?: number) => void;

/** Prepares convolutions over one memory, for one rank. */
export interface BoundConvolution {
  prepare(spec: ConvolutionSpec): ConvolutionCall;
  /** Frees what a library holds for the prepared convolutions; none may be called afterwards. */
  release(): void;
}

export interface ConvolutionLibrary {
  readonly name: "onednn" | "im2col";
  readonly title: string;
  readonly version: string;
  readonly path: string;
  /** Bytes of scratch memory that serve all of the convolutions, aligned to 64; one region per rank. */
  workspaceBytes(specs: readonly ConvolutionSpec[]): number;
  bind(memory: WasmMemory, workspaceOffset: number, gemm: BoundGemm): BoundConvolution;
}
