/** Which backend computes, as plain data for worker threads. */
import type { GemmChoice } from "../backends/cpu/gemm/select.js";
import type { Backend } from "../compile/backend.js";
import type { World } from "./world.js";

export interface BackendChoice {
  readonly backend: BackendName;
  /** Who computes matrix products of the cpu backend. */
  readonly gemm: GemmChoice;
  /**
   * Of the cuda backend: which GPUs, one a rank, by default the first ones; the processes of a machine share them out, and
   * so do the workers of a process.
   * Whether tensor cores compute products of float32 in TF32.
   */
  readonly devices?: readonly number[] | "all";
  readonly tf32?: boolean;
  /** Threads that share each training of the cpu backend, GPUs of the cuda backend; default 1, or as many as `devices`. */
  readonly ranks?: number;
  /** Processes that train together, each with so many ranks; by default this one is alone. */
  readonly world?: World;
}

/** "null" compiles and computes nothing. */
export type BackendName = "cpu" | "cuda" | "reference" | "null";

/** The backends of workers that train runs of their own each. */
export interface WorkerBackends {
  /** As each of them makes it. */
  readonly backend: Omit<Backend, "compile">;
  /** What each of them makes. */
  readonly choices: readonly BackendChoice[];
  /** The GPUs of each, by their numbers: "0", "2+3"; of other backends none. */
  readonly gpus: readonly string[];
}
