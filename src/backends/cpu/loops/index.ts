/** Loop and scatter-add kernels of a plan as WebAssembly functions. */
export { emitLoop, type KernelFunction } from "./emit.js";
export { createLoopTarget, type LoopTarget, mathImports } from "./functions.js";
export { emitScatterAdd } from "./scatter.js";
