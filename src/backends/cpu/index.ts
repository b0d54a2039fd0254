/** The CPU backend: fused loops as WebAssembly SIMD that we emit, matrix products by the best library found. */
import { availableParallelism } from "node:os";
import type { Backend } from "../../compile/backend.js";
import { planProgram } from "../../compile/planProgram.js";
import { selectConvolution } from "./convolution/index.js";
import { CpuExecutable } from "./executable.js";
import { type GemmChoice, selectGemm } from "./gemm/index.js";
import { MemoryPool } from "./memoryPool.js";
import { detectFeatures } from "./wasm/index.js";

export interface CpuBackendOptions {
  /** Who computes matrix products; "auto" takes oneDNN, else a CBLAS, else our own WebAssembly. */
  readonly gemm?: GemmChoice;
  /** Folders or files to look for libraries in, before the system's own places. */
  readonly searchPaths?: readonly string[];
  /** False compiles without fused multiply-add even where the runtime has it. */
  readonly relaxedSimd?: boolean;
}

/** One rank: it computes on the calling thread alone. Throws "library" where a forced library can't be had. */
export function cpuBackend(options: CpuBackendOptions = {}): Backend {
  const detected = detectFeatures();
  const features = { relaxedSimd: detected.relaxedSimd && options.relaxedSimd !== false };
  const { library: gemm } = selectGemm({
    ...(options.gemm && { library: options.gemm }),
    ...(options.searchPaths && { searchPaths: options.searchPaths }),
  });
  const memories = new MemoryPool();
  return {
    name: "cpu",
    description: `cpu (${[gemm.title, gemm.version].filter(Boolean).join(" ")}, ${features.relaxedSimd ? "relaxed SIMD" : "SIMD"}, ${availableParallelism()} cores)`,
    compile: (program) =>
      new CpuExecutable(planProgram(program), program.traceCapacity, {
        gemm,
        convolution: selectConvolution(gemm),
        features,
        memories,
      }),
  };
}
