/** The GPU of this machine as tests take it: with the libraries that were found, or without some of them. */
import { type CudaBackend, type CudaBackendOptions, cudaBackend } from "../../src/backends/cuda/index.js";
import { type LibraryFiles, systemFiles } from "../../src/backends/cuda/libraries.js";

/** @throws SlalomError where there is no GPU: a test that asks for one fails then */
export const gpu = (options: CudaBackendOptions = {}): CudaBackend =>
  cudaBackend({ environment: process.env, ...options });

/** The system's files, but for libraries of these names, which do not open. */
export function filesWithout(...names: readonly string[]): LibraryFiles {
  return {
    ...systemFiles,
    open(path) {
      if (names.some((name) => path.includes(name))) throw new Error("left out by a test");
      return systemFiles.open(path);
    },
  };
}

/** The GPU with products and convolutions by our own kernels. */
export const gpuAlone = (options: CudaBackendOptions = {}): CudaBackend =>
  gpu({ ...options, files: filesWithout("cublasLt", "cudnn") });
