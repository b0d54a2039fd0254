/**
 * The part of a file that has arrived. While a process writes it, its name holds host and process, so that two never
 * write one file; left alone it is NAME.part, from which the next process goes on. No lock: taking over is a rename.
 */
import { randomBytes } from "node:crypto";
import { mkdir, open, readdir, rename, rm, stat } from "node:fs/promises";
import { hostname } from "node:os";
import { basename, dirname, join } from "node:path";
import { diskFailure } from "./failure.js";

export interface PartFile {
  readonly path: string;
  /** Bytes on disk. */
  size(): Promise<number>;
  /** Puts the whole file under its name, durably, and removes what earlier processes left of it. */
  finish(): Promise<void>;
  /** Leaves it for a later process, if the disk lets it; throws nothing. */
  keep(): Promise<void>;
  /** Removes it, and what earlier processes left. */
  discard(): Promise<void>;
}

/** The part of `target` that is this process's from now on: what an earlier one left, or an empty file. */
export async function claimPart(target: string): Promise<PartFile> {
  const [folder, name] = [dirname(target), basename(target)];
  const kept = `${target}.part`;
  const path = `${kept}-${hostname()}-${process.pid}-${randomBytes(4).toString("hex")}`;
  const part: PartFile = {
    path,
    size: async () => (await stat(path)).size,
    async finish() {
      await onDisk(target, async () => {
        await flush(path);
        await rename(path, target);
        await removeLeftovers(folder, name);
      });
    },
    async keep() {
      try {
        if ((await part.size()) === 0) await rm(path);
        else await rename(path, kept);
      } catch {
        // It is lost; what ended the download is the error to be told.
      }
    },
    async discard() {
      await rm(path, { force: true });
      await removeLeftovers(folder, name);
    },
  };
  await onDisk(target, async () => {
    await mkdir(folder, { recursive: true });
    for (const left of await leftovers(folder, name)) if (await taken(join(folder, left), path)) return;
    await (await open(path, "wx")).close();
  });
  return part;
}

/** True if it was there and no other process took it first. */
async function taken(from: string, to: string): Promise<boolean> {
  try {
    await rename(from, to);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return false;
    throw error;
  }
}

/** Parts that no process writes: kept ones, and those of processes of this host that are no more. */
async function leftovers(folder: string, name: string): Promise<string[]> {
  const own = `${name}.part-${hostname()}-`;
  const isLeft = (file: string): boolean =>
    file === `${name}.part` ||
    (file.startsWith(own) && !isAlive(Number.parseInt(file.slice(own.length), 10)));
  return (await readdir(folder)).filter(isLeft);
}

async function removeLeftovers(folder: string, name: string): Promise<void> {
  for (const left of await leftovers(folder, name)) await rm(join(folder, left), { force: true });
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0); // sends nothing: asks whether it could
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== "ESRCH";
  }
}

async function flush(path: string): Promise<void> {
  const file = await open(path, "r+");
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Runs `work`; what the disk refuses becomes an error that says so. */
async function onDisk(path: string, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (cause) {
    throw diskFailure(path, cause);
  }
}
