/** Matrix products over WebAssembly memory: by oneDNN, a CBLAS, or our own WebAssembly. */

export { type GemmProbe, type GemmRate, probeGemm } from "./probe.js";
export {
  allGemm,
  type GemmChoice,
  type GemmRejection,
  type GemmSelection,
  gemmChoices,
  installCommand,
  type SelectGemmOptions,
  selectGemm,
} from "./select.js";
export type { BoundGemm, GemmCall, GemmDType, GemmLibrary, GemmLibraryName, GemmSpec } from "./types.js";
export { instantiateWasmGemm, type WasmGemm, wasmGemm } from "./wasm.js";
export { gemmParameters, wasmGemmWorkspaceBytes } from "./wasmModule.js";
