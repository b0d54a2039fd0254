/** A cluster of Slurm for tests: slurmctld and two slurmd on this machine, where its packages and root are at hand. */
import { type ChildProcess, execFileSync, spawn, spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { openLibrary } from "../../../src/native/library.js";
import { launchers } from "../../collectives/worlds.js";

/** Why there is none here; undefined where there can be. */
export const lacking: string | undefined = ((): string | undefined => {
  if (process.platform !== "linux" || process.getuid?.() !== 0) return "needs root on Linux";
  const programs = ["munged", "slurmctld", "slurmd", "sbatch"];
  const folders = [...(process.env.PATH ?? "").split(":"), "/usr/sbin"];
  const missing = programs.filter((name) => !folders.some((folder) => namesIn(folder).includes(name)));
  return missing.length > 0 ? `needs ${missing.join(", ")}: slurm-wlm munge` : undefined;
})();

/** Open MPI's mpirun, where there is one. */
export const openMpi = launchers.find(({ title }) => title === "Open MPI")?.launcher;

/** Why srun can't start processes that meet by MPI here; undefined where it can. */
export const lackingTogether: string | undefined = ((): string | undefined => {
  if (lacking !== undefined) return lacking;
  if (openMpi === undefined) return "needs Open MPI: libopenmpi3 openmpi-bin";
  if (spawnSync("unshare", ["--mount", "true"]).status !== 0)
    return "needs unshare: the nodes share a machine";
  try {
    openLibrary("libpmix.so");
  } catch {
    return "needs libpmix.so, which srun's plugin opens: libpmix-dev";
  }
  return undefined;
})();

export interface Cluster {
  /** For commands that are to speak to it. */
  readonly env: Readonly<Record<string, string>>;
  /** Runs one of Slurm's commands and returns what it prints. */
  slurm(program: string, ...words: string[]): string;
  /** Ends everything that it started and all of its jobs. */
  stop(): Promise<void>;
}

/** Starts one; rejects with what its daemons said where it does not come up. */
export async function startCluster(): Promise<Cluster> {
  const folder = mkdtempSync(join(tmpdir(), "slalom-slurm-"));
  const script = fileURLToPath(new URL("./cluster.sh", import.meta.url));
  const ports = (await freePorts(3)).map(String);
  // It ends with its standard input, so also when this process is killed.
  const child = spawn("bash", [script, folder, ...ports], {
    stdio: ["pipe", "pipe", "pipe"],
    env: { ...process.env, PATH: `${process.env.PATH}:/usr/sbin` },
  });
  let told = "";
  child.stderr.on("data", (chunk: Buffer) => {
    told += chunk.toString();
  });
  const ended = new Promise<void>((resolve) => child.on("close", () => resolve()));
  const stop = async (): Promise<void> => {
    child.stdin.end();
    await ended;
    rmSync(folder, { recursive: true, force: true });
  };
  await Promise.race([firstOutput(child), ended]);
  if (child.exitCode !== null) {
    await stop();
    throw new Error(told);
  }
  const env = { SLURM_CONF: join(folder, "slurm.conf") };
  return {
    env,
    stop,
    slurm: (program, ...words) =>
      execFileSync(program, words, { encoding: "utf8", env: { ...process.env, ...env } }).trim(),
  };
}

/** Asks again and again until the answer is true. Slurm looks at its queue every few seconds; ten minutes are far too many. */
export async function until(happened: () => boolean): Promise<void> {
  const started = performance.now();
  while (!happened()) {
    if (performance.now() - started > 600_000) throw new Error(`not within ten minutes: ${happened}`);
    await setTimeout(100);
  }
}

const firstOutput = ({ stdout }: ChildProcess): Promise<void> =>
  new Promise((resolve) => stdout!.once("data", () => resolve()));

/** Ports that nobody listens on at this moment. */
async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, "127.0.0.1"));
  await Promise.all(servers.map((server) => new Promise<void>((go) => server.once("listening", () => go()))));
  const ports = servers.map((server) => (server.address() as AddressInfo).port);
  await Promise.all(servers.map((server) => new Promise<void>((go) => server.close(() => go()))));
  return ports;
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
