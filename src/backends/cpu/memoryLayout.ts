/** A program's memory: the plan's arena, then where ranks meet, then for each rank the workspaces of its libraries. */
import type { Plan } from "../../compile/plan.js";
import type { ConvolutionLibrary } from "./convolution/index.js";
import type { GemmLibrary } from "./gemm/index.js";
import { convolutionSpec } from "./libraryCalls.js";
import { meetingBytes } from "./ranks/barrier.js";

export interface MemoryLayout {
  readonly bytes: number;
  /** Byte offsets, one pair a rank. */
  readonly workspaces: readonly { readonly gemmAt: number; readonly convolutionAt: number }[];
}

/** What a WebAssembly memory with 32-bit addresses can hold. */
export const mostMemoryBytes = 2 ** 32 - 65536;

/** The same whichever rank asks: each has room for all convolutions of the plan. */
export function memoryLayout(
  { arenaBytes, ranks, entries }: Plan,
  { gemm, convolution }: { readonly gemm: GemmLibrary; readonly convolution: ConvolutionLibrary },
): MemoryLayout {
  const convolutions = Object.values(entries)
    .flatMap(({ kernels }) => kernels)
    .filter((kernel) => kernel.kind === "convolution");
  const gemmBytes = aligned(gemm.workspaceBytes);
  const rankBytes = gemmBytes + aligned(convolution.workspaceBytes(convolutions.map(convolutionSpec)));
  const first = arenaBytes + meetingBytes(ranks);
  const workspaces = Array.from({ length: ranks }, (_, rank) => {
    const gemmAt = first + rank * rankBytes;
    return { gemmAt, convolutionAt: gemmAt + gemmBytes };
  });
  return { bytes: first + ranks * rankBytes, workspaces };
}

const aligned = (bytes: number): number => Math.ceil(bytes / 64) * 64;
