/**
 * Memory that this process may still take: what the machine has free, or less where a control group (containers, Slurm,
 * systemd) or a Slurm job without one allows less.
 */
import { readFileSync } from "node:fs";
import { totalmem } from "node:os";
import { posix } from "node:path";

export interface AvailableMemory {
  readonly bytes: number;
  /** Whose limit that is. */
  readonly limit: MemoryLimit;
}

export type MemoryLimit = "machine" | "control group" | "Slurm job";

/** Where the figures come from. */
export interface MemorySources {
  /** A file's text; undefined where there is none. */
  readonly readText: (path: string) => string | undefined;
  /** Memory that the machine is built with: all that is known where no file says what is free. */
  readonly machineBytes: number;
  /** Memory that this process has taken already. */
  readonly ownBytes: number;
  /** Variables of the environment, in which Slurm says what a job asked for. */
  readonly environment: Readonly<Record<string, string | undefined>>;
}

/** The least of all limits. `environment`: by default none, and no job of Slurm is seen. */
export function availableMemory(sources: Partial<MemorySources> = {}): AvailableMemory {
  const {
    readText = textOrNothing,
    machineBytes = totalmem(),
    ownBytes = process.memoryUsage.rss(),
    environment = {},
  } = sources;
  const limits: AvailableMemory[] = [
    { bytes: freeBytes(readText) ?? machineBytes, limit: "machine" },
    ...controlGroups(readText).map((group): AvailableMemory => ({ bytes: group, limit: "control group" })),
  ];
  const job = jobBytes(environment);
  if (job !== undefined) limits.push({ bytes: Math.max(0, job - ownBytes), limit: "Slurm job" });
  return limits.reduce((least, one) => (one.bytes < least.bytes ? one : least));
}

function textOrNothing(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}

type ReadText = MemorySources["readText"];

/** Of Linux: what programs can have before the system swaps, caches of files given up. */
function freeBytes(readText: ReadText): number | undefined {
  const kibibytes = /^MemAvailable:\s+(\d+) kB$/m.exec(readText("/proc/meminfo") ?? "")?.[1];
  return kibibytes === undefined ? undefined : Number(kibibytes) * 1024;
}

/** What each control group that this process is in, or that holds one of those, still allows. */
function controlGroups(readText: ReadText): number[] {
  const lines = (readText("/proc/self/cgroup") ?? "").split("\n");
  return lines.flatMap((line) => {
    const [, controllers, path] = /^\d+:([^:]*):(\/.*)$/.exec(line) ?? [];
    if (path === undefined) return [];
    if (controllers === "") return ancestors("/sys/fs/cgroup", path).flatMap(unified(readText));
    if (controllers.split(",").includes("memory"))
      return ancestors("/sys/fs/cgroup/memory", path).flatMap(legacy(readText));
    return [];
  });
}

/** The folder of the group and those of all groups around it; inside a container the last is the container's own. */
function ancestors(mount: string, path: string): string[] {
  const parts = posix.normalize(path).split("/").filter(Boolean);
  return parts.map((_, i) => posix.join(mount, ...parts.slice(0, parts.length - i))).concat(mount);
}

/** Of version 2. Beyond `memory.high` a group is slowed down until it is of no use. */
const unified =
  (readText: ReadText) =>
  (folder: string): number[] => {
    const limits = ["memory.max", "memory.high"].map((file) => number(readText(`${folder}/${file}`)));
    const used = number(readText(`${folder}/memory.current`));
    return remaining(Math.min(...limits), used, readText(`${folder}/memory.stat`));
  };

/** Of version 1. */
const legacy =
  (readText: ReadText) =>
  (folder: string): number[] => {
    const limit = number(readText(`${folder}/memory.limit_in_bytes`));
    const used = number(readText(`${folder}/memory.usage_in_bytes`));
    return remaining(limit, used, readText(`${folder}/memory.stat`));
  };

/** Files in the group's cache count as used, and are given up when programs need the memory. */
function remaining(limit: number, used: number, statistics = ""): number[] {
  // Without a limit version 1 says a number that no machine has.
  if (!(limit < 2 ** 60)) return [];
  // Version 1 has those of the group alone as well, without those of the groups in it: the larger count.
  const cached = ["active_file", "inactive_file"].map((name) =>
    Math.max(
      0,
      ...[...statistics.matchAll(new RegExp(`^(?:total_)?${name} (\\d+)$`, "gm"))].map(([, n]) => Number(n)),
    ),
  );
  const held = Number.isFinite(used) ? Math.max(0, used - cached[0] - cached[1]) : 0;
  return [Math.max(0, limit - held)];
}

/** Infinity for "max" and where there is no such file. */
const number = (text: string | undefined): number =>
  text !== undefined && /^\d+\s*$/.test(text) ? Number(text) : Number.POSITIVE_INFINITY;

/** What a job of Slurm may take on this machine, in MiB in its variables; 0 is the whole machine. */
function jobBytes(environment: MemorySources["environment"]): number | undefined {
  const value = (name: string): number => Number(environment[name] ?? Number.NaN);
  const mebibytes = value("SLURM_MEM_PER_NODE") || value("SLURM_MEM_PER_CPU") * value("SLURM_CPUS_ON_NODE");
  return mebibytes > 0 ? mebibytes * 2 ** 20 : undefined;
}
