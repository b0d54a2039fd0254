/** What this runtime's WebAssembly can do beyond the baseline that we always use (128-bit SIMD, threads). */
import { setFlagsFromString } from "node:v8";
import { ModuleBuilder } from "./module.js";
import { validateModule } from "./runtime.js";
import { f32x4 } from "./simd.js";

export interface WasmFeatures {
  /** Fused multiply-add and relaxed minimum: twice the arithmetic of a GEMM per instruction. */
  readonly relaxedSimd: boolean;
}

/**
 * Detects features and readies V8 for kernels; call it in every thread before it compiles its first module.
 *
 * Node 20 (V8 11.3) has relaxed SIMD behind a flag that counts only before the first compilation; from
 * Node 22 it is on and the flag is gone. The baseline compiler is turned off: its code is two to three
 * times slower, and V8 replaced it only after 300 ms of work; our modules are small, so optimising each
 * function at its first call costs a few milliseconds.
 */
export function detectFeatures(): WasmFeatures {
  setFlagsFromString("--no-liftoff");
  if (v8Major() < 12) setFlagsFromString("--experimental-wasm-relaxed-simd");
  return { relaxedSimd: hasRelaxedSimd() };
}

function v8Major(): number {
  return Number.parseInt(process.versions.v8, 10);
}

function hasRelaxedSimd(): boolean {
  const module = new ModuleBuilder();
  module.function("probe", { parameters: { x: "v128" }, result: "v128" }, (f, { x }) => {
    f.result(f32x4.relaxed_madd(x, x, x));
  });
  return validateModule(module.bytes());
}
