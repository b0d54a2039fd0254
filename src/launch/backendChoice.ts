/** Which backend computes, as plain data for worker threads; the only place that names concrete backends for training. */
import type { GemmChoice } from "../backends/cpu/gemm/select.js";
import { SlalomError } from "../base/errors.js";
import type { Backend } from "../compile/backend.js";
import type { World } from "./world.js";

export interface BackendChoice {
  readonly backend: BackendName;
  /** Who computes matrix products of the cpu backend. */
  readonly gemm: GemmChoice;
  /** Of the cuda backend: which GPU, by default 0, and whether its tensor cores compute products of float32 in TF32. */
  readonly device?: number;
  readonly tf32?: boolean;
  /** Threads that share each training of the cpu backend; default 1. */
  readonly ranks?: number;
  /** Processes that train together, each with so many threads; by default this one is alone. */
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
  if (choice.backend !== "cpu") return makeBackend(choice);
  const { gemm, ranks = 1, world } = choice;
  const { describeCpuBackend } = await import("../backends/cpu/index.js");
  return describeCpuBackend({ gemm, ranks, processes: world?.size ?? 1 });
}

/**
 * Makes the backend in the calling thread; of several processes each makes its own.
 * @throws SlalomError "library" where a library can't be had that was forced or that nothing replaces, "device" where there
 * is no such GPU, "option" for ranks or a device that a backend does not have
 */
export async function makeBackend(choice: BackendChoice): Promise<Backend> {
  const { backend, gemm, device, tf32 = false, ranks = 1, world } = choice;
  if (backend !== "cpu" && (ranks > 1 || world)) {
    throw new SlalomError(
      "option",
      `backend ${backend}: received ${ranks * (world?.size ?? 1)} ranks; expected 1. Only the cpu backend has more.`,
    );
  }
  if (backend !== "cuda" && (device !== undefined || tf32)) {
    throw new SlalomError(
      "option",
      `backend ${backend}: received ${device === undefined ? "TF32" : `device ${device}`}; expected neither a device nor TF32. Only the cuda backend has them (--backend cuda).`,
    );
  }
  switch (backend) {
    case "cpu": {
      const { cpuBackend } = await import("../backends/cpu/index.js");
      if (!world) return cpuBackend({ gemm, ranks });
      const { meet } = await import("./agreement.js");
      const communicator = await meet({ gemm, ranks }, world);
      return cpuBackend({ gemm, ranks, ...(communicator && { communicator }) });
    }
    case "cuda": {
      const { cudaBackend } = await import("../backends/cuda/index.js");
      return cudaBackend({
        environment: process.env,
        ...(device !== undefined && { devices: [device] }),
        precision: tf32 ? "tf32" : "float32",
      });
    }
    case "reference":
      return (await import("../backends/reference/index.js")).referenceBackend();
    case "null":
      return (await import("../backends/null/index.js")).nullBackend();
  }
}
