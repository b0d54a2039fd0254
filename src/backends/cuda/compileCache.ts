/** Compiled programs on disk: compiling takes seconds, and a study compiles the same again each time it goes on. */
import { createHash, randomBytes } from "node:crypto";
import {
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { type Compiler, compileOptions, type Target } from "./nvrtc.js";

/** Where compiled programs are kept unless another folder is named. It may be deleted at any time. */
export const defaultCompileCache = (): string => join(homedir(), ".cache", "slalom", "cuda");

/** Some thousands of programs: 64 kB each, more or less. */
const mostBytesByDefault = 256e6;

/**
 * The same compiler, which looks into the folder first. A folder that can't be written is none. What was not used for the
 * longest goes where the folder would hold more than `mostBytes`, but never the program that was just compiled. Any number
 * of processes may share the folder.
 */
export function withCache(compiler: Compiler, folder: string, mostBytes = mostBytesByDefault): Compiler {
  return {
    ...compiler,
    compile(source, target, program) {
      const path = join(folder, `${keyOf(compiler, source, target)}.${target.kind}`);
      const kept = read(path);
      if (kept !== undefined) return kept;
      const image = compiler.compile(source, target, program);
      if (keep(path, folder, image)) trim(folder, mostBytes, path);
      return image;
    },
  };
}

/** All that an image follows from. */
const keyOf = ({ title }: Compiler, source: string, target: Target): string =>
  createHash("sha256")
    .update(JSON.stringify([title, compileOptions(target), source]))
    .digest("hex");

const digestBytes = 32;
const digestOf = (image: Uint8Array): Buffer => createHash("sha256").update(image).digest();

/** The image, which is thereby used; undefined where there is none, or one that is not whole. */
function read(path: string): Uint8Array | undefined {
  try {
    const content = readFileSync(path);
    const image = Uint8Array.prototype.slice.call(content, digestBytes);
    if (!digestOf(image).equals(content.subarray(0, digestBytes))) return undefined;
    attempt(() => utimesSync(path, new Date(), new Date()));
    return image;
  } catch {
    return undefined;
  }
}

/**
 * Written aside and renamed, as several processes may do it at once. Where that fails, for a full disk or a folder of
 * someone else, the next process compiles again.
 */
function keep(path: string, folder: string, image: Uint8Array): boolean {
  const aside = `${path}.${randomBytes(6).toString("hex")}${asideSuffix}`;
  return attempt(() => {
    mkdirSync(folder, { recursive: true });
    try {
      writeFileSync(aside, Buffer.concat([digestOf(image), image]));
      renameSync(aside, path);
    } finally {
      rmSync(aside, { force: true });
    }
  });
}

const asideSuffix = ".aside";
/** Files that a process left half written when it was killed; no process takes so long to write one. */
const abandonedMs = 3_600_000;

/**
 * Deletes what was used least recently until the rest is small enough. Another process may do so at the same time: a file
 * that is gone already counts as deleted, and one that it is about to use is read as a whole or not at all.
 */
function trim(folder: string, mostBytes: number, newest: string): void {
  attempt(() => {
    const files = readdirSync(folder).flatMap((name) => {
      const path = join(folder, name);
      const found = statSync(path, { throwIfNoEntry: false });
      return found?.isFile() ? [{ path, bytes: found.size, usedMs: found.mtimeMs }] : [];
    });
    const programs = files.filter(({ path }) => /\.(cubin|ptx)$/.test(path) && path !== newest);
    const abandoned = files.filter(
      ({ path, usedMs }) => path.endsWith(asideSuffix) && Date.now() - usedMs > abandonedMs,
    );
    let bytes = files.reduce((sum, file) => sum + file.bytes, 0);
    for (const file of [...abandoned, ...programs.sort((a, b) => a.usedMs - b.usedMs)]) {
      if (bytes <= mostBytes && !abandoned.includes(file)) break;
      rmSync(file.path, { force: true });
      bytes -= file.bytes;
    }
  });
}

/** Whether it could be done: the folder serves speed alone, and nobody is to be stopped for it. */
function attempt(what: () => void): boolean {
  try {
    what();
    return true;
  } catch {
    return false;
  }
}
