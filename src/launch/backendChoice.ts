/** Which backend computes, as plain data for worker threads; the only place that names concrete backends for training. */
import type { GemmChoice } from "../backends/cpu/gemm/select.js";
import { SlalomError } from "../base/errors.js";
import type { Backend } from "../compile/backend.js";
import type { World } from "./world.js";

export interface BackendChoice {
  readonly backend: BackendName;
  /** Who computes matrix products of the cpu backend. */
  readonly gemm: GemmChoice;
  /** Threads that share each training of the cpu backend; default 1. */
  readonly ranks?: number;
  /** Processes that train together, each with so many threads; by default this one is alone. */
  readonly world?: World;
}

export type BackendName = (typeof backendNames)[number];

/** "null" compiles and computes nothing. */
const backendNames = ["cpu", "reference", "null"] as const;

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
 * @throws SlalomError "library" where a forced library can't be had, "option" for ranks that a backend does not have
 */
export async function makeBackend({ backend, gemm, ranks = 1, world }: BackendChoice): Promise<Backend> {
  if (backend !== "cpu" && (ranks > 1 || world)) {
    throw new SlalomError(
      "option",
      `backend ${backend}: received ${ranks * (world?.size ?? 1)} ranks; expected 1. Only the cpu backend has more.`,
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
    case "reference":
      return (await import("../backends/reference/index.js")).referenceBackend();
    case "null":
      return (await import("../backends/null/index.js")).nullBackend();
  }
}
