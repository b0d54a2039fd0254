/** The GPU of this machine as tests take it: products and convolutions by the fastest, by libraries or by our own kernels. */
import { type CudaBackend, type CudaBackendOptions, cudaBackend } from "../../src/backends/cuda/index.js";

/** @throws SlalomError where there is no GPU: a test that asks for one fails then */
export const gpu = (options: CudaBackendOptions = {}): CudaBackend =>
  cudaBackend({ environment: process.env, ...options });

/** Whatever is faster, libraries compute all that they can. */
export const gpuByLibraries = (options: CudaBackendOptions = {}): CudaBackend =>
  gpu({ ...options, routes: "libraries" });

/** As where there are no libraries. */
export const gpuAlone = (options: CudaBackendOptions = {}): CudaBackend => gpu({ ...options, routes: "own" });
