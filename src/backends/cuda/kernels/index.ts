/** Kernels of the CUDA backend: a plan as CUDA C source and commands. */

export { type EmittedCommand, type EmittedProgram, emitCuda, kernelsMark } from "./emitCuda.js";
export { endTitle } from "./traces.js";
