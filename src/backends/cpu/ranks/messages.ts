/** What the leading rank and its followers tell each other. */
import type { RunOptions } from "../../../compile/backend.js";
import type { Plan } from "../../../compile/plan.js";
import type { GemmChoice } from "../gemm/index.js";
import type { WasmFeatures, WasmMemory } from "../wasm/index.js";

/** What a follower is started with. */
export interface FollowerStart {
  readonly rank: number;
  /** Counters: `turnAt` is advanced with every message, `finishedAt(rank)` by a follower that dealt with one. */
  readonly control: Int32Array;
  readonly gemm: GemmChoice;
  readonly searchPaths: readonly string[];
  readonly features: WasmFeatures;
}

/** Answered by a `Failure` before it counts as dealt with, or by nothing where all went well. */
export type ToFollower =
  | {
      readonly kind: "compile";
      readonly program: number;
      readonly plan: Plan;
      readonly memory: WasmMemory;
      readonly counters: SharedArrayBuffer;
      readonly patienceMs: number;
      /** The number of this process among several. */
      readonly process: number;
    }
  | {
      readonly kind: "run";
      readonly program: number;
      readonly entry: string;
      readonly steps: number;
      readonly options: RunOptions;
    }
  | { readonly kind: "release"; readonly program: number };

export const turnAt = 0;
/** Counters of different ranks lie on different lines. */
export const finishedAt = (rank: number): number => 32 * rank;
export const controlInts = (ranks: number): number => 32 * ranks;
