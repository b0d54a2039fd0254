/**
 * Starting this command line as several processes of one machine or of those of a host file, by the mpirun of Open MPI or
 * of MPICH. What it takes from either of them stands in one table.
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { constants } from "node:os";
import { SlalomError } from "../base/errors.js";
import type { MpiFamily } from "../collectives/mpi/abi.js";
import { findMpi, installCommand } from "../collectives/mpi/library.js";
import { type MpirunProbe, mpirunOf } from "../collectives/mpi/probe.js";
import { coreCount } from "./threads.js";

export interface MpirunRequest {
  /** Processes. */
  readonly ntasks: number;
  /** Threads of each. */
  readonly ranks: number;
  /** Machines, as this mpirun reads them; by default this one. */
  readonly hostfile?: string;
  /** The program, with options of the user behind it: "mpirun.openmpi --mca btl tcp,self". */
  readonly mpirun: string;
  /** Whether there may be more ranks than cores. */
  readonly oversubscribe: boolean;
}

interface Dialect {
  /** Processes are not bound to cores: their threads would share one. */
  readonly options: (request: MpirunRequest, own: readonly string[]) => readonly string[];
  /** What reaches the processes and leaves them their time: rank 0 keeps everything, and ends with the code of a requeue. */
  readonly gently: NodeJS.Signals;
  /** What ends them within a second or two. */
  readonly atOnce: NodeJS.Signals;
  /** For whom this command line was started as root already. */
  readonly asRoot: readonly string[];
}

const dialects: Readonly<Record<MpiFamily, Dialect>> = {
  openmpi: {
    options: ({ hostfile, oversubscribe }, own) => [
      ...(own.some((word) => /^--?bind-to$/.test(word)) ? [] : ["--bind-to", "none"]),
      ...(oversubscribe ? ["--oversubscribe"] : []),
      ...(hostfile === undefined ? [] : ["--hostfile", hostfile]),
    ],
    gently: "SIGUSR2",
    atOnce: "SIGTERM",
    asRoot: [
      ...["OMPI_ALLOW_RUN_AS_ROOT", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM"],
      ...["PRTE_ALLOW_RUN_AS_ROOT", "PRTE_ALLOW_RUN_AS_ROOT_CONFIRM"],
    ],
  },
  mpich: {
    options: ({ hostfile }) => (hostfile === undefined ? [] : ["-f", hostfile]),
    // SIGUSR2 would end it, and leave them.
    gently: "SIGTERM",
    atOnce: "SIGKILL",
    asRoot: [],
  },
};

export interface MpirunCommand {
  readonly family: MpiFamily;
  readonly words: readonly string[];
  /** Variables of its environment beside those of this process. */
  readonly env: Readonly<Record<string, string>>;
}

/**
 * The command that starts `program` as so many processes.
 * @throws SlalomError "library" for an mpirun that is not there, is of no known MPI, or of another one than the library;
 *   "device" for more ranks than cores; "option" for a host file that is not there
 */
export function mpirunCommand(request: MpirunRequest, program: readonly string[]): MpirunCommand {
  const { ntasks, ranks, hostfile, oversubscribe } = request;
  const [name = "", ...own] = request.mpirun.split(/\s+/).filter(Boolean);
  const family = checkFamily(name, probeMpirun(name));
  if (hostfile !== undefined && !existsSync(hostfile)) {
    throw new SlalomError(
      "option",
      `--hostfile ${hostfile}: there is no such file; expected one with a machine in each line.`,
    );
  }
  const cores = coreCount();
  // In a job of Slurm mpirun knows the nodes that it was given.
  const isHere = hostfile === undefined && process.env.SLURM_JOB_ID === undefined;
  if (isHere && !oversubscribe && ntasks * ranks > cores) {
    throw new SlalomError(
      "device",
      `--ntasks ${ntasks}${ranks > 1 ? ` --ranks ${ranks}` : ""}: received ${ntasks * ranks} ranks, and this machine gives ${cores} core${cores === 1 ? "" : "s"}; expected at most one rank a core: those that wait for a core make all others wait. Take fewer, more machines (--hostfile), or --oversubscribe all the same.`,
    );
  }
  const { options, asRoot } = dialects[family];
  const isRoot = process.getuid?.() === 0;
  return {
    family,
    words: [name, ...own, ...options(request, own), "-np", `${ntasks}`, ...program],
    env: Object.fromEntries(isRoot ? asRoot.map((variable) => [variable, "1"]) : []),
  };
}

function probeMpirun(name: string): MpirunProbe {
  const { stdout, stderr, error } = spawnSync(name, ["--version"], { encoding: "utf8", timeout: 60_000 });
  if (!error) return mpirunOf(`${stdout}${stderr}`);
  const isAbsent = "code" in error && error.code === "ENOENT";
  throw new SlalomError(
    "library",
    `${name}: ${isAbsent ? "there is no such program on the path" : error.message}; expected the mpirun of Open MPI or MPICH. Install one: ${installCommand("openmpi")}; or name yours: --mpirun.`,
    { cause: error },
  );
}

/** @throws SlalomError "library" unless a library here can join what this mpirun starts */
export function checkFamily(
  name: string,
  { title, version, family }: MpirunProbe,
  libraries: readonly {
    readonly title: string;
    readonly version: string;
    readonly family: MpiFamily;
  }[] = here(),
): MpiFamily {
  if (family === undefined) {
    throw new SlalomError(
      "library",
      `${name} --version: received ${JSON.stringify(title)}, which is no MPI that Slalom knows; expected Open MPI, MPICH or one of its kind (Intel MPI, MVAPICH, Cray MPICH). Name another: --mpirun.`,
    );
  }
  if (libraries.some((library) => library.family === family)) return family;
  const others = libraries.map((library) => `${library.title} ${library.version}`.trim());
  throw new SlalomError(
    "library",
    `${name} is of ${`${title} ${version}`.trim()}, whose library does not load here${others.length > 0 ? ` (${others.join(", ")} does)` : ""}; expected both of one MPI. Install the library: ${installCommand(family)}${others.length > 0 ? "; or take the mpirun of the other: --mpirun" : ""}.`,
  );
}

const here = () =>
  findMpi().libraries.map(({ title, version, abi: { family } }) => ({ title, version, family }));

const signals = ["SIGINT", "SIGTERM", "SIGUSR2"] as const;

export interface MpirunEnd {
  /** Its exit code; 128 and the number of the signal that ended it. */
  readonly code: number;
  /** The first signal that this process got meanwhile. */
  readonly received?: (typeof signals)[number];
}

/**
 * Runs it to its end. What it prints goes where this process prints. A signal is passed on so that rank 0 keeps everything;
 * a second Ctrl-C ends all of them at once.
 */
export async function runMpirun({ family, words, env }: MpirunCommand): Promise<MpirunEnd> {
  const { gently, atOnce } = dialects[family];
  const [name, ...rest] = words;
  const child: ChildProcess = spawn(name, rest, {
    stdio: ["ignore", "inherit", "inherit"],
    // Its processes see a terminal where there is none.
    env: { ...process.env, ...(process.stdout.isTTY !== true && { NO_COLOR: "1" }), ...env },
    // A terminal sends Ctrl-C to all programs of a group, and mpirun would take it for an end at once.
    detached: true,
  });
  let received: MpirunEnd["received"];
  const pass = (signal: NodeJS.Signals): void => {
    if (received === undefined) child.kill(gently);
    else if (signal === "SIGINT") child.kill(atOnce);
    received ??= signal as MpirunEnd["received"];
  };
  for (const signal of signals) process.on(signal, pass);
  try {
    const code = await new Promise<number>((resolve, reject) => {
      child.on("error", reject);
      child.on("close", (exit, signal) => resolve(exit ?? 128 + constants.signals[signal!]));
    });
    return { code, ...(received && { received }) };
  } finally {
    for (const signal of signals) process.off(signal, pass);
  }
}
