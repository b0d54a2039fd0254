/** Compiled programs on disk: compiling takes seconds, and a study compiles the same again each time it goes on. */
import { createHash, randomBytes } from "node:crypto";
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { type Compiler, compileOptions, type Target } from "./nvrtc.js";

/** Where compiled programs are kept unless another folder is named. It may be deleted at any time. */
export const defaultCompileCache = (): string => join(homedir(), ".cache", "slalom", "cuda");

/** The same compiler, which looks into the folder first. A folder that can't be written is none. */
export function withCache(compiler: Compiler, folder: string): Compiler {
  return {
    ...compiler,
    compile(source, target, program) {
      const path = join(folder, `${keyOf(compiler, source, target)}.${target.kind}`);
      const kept = read(path);
      if (kept !== undefined) return kept;
      const image = compiler.compile(source, target, program);
      keep(path, folder, image);
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

/** The image; undefined where there is none, or one that is not whole. */
function read(path: string): Uint8Array | undefined {
  try {
    const content = readFileSync(path);
    const image = Uint8Array.prototype.slice.call(content, digestBytes);
    return digestOf(image).equals(content.subarray(0, digestBytes)) ? image : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Written aside and renamed, as several processes may do it at once. Where that fails, for a full disk or a folder of
 * someone else, the next process compiles again.
 */
function keep(path: string, folder: string, image: Uint8Array): void {
  const aside = `${path}.${randomBytes(6).toString("hex")}.aside`;
  try {
    mkdirSync(folder, { recursive: true });
    try {
      writeFileSync(aside, Buffer.concat([digestOf(image), image]));
      renameSync(aside, path);
    } finally {
      rmSync(aside, { force: true });
    }
  } catch {}
}
