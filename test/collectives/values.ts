/** Arrays of ranks, and what collectives must make of them: the same arithmetic in plain loops. */
import { createHash } from "node:crypto";
import type { FloatArray, Reduction } from "../../src/collectives/index.js";

export type FloatKind = "float32" | "float64";

export const lengths = [0, 1, 2, 3, 5, 64, 1001, 100_003] as const;
/** Those of sums under way at once; the longest travels in many pieces. */
export const journeys = [1, 1001, 700_001] as const;
export const floatKinds: readonly FloatKind[] = ["float32", "float64"];
export const memories = ["plain", "shared"] as const;
export const allReductions: readonly Reduction[] = ["sum", "mean"];

/** Zeros; in shared memory at an offset, as slices of a WebAssembly memory are. */
export function arrayOf(kind: FloatKind, length: number, memory: (typeof memories)[number]): FloatArray {
  const kindOf = kind === "float32" ? Float32Array : Float64Array;
  if (memory === "plain") return new kindOf(length);
  const offset = 24;
  const bytes = new SharedArrayBuffer(offset + length * kindOf.BYTES_PER_ELEMENT + 8);
  return kind === "float32"
    ? new Float32Array(bytes, offset, length)
    : new Float64Array(bytes, offset, length);
}

/** Values of one rank: of all magnitudes and both signs, so that the order of a sum shows. */
export function fill<T extends FloatArray>(array: T, rank: number): T {
  for (let i = 0; i < array.length; i++) {
    const noise = Math.sin(12.9898 * (i + 1) + 78.233 * (rank + 1)) * 43758.5453;
    array[i] = (noise - Math.floor(noise) - 0.5) * 10 ** ((i + 3 * rank) % 7);
  }
  return array;
}

/** The values of all ranks, added in their order in the array's own precision. */
export function reduced(kind: FloatKind, length: number, size: number, reduction: Reduction): FloatArray {
  const sums = fill(arrayOf(kind, length, "plain"), 0);
  for (let rank = 1; rank < size; rank++) {
    const values = fill(arrayOf(kind, length, "plain"), rank);
    for (let i = 0; i < length; i++) sums[i] += values[i];
  }
  if (reduction === "mean") for (let i = 0; i < length; i++) sums[i] /= size;
  return sums;
}

/** Equal for the same bits alone. */
export const digest = ({ buffer, byteOffset, byteLength }: ArrayBufferView): string =>
  createHash("sha256")
    .update(new Uint8Array(buffer, byteOffset, byteLength).slice())
    .digest("hex");
