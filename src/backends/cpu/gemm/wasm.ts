/** Our own matrix product as a library: always there, on every platform that has WebAssembly SIMD. */
import { compileModule, detectFeatures, instantiate, type WasmMemory } from "../wasm/index.js";
import { completeSpec, guarded, overBatch } from "./spec.js";
import type { BoundGemm, GemmLibrary } from "./types.js";
import { emitGemmModule, wasmGemmWorkspaceBytes } from "./wasm-module.js";

/** `gemm_f32` or `gemm_f64`, see `gemmParameters`. */
type WasmGemm = (...sizesAndOffsets: number[]) => void;

export interface WasmGemmExports {
  readonly gemm_f32: WasmGemm;
  readonly gemm_f64: WasmGemm;
}

/** An instance over `memory`; other WebAssembly over the same memory may import its functions. */
export function instantiateWasmGemm(memory: WasmMemory): WasmGemmExports {
  const { relaxedSimd } = detectFeatures();
  // An import may declare any minimum up to, and any maximum from, what the memory has.
  const limits = { initialPages: 0, maximumPages: 65536, shared: memory.buffer instanceof SharedArrayBuffer };
  const module = compileModule(emitGemmModule(limits, relaxedSimd));
  return instantiate(module, { env: { memory } }) as unknown as WasmGemmExports;
}

export function wasmGemm(): GemmLibrary {
  const { relaxedSimd } = detectFeatures();
  return {
    name: "wasm",
    title: "WebAssembly",
    version: relaxedSimd ? "SIMD with fused multiply-add" : "SIMD",
    path: "",
    workspaceBytes: wasmGemmWorkspaceBytes,
    bind: (memory, workspaceOffset) => bindWasm(memory, workspaceOffset),
  };
}

function bindWasm(memory: WasmMemory, workspace: number): BoundGemm {
  const exports = instantiateWasmGemm(memory);
  return {
    prepare(given) {
      const spec = completeSpec(given);
      const { m, n, k, lda, ldb, ldc, alpha, beta } = spec;
      const transA = Number(spec.transA);
      const transB = Number(spec.transB);
      const gemm = spec.dtype === "float32" ? exports.gemm_f32 : exports.gemm_f64;
      const call = overBatch(spec, (a, b, c) =>
        gemm(m, n, k, transA, transB, alpha, a, lda, b, ldb, beta, c, ldc, workspace),
      );
      return guarded(spec, memory.buffer.byteLength, call);
    },
  };
}
