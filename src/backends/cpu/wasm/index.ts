/** A small WebAssembly assembler: typed instructions, functions, modules, and what the runtime offers. */
export { atomic } from "./atomics.js";
export type { Code, Operand, ResultType, Statement, ValueType } from "./code.js";
export { detectFeatures, type WasmFeatures } from "./features.js";
export {
  call,
  FunctionBuilder,
  type FunctionReference,
  type Label,
  type Local,
  type ParameterLocals,
  type Parameters,
} from "./function.js";
export { type ImportName, type MemoryLimits, ModuleBuilder, type Signature } from "./module.js";
export {
  compileModule,
  createSharedMemory,
  instantiate,
  validateModule,
  type WasmExports,
  type WasmFunction,
  type WasmImports,
  type WasmMemory,
  type WasmModule,
} from "./runtime.js";
export { f32, f64, i32, i64, memory, select } from "./scalar.js";
export { f32x4, f64x2, i8x16, i16x8, i32x4, i64x2, shuffle32, shuffle64, v128, zeroVector } from "./simd.js";
