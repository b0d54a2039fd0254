/** The communicator of this process: alone where nobody started it as one of several, else by MPI. */
import { checkKeys, SlalomError } from "../base/errors.js";
import { aloneCommunicator } from "./alone.js";
import type { Communicator } from "./communicator.js";
import { type Environment, type LaunchedWorld, launchedWorld } from "./launched.js";
import { selectMpi } from "./mpi/library.js";
import { openMpiWorld } from "./mpi/world.js";

export interface OpenCommunicatorOptions {
  /** The variables of this process, in which launchers tell of the world. */
  readonly environment: Environment;
  /** The file of the MPI library; by default the one that the launcher seems to be of. */
  readonly library?: string;
  /** How long ranks wait for one another before they end, ms; 120 s by default. */
  readonly patienceMs?: number;
  /** The same for the first time that they meet, as machines start at different speeds; 120 s by default. */
  readonly startPatienceMs?: number;
}

/**
 * Meets the other ranks that mpirun or srun started. Collective: every rank opens its communicator, and closes it at its
 * end. Only the thread that opens it may use it; another thread may open one of its own, in the same order on all ranks.
 *
 * ```ts
 * const world = openCommunicator({ environment });
 * const gradients = new Float32Array(memory.buffer, offset, count);
 * world.allReduce(gradients, "mean");
 * world.close();
 * ```
 *
 * @throws SlalomError "library" where no MPI library works here, it is not the launcher's, or the launcher tells no way to
 *   meet
 */
export function openCommunicator(options: OpenCommunicatorOptions): Communicator {
  checkKeys("openCommunicator", options, ["environment", "library", "patienceMs", "startPatienceMs"]);
  const { environment, library, patienceMs = 120_000, startPatienceMs = 120_000 } = options;
  for (const [name, ms] of Object.entries({ patienceMs, startPatienceMs })) {
    if (Number.isFinite(ms) && ms > 0) continue;
    throw new SlalomError("option", `openCommunicator: ${name} ${ms}; expected milliseconds, above 0.`);
  }
  const launched = launchedWorld(environment);
  if (launched === undefined || launched.size === 1) return aloneCommunicator();
  checkWay(launched, environment);
  const found = selectMpi({
    prefer: launched.launcher === "mpich" ? "mpich" : "openmpi",
    ...(library !== undefined && { path: library }),
  });
  return openMpiWorld({ library: found, launched, patienceMs, startPatienceMs });
}

/** Of itself srun tells ranks and no more: Open MPI would end the process without a word of ours. */
function checkWay({ launcher, rank, size, from }: LaunchedWorld, environment: Environment): void {
  if (launcher !== "slurm" || Object.keys(environment).some((name) => /^PMIX?_/.test(name))) return;
  throw new SlalomError(
    "library",
    `MPI: srun started this process as rank ${rank} of ${size} (${from}) and told it no way to meet the others; expected PMIx, for Open MPI, or PMI-2, for MPICH. Start with srun --mpi=pmix or srun --mpi=pmi2 (srun --mpi=list shows what there is).`,
  );
}
