/**
 * The world of an MPI job: starting the library, checking that it sees the ranks that were started, and ending all of
 * them where one fails.
 */
import { writeSync } from "node:fs";
import { hostname } from "node:os";
import { SlalomError } from "../../base/errors.js";
import { type Communicator, nameOf } from "../communicator.js";
import type { LaunchedWorld } from "../launched.js";
import { Mpi } from "./calls.js";
import { MpiCommunicator, type MpiProcess, type WorldMember } from "./communicator.js";
import { installCommand, type MpiLibrary } from "./library.js";
import { RollCall } from "./rollCall.js";
import { watched } from "./watch.js";

const timeToReadMs = 500;

export interface MpiWorldOptions {
  readonly library: MpiLibrary;
  /** What the launcher said. */
  readonly launched?: LaunchedWorld;
  readonly patienceMs: number;
  /** For MPI to start. */
  readonly startPatienceMs: number;
}

/**
 * Starts MPI, or joins what another thread of this process has started, and gives the communicator of all ranks. From
 * then on a process that ends with another exit code than 0, as after an uncaught error, ends the others; one that ends
 * well closes the communicator.
 *
 * @throws SlalomError "library" where the library refuses, or sees another world than the launcher
 */
export function openMpiWorld({
  library,
  launched,
  patienceMs,
  startPatienceMs,
}: MpiWorldOptions): Communicator {
  const mpi = new Mpi(library);
  if (mpi.isFinalized()) {
    throw new SlalomError(
      "library",
      "MPI was ended in this process and cannot be started again; expected one communicator for its whole life.",
    );
  }
  const isFirst = !mpi.isInitialized();
  if (isFirst) initialize(mpi, startPatienceMs, launched);
  checkWorld(mpi, launched);

  const members: WorldMember[] = [];
  const handle = mpi.duplicate(mpi.abi.world);
  let communicators = 0;
  const shared: MpiProcess = {
    mpi,
    rollCall: new RollCall(mpi, mpi.duplicate(mpi.abi.world), members),
    patienceMs,
    nextCommunicator: () => communicators++,
  };
  const self = { node: hostname(), processId: process.pid, worldRank: mpi.rankOf(handle) };
  const release = (): void => {
    ending.disarm();
    if (isFirst) mpi.finalize();
  };
  const world = new MpiCommunicator(shared, handle, self, release);
  members.push(...world.members);
  const ending = endTogether(world, mpi);
  return world;
}

function initialize(mpi: Mpi, patienceMs: number, launched: LaunchedWorld | undefined): void {
  const who = `rank ${launched?.rank ?? 0} (process ${process.pid} on node ${hostname()})`;
  watched(() => mpi.initialize(), {
    patienceMs,
    message: `slalom: ${who} has waited ${patienceMs / 1000} s for MPI to start: another rank has not started it, or the launcher does not answer. All ranks end.`,
  });
}

/** From now on the end of this process is the end of the world: a good one, with all others, or a bad one. */
function endTogether(world: Communicator, mpi: Mpi): { disarm(): void } {
  let uncaught: unknown;
  const see = (error: unknown): void => {
    uncaught = error;
  };
  const end = (code: number): void => {
    let problem: unknown = code === 0 ? undefined : (uncaught ?? `ended with exit code ${code}`);
    try {
      if (code === 0) world.close();
    } catch (error) {
      problem = error;
    }
    if (problem === undefined) return;
    // Node itself tells of the error only after this, and there is no after.
    const who = nameOf(world.members[world.rank]);
    writeSync(2, `slalom: ${who}: ${textOf(problem)}\nAll ${world.size} ranks end.\n`);
    // A launcher that is told to abort no longer passes on what it has not yet read.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, timeToReadMs);
    mpi.abort(code || 1);
  };
  process.on("uncaughtExceptionMonitor", see);
  process.on("exit", end);
  return {
    disarm() {
      process.off("uncaughtExceptionMonitor", see);
      process.off("exit", end);
    },
  };
}

/** The message alone of an error that says what to do, the stack of others. */
function textOf(problem: unknown): string {
  if (problem instanceof SlalomError) return problem.message;
  return problem instanceof Error ? (problem.stack ?? problem.message) : String(problem);
}

/** @throws SlalomError "library" where the launcher started another world than the library sees */
function checkWorld(mpi: Mpi, launched: LaunchedWorld | undefined): void {
  const [rank, size] = [mpi.rankOf(mpi.abi.world), mpi.sizeOf(mpi.abi.world)];
  const problem = worldMismatch({ rank, size }, launched, mpi.library);
  if (problem !== undefined) throw new SlalomError("library", problem);
}

/** Why the worlds of library and launcher differ and what to do; undefined where they do not. */
export function worldMismatch(
  { rank, size }: { readonly rank: number; readonly size: number },
  launched: LaunchedWorld | undefined,
  {
    title,
    version,
    path,
    abi,
  }: Pick<MpiLibrary, "title" | "version" | "path"> & {
    readonly abi: Pick<MpiLibrary["abi"], "family">;
  },
): string | undefined {
  if (launched === undefined) return undefined;
  if (launched.rank === rank && (launched.size ?? size) === size) return undefined;
  const library = `${title} ${version} (${path})`;
  const started = `MPI: ${launched.title} started this process as rank ${launched.rank}${launched.size === undefined ? "" : ` of ${launched.size}`} (${launched.from}), but ${library} sees rank ${rank} of ${size}`;
  if (size !== 1) return `${started}; expected the same. Is it a variable that was left from another job?`;
  const other = abi.family === "openmpi" ? "mpich" : "openmpi";
  const remedy =
    launched.launcher === abi.family
      ? `Its mpirun is of another installation: take the mpirun beside the library, or set LD_LIBRARY_PATH to the library beside the mpirun.`
      : launched.launcher === "slurm"
        ? `srun speaks another protocol than the library: start with srun --mpi=${abi.family === "openmpi" ? "pmix" : "pmi2"} (srun --mpi=list shows what there is).`
        : `Start with the mpirun of ${title} (Debian: ${abi.family === "openmpi" ? "mpirun.openmpi" : "mpirun.mpich"}), or install the library of this one: ${installCommand(other)}.`;
  return `${started}: each process would be a world of its own, as the launcher belongs to another MPI library. ${remedy}`;
}
