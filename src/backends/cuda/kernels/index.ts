/** Kernels of the CUDA backend: a plan as CUDA C source and commands. */
export { emitCuda, kernelsMark } from "./emitCuda.js";
