/** Our own matrix product as a library: always there, on every platform that has WebAssembly SIMD. */
import { compileModule, detectFeatures, instantiate, type WasmMemory } from "../wasm/index.js";
import { completeSpec, guarded, overBatch } from "./spec.js";
import type { BoundGemm, GemmDType, GemmLibrary } from "./types.js";
import { emitGemmModule, wasmGemmWorkspaceBytes } from "./wasmModule.js";

/** Its parameters are those of `gemmParameters`, in order. */
export type WasmGemm = (...sizesAndOffsets: number[]) => void;

/** The product over `memory`; other WebAssembly over the same memory may import the function. */
export function instantiateWasmGemm(memory: WasmMemory, dtype: GemmDType): WasmGemm {
  const { relaxedSimd } = detectFeatures();
  // An import may declare any minimum up to, and any maximum from, what the memory has.
  const limits = { initialPages: 0, maximumPages: 65536, shared: memory.buffer instanceof SharedArrayBuffer };
  const module = compileModule(emitGemmModule(dtype, limits, relaxedSimd));
  return instantiate(module, { env: { memory } }).gemm as unknown as WasmGemm;
}

export function wasmGemm(): GemmLibrary {
  const { relaxedSimd } = detectFeatures();
  return {
    name: "wasm",
    title: "WebAssembly",
    version: relaxedSimd ? "SIMD with fused multiply-add" : "SIMD",
    path: "",
    multipliesBfloat16: () => false,
    workspaceBytes: wasmGemmWorkspaceBytes,
    bind: (memory, workspaceOffset) => bindWasm(memory, workspaceOffset),
  };
}

function bindWasm(memory: WasmMemory, workspace: number): BoundGemm {
  const gemms = new Map<GemmDType, WasmGemm>();
  const gemmOf = (dtype: GemmDType): WasmGemm => {
    const gemm = gemms.get(dtype) ?? instantiateWasmGemm(memory, dtype);
    gemms.set(dtype, gemm);
    return gemm;
  };
  return {
    prepare(given) {
      const spec = completeSpec(given);
      const { m, n, k, lda, ldb, ldc, alpha, beta } = spec;
      const transA = Number(spec.transA);
      const transB = Number(spec.transB);
      const gemm = gemmOf(spec.dtype);
      const call = overBatch(spec, (a, b, c) =>
        gemm(m, n, k, transA, transB, alpha, a, lda, b, ldb, beta, c, ldc, workspace),
      );
      return guarded(spec, memory.buffer.byteLength, call);
    },
  };
}
