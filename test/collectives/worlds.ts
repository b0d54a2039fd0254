/** Starts worlds of real processes with the launchers that this machine has, and sees them end. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { OpenCommunicatorOptions } from "../../src/collectives/index.js";
import { withoutWorld } from "../../src/collectives/launched.js";
import { findMpi, type MpiLibrary } from "../../src/collectives/mpi/library.js";

export interface Launcher {
  readonly title: string;
  readonly command: string;
  readonly words: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly library: Pick<MpiLibrary, "title" | "version" | "path">;
}

const openMpiWords = ["--oversubscribe", "--bind-to", "none"];

const kinds = [
  {
    title: "Open MPI",
    family: "openmpi",
    commands: ["mpirun.openmpi", "mpirun"],
    says: /Open MPI/,
    words: openMpiWords,
    install: "apt-get install libopenmpi3 openmpi-bin",
  },
  {
    title: "MPICH",
    family: "mpich",
    commands: ["mpirun.mpich", "mpirun"],
    says: /HYDRA/,
    words: [],
    install: "apt-get install mpich",
  },
] as const;

interface Kind {
  readonly title: string;
  readonly launcher?: Launcher;
  readonly absence: string;
}

/** What the system has. */
const installed = kinds.map(({ title, family, commands, says, words, install }): Kind => {
  const absence = `needs ${title}: ${install}`;
  const library = findMpi({ prefer: family }).libraries.find(({ abi }) => abi.family === family);
  const command = commands.find((name) =>
    says.test(spawnSync(name, ["--version"], { encoding: "utf8" }).stdout ?? ""),
  );
  if (library === undefined || command === undefined) return { title, absence };
  return { title, absence, launcher: { title, command, words, library } };
});

/** An Open MPI 5 that was unpacked anywhere, beside the system's older one. */
function unpackedOpenMpi(prefix: string | undefined): Kind {
  const title = "Open MPI 5";
  const absence = `needs ${title}: SLALOM_TEST_OPENMPI, the folder with its bin and lib`;
  if (prefix === undefined) return { title, absence };
  const environment = {
    ...{ OPAL_PREFIX: prefix, PRTE_PREFIX: prefix, PMIX_PREFIX: prefix },
    LD_LIBRARY_PATH: join(prefix, "lib"),
  };
  const command = join(prefix, "bin/mpirun");
  const told = spawnSync(command, ["--version"], {
    encoding: "utf8",
    env: { ...process.env, ...environment },
  });
  const [, version] = /Open MPI\) (5\.[\w.]+)/.exec(told.stdout ?? "") ?? [];
  if (version === undefined) throw new Error(`SLALOM_TEST_OPENMPI: ${command} is not of ${title}`);
  const library = { title: "Open MPI", version, path: join(prefix, "lib/libmpi.so.40") };
  return { title, absence, launcher: { title, command, words: openMpiWords, environment, library } };
}

/** What there is: a launcher, or why there is none. */
export const launchers: readonly Kind[] = [...installed, unpackedOpenMpi(process.env.SLALOM_TEST_OPENMPI)];

const program = fileURLToPath(new URL("./rank.mjs", import.meta.url));
const root = mkdtempSync(join(tmpdir(), "slalom-worlds-"));
const started: World[] = [];

export interface Ended {
  readonly code: number | null;
  /** Standard output and error together. */
  readonly text: string;
}

/** A launcher at work, and how it ends. */
export interface Launched {
  readonly process: ChildProcess;
  readonly ended: Promise<Ended>;
}

export interface World extends Launched {
  /** The process ids of the ranks that have started, by rank. */
  processes(): number[];
  /** What a rank found. */
  found<T>(rank: number): T;
  hasFound(rank: number): boolean;
}

/** Starts Node `size` times with the same words: as root too, and in no world that these tests may run in. */
export function launch(
  { command, words, environment }: Launcher,
  size: number,
  program: readonly string[],
  cwd?: string,
): Launched {
  const child = spawn(command, [...words, "-np", `${size}`, process.execPath, ...program], {
    ...(cwd !== undefined && { cwd }),
    env: {
      ...withoutWorld(process.env),
      OMPI_ALLOW_RUN_AS_ROOT: "1",
      OMPI_ALLOW_RUN_AS_ROOT_CONFIRM: "1",
      NO_COLOR: "1",
      ...environment,
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let text = "";
  for (const stream of [child.stdout, child.stderr])
    stream.on("data", (chunk: Buffer) => {
      text += chunk.toString();
    });
  return {
    process: child,
    ended: new Promise((resolve) => child.on("close", (code) => resolve({ code, text }))),
  };
}

/** Starts `size` ranks of a scenario of rank.mjs. */
export function startWorld(
  launcher: Launcher,
  size: number,
  scenario: string,
  options: Omit<OpenCommunicatorOptions, "environment"> = {},
): World {
  const folder = mkdtempSync(join(root, `${scenario}-`));
  const world: World = {
    ...launch(launcher, size, [program, scenario, folder, JSON.stringify(options)]),
    processes: () =>
      readdirSync(folder)
        .filter((name) => name.startsWith("started-"))
        .sort()
        .map((name) => Number(readFileSync(join(folder, name), "utf8"))),
    found: <T>(rank: number) => JSON.parse(readFileSync(join(folder, `found-${rank}.json`), "utf8")) as T,
    hasFound: (rank) => existsSync(join(folder, `found-${rank}.json`)),
  };
  started.push(world);
  return world;
}

/** Waits for what a running world does. */
export async function waitFor(world: World, condition: () => boolean): Promise<void> {
  let isOver = false;
  world.ended.then(() => {
    isOver = true;
  });
  while (!condition()) {
    if (isOver) throw new Error(`the world ended too early:\n${(await world.ended).text}`);
    await setTimeout(20);
  }
}

/** The processes that still run once the launcher's work of ending them has had time. */
export async function survivors(world: World): Promise<number[]> {
  for (let tries = 0; tries < 300; tries++) {
    if (world.processes().every((id) => !isRunning(id))) return [];
    await setTimeout(100);
  }
  return world.processes().filter(isRunning);
}

/** Ends whatever a failed test has left, and the folders. */
export function endWorlds(): void {
  for (const world of started) {
    for (const id of world.processes().filter(isRunning)) process.kill(id, "SIGKILL");
    world.process.kill("SIGKILL");
  }
  rmSync(root, { recursive: true, force: true });
}

/** An orphan that has ended and waits for init to see it runs no longer. */
function isRunning(id: number): boolean {
  try {
    process.kill(id, 0);
  } catch {
    return false;
  }
  try {
    return !/^State:\s*[ZX]/m.test(readFileSync(`/proc/${id}/status`, "utf8"));
  } catch {
    return existsSync("/proc/self") === false;
  }
}
