/** Which backend computes, as plain data for worker threads; the only place that names concrete backends for training. */
import type { GemmChoice } from "../backends/cpu/gemm/select.js";
import { SlalomError } from "../base/errors.js";
import type { Backend } from "../compile/backend.js";

export interface BackendChoice {
  readonly backend: BackendName;
  /** Who computes matrix products of the cpu backend. */
  readonly gemm: GemmChoice;
  /** Threads that share each training of the cpu backend; default 1. */
  readonly ranks?: number;
}

export type BackendName = (typeof backendNames)[number];

/** "null" compiles and computes nothing. */
const backendNames = ["cpu", "reference", "null"] as const;

/** Makes the backend in the calling thread. Throws "library" where a forced library can't be had. */
export async function makeBackend({ backend, gemm, ranks = 1 }: BackendChoice): Promise<Backend> {
  if (backend !== "cpu" && ranks > 1) {
    throw new SlalomError(
      "option",
      `backend ${backend}: received ${ranks} ranks; expected 1. Only the cpu backend has more.`,
    );
  }
  switch (backend) {
    case "cpu":
      return (await import("../backends/cpu/index.js")).cpuBackend({ gemm, ranks });
    case "reference":
      return (await import("../backends/reference/index.js")).referenceBackend();
    case "null":
      return (await import("../backends/null/index.js")).nullBackend();
  }
}
