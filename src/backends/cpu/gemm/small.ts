/** Small products by our own WebAssembly, where the call of a C library costs more than the work. */
import type { BoundGemm, GemmLibrary, GemmSpec } from "./types.js";
import { wasmGemm } from "./wasm.js";

/**
 * Multiplications up to which our own is faster: a call through koffi takes 0.3 to 0.5 us, one of ours
 * 0.05; at 16 x 16 x 16 ours needs half the time, at 32 x 32 x 32 they are equal (measured on Zen 3).
 */
const mostMultiplications = 20 ** 3;

/** `library`, with products of few multiplications done in WebAssembly. */
export function withSmallProducts(library: GemmLibrary): GemmLibrary {
  const own = wasmGemm();
  return {
    ...library,
    workspaceBytes: Math.max(library.workspaceBytes, own.workspaceBytes),
    bind(memory, workspaceOffset): BoundGemm {
      const large = library.bind(memory, workspaceOffset);
      let small: BoundGemm | undefined;
      return {
        prepare(spec: GemmSpec) {
          const isSmall = spec.m * spec.n * spec.k <= mostMultiplications;
          if (!isSmall || spec.precision !== undefined) return large.prepare(spec);
          small ??= own.bind(memory, workspaceOffset);
          return small.prepare(spec);
        },
        release: () => large.release?.(),
      };
    },
  };
}
