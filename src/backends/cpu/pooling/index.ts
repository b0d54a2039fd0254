/** Pooling kernels of a plan as WebAssembly functions. */
export { emitPool } from "./emit.js";
