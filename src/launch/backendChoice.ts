/** Which backend computes, as plain data for worker threads; the only place that names concrete backends for training. */
import type { GemmChoice } from "../backends/cpu/gemm/select.js";
import { SlalomError } from "../base/errors.js";
import type { Backend } from "../compile/backend.js";
import type { World } from "./world.js";

export interface BackendChoice {
  readonly backend: BackendName;
  /** Who computes matrix products of the cpu backend. */
  readonly gemm: GemmChoice;
  /**
   * Of the cuda backend: which GPUs, one a rank, by default the first ones; the processes of a machine share them out.
   * Whether tensor cores compute products of float32 in TF32.
   */
  readonly devices?: readonly number[] | "all";
  readonly tf32?: boolean;
  /** Threads that share each training of the cpu backend, GPUs of the cuda backend; default 1, or as many as `devices`. */
  readonly ranks?: number;
  /** Processes that train together, each with so many ranks; by default this one is alone. */
  readonly world?: World;
}

export type BackendName = (typeof backendNames)[number];

/** "null" compiles and computes nothing. */
const backendNames = ["cpu", "cuda", "reference", "null"] as const;

/**
 * The backend as it describes itself: what it is and what it needs. No thread is started, and of several processes none
 * meets the others.
 * @throws SlalomError as `makeBackend` does
 */
export async function describeBackend(choice: BackendChoice): Promise<Omit<Backend, "compile">> {
  checkChoice(choice);
  const { backend, gemm, ranks = 1, world } = choice;
  switch (backend) {
    case "cpu": {
      const { describeCpuBackend } = await import("../backends/cpu/index.js");
      return describeCpuBackend({ gemm, ranks, processes: world?.size ?? 1 });
    }
    case "cuda":
      return (await import("./cuda.js")).describeCuda(choice);
    case "reference":
    case "null":
      return makeBackend(choice);
  }
}

/**
 * Makes the backend in the calling thread; of several processes each makes its own.
 * @throws SlalomError "library" where a library can't be had that was forced or that nothing replaces, "device" where there
 * are fewer GPUs than were asked for, "option" for ranks or devices that a backend does not have
 */
export async function makeBackend(choice: BackendChoice): Promise<Backend> {
  checkChoice(choice);
  const { backend, gemm, ranks = 1, world } = choice;
  switch (backend) {
    case "cpu": {
      const { cpuBackend } = await import("../backends/cpu/index.js");
      if (!world) return cpuBackend({ gemm, ranks });
      const { meetOnCpu } = await import("./cpu.js");
      const met = await meetOnCpu(choice, world);
      return cpuBackend({ gemm, ranks, ...met });
    }
    case "cuda":
      return (await import("./cuda.js")).makeCuda(choice);
    case "reference":
      return (await import("../backends/reference/index.js")).referenceBackend();
    case "null":
      return (await import("../backends/null/index.js")).nullBackend();
  }
}

function checkChoice({ backend, devices, tf32 = false, ranks = 1, world }: BackendChoice): void {
  if (backend !== "cpu" && backend !== "cuda" && (ranks > 1 || world)) {
    throw new SlalomError(
      "option",
      `backend ${backend}: received ${ranks * (world?.size ?? 1)} ranks; expected 1. Only cpu and cuda have more.`,
    );
  }
  if (backend !== "cuda" && (devices !== undefined || tf32)) {
    throw new SlalomError(
      "option",
      `backend ${backend}: received ${devices === undefined ? "TF32" : `devices ${devices}`}; expected neither devices nor TF32. Only the cuda backend has them (--backend cuda).`,
    );
  }
}
