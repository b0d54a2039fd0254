/** What there is of MPI on this machine, for `slalom doctor`. */
import { spawnSync } from "node:child_process";
import { failureInChildProcess } from "../../native/library.js";
import { type Environment, withoutWorld } from "../launched.js";
import type { MpiFamily } from "./abi.js";
import { findMpi, type MpiLibrary, type MpiRejection } from "./library.js";

export interface MpiLibraryProbe extends Pick<MpiLibrary, "title" | "version" | "path"> {
  readonly family: MpiFamily;
  /** Why it can't be used; undefined where it can. */
  readonly problem?: string;
}

export interface MpiProbe {
  readonly libraries: readonly MpiLibraryProbe[];
  readonly rejections: readonly MpiRejection[];
  /** What `mpirun` is; undefined where there is none. */
  readonly mpirun?: MpirunProbe;
}

export interface MpirunProbe {
  readonly title: string;
  readonly version: string;
  /** Undefined for one that we do not know. */
  readonly family?: MpiFamily;
}

const trialMs = 30_000;

/**
 * Looks for libraries, and starts and ends each in a process of its own; about a second.
 * @param environment of this process; that of a rank is kept from the trials
 */
export function probeMpi(environment: Environment): MpiProbe {
  const { libraries, rejections } = findMpi();
  const alone = withoutWorld(environment);
  const said = spawnSync("mpirun", ["--version"], { encoding: "utf8", env: alone, timeout: trialMs });
  return {
    libraries: libraries.map(({ title, version, path, abi }) => {
      const problem = failureInChildProcess(path, startAndEnd, { environment: alone, patienceMs: trialMs });
      return { title, version, path, family: abi.family, ...(problem !== undefined && { problem }) };
    }),
    rejections,
    ...(said.status === 0 && { mpirun: mpirunOf(said.stdout) }),
  };
}

const startAndEnd = [
  { prototype: "int MPI_Init(uint64 argc, uint64 argv)", args: [0, 0] },
  { prototype: "int MPI_Finalize()", args: [] },
];

/** Whose `mpirun` it is, from what it says with --version. */
export function mpirunOf(text: string): MpirunProbe {
  const openMpi = /\((?:Open MPI|OpenRTE)\) ([\w.]+)/.exec(text)?.[1];
  if (openMpi !== undefined) return { title: "Open MPI", version: openMpi, family: "openmpi" };
  const intel = /Intel\(R\) MPI Library.* Version ([\w.]+)/.exec(text)?.[1];
  if (intel !== undefined) return { title: "Intel MPI", version: intel, family: "mpich" };
  const hydra = /HYDRA[\s\S]*?Version:\s*([\w.]+)/.exec(text)?.[1];
  if (hydra !== undefined) return { title: "MPICH", version: hydra, family: "mpich" };
  return { title: text.split("\n")[0].trim().slice(0, 60), version: "" };
}
