/** The backend of a choice: the only place that names concrete backends for training. */
import { SlalomError } from "../base/errors.js";
import type { Backend } from "../compile/backend.js";
import type { BackendChoice, WorkerBackends } from "./backendChoice.js";
import type { WorkerWish } from "./devices.js";
import type { World } from "./world.js";

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
 * The backends of workers as they describe themselves; GPUs are divided among them, and all else is the same for each.
 * @throws SlalomError as `makeBackend` does, "device" where GPUs can't be divided so
 */
export async function describeWorkers(choice: BackendChoice, wish: WorkerWish): Promise<WorkerBackends> {
  checkChoice(choice);
  const { backend, world } = choice;
  if (backend === "cuda" && !world) return (await import("./cuda.js")).describeCudaWorkers(choice, wish);
  const { count = world ? 1 : wish.useful } = wish;
  return {
    backend: await describeBackend(choice),
    choices: Array.from({ length: count }, () => choice),
    gpus: [],
  };
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

/**
 * Computes what rank 0 tells, with a backend of the same choice, until rank 0 is done. Signals are for rank 0: it ends
 * the training where it can go on, and then the others. With a backend that has no ranks it says so, and nobody follows.
 */
export async function followWorld(choice: BackendChoice, world: World): Promise<void> {
  const ignored = ["SIGINT", "SIGTERM", "SIGUSR2"] as const;
  const ignore = (): void => {};
  for (const signal of ignored) process.on(signal, ignore);
  if (choice.backend === "cpu") await (await import("./cpu.js")).followCpu(choice, world);
  if (choice.backend === "cuda") await (await import("./cuda.js")).followCuda(choice, world);
  for (const signal of ignored) process.off(signal, ignore);
}
