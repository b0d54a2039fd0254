/** Convolutions over WebAssembly memory: by oneDNN, or as matrix products of whatever library there is. */
import type { GemmLibrary } from "../gemm/index.js";
import { im2colConvolution } from "./im2col.js";
import { openOneDnnConvolution } from "./onednn.js";
import type { ConvolutionLibrary } from "./types.js";

export { im2colConvolution } from "./im2col.js";
export type {
  BoundConvolution,
  ConvolutionCall,
  ConvolutionDirection,
  ConvolutionLibrary,
  ConvolutionSpec,
} from "./types.js";

/** The library for convolutions that goes with the one for products: oneDNN has both. */
export const selectConvolution = (gemm: GemmLibrary): ConvolutionLibrary =>
  gemm.name === "onednn" ? openOneDnnConvolution(gemm.path) : im2colConvolution();
