/**
 * Files that survive: a whole file is written aside, flushed to the device and renamed, so a reader sees the
 * old one or the new one and never a part; errors of the file system become messages that say what to do.
 */
import { randomBytes } from "node:crypto";
import {
  closeSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { SlalomError } from "../base/errors.js";
import { decode, encode } from "./json.js";
import { storeFormat } from "./records.js";

/** What a file is to hold; parts are written one after another, so that not all of them must be in memory. */
export type FileContent = string | Uint8Array | Iterable<string | Uint8Array>;

/**
 * Replaces the file at `path` by `content`.
 *
 * `aside`: where it is written first; by default a new name, as several processes may write the file at once. A name of
 * its own keeps a process that is killed again and again from leaving many.
 */
export function writeWhole(path: string, content: FileContent, aside = newAside(path)): void {
  guarded("write", path, () => {
    writeAside(aside, content);
    try {
      renameSync(aside, path);
    } catch (error) {
      rmSync(aside, { force: true });
      throw error;
    }
  });
}

/** Makes the file at `path` with `text` unless it exists; says whether this call made it. */
export function createWhole(path: string, text: string): boolean {
  return guarded("write", path, () => {
    const aside = newAside(path);
    writeAside(aside, text);
    try {
      // A link fails where the name is taken: of several processes exactly one wins, without a lock.
      linkSync(aside, path);
      return true;
    } catch (error) {
      if (codeOf(error) === "EEXIST") return false;
      if (!["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EMLINK"].includes(codeOf(error))) throw error;
      renameSync(aside, path); // a file system without hard links
      return true;
    } finally {
      rmSync(aside, { force: true });
    }
  });
}

/** A record as the store's JSON, with the format's number in front. */
export const encodeRecord = (record: object): string => `${encode({ format: storeFormat, ...record }, 2)}\n`;

/** Reads a record; undefined when the file is absent. `remedy`: what to do when it is broken. */
export function readRecord<T extends object>(path: string, remedy: string): T | undefined {
  const text = readText(path);
  if (text === undefined) return undefined;
  let value: unknown;
  try {
    value = decode(text);
  } catch (error) {
    throw new SlalomError("store", `${path} is not valid JSON (${messageOf(error)}). ${remedy}`, {
      cause: error,
    });
  }
  if (typeof value !== "object" || value === null || !("format" in value)) {
    throw new SlalomError(
      "store",
      `${path} holds no record of Slalom: expected a member "format". ${remedy}`,
    );
  }
  const { format, ...record } = value;
  if (typeof format !== "number" || format > storeFormat) {
    throw new SlalomError(
      "store",
      `${path} was written by a newer Slalom (format ${String(format)}; this version reads up to ${storeFormat}). Update Slalom to read it.`,
    );
  }
  return record as T; // written by this program; the fields are those of the type
}

/** The file's text; undefined when it is absent. */
export const readText = (path: string): string | undefined =>
  guarded("read", path, () => {
    try {
      return readFileSync(path, "utf8");
    } catch (error) {
      if (codeOf(error) === "ENOENT") return undefined;
      throw error;
    }
  });

export const makeFolder = (path: string): void => {
  guarded("make the folder", path, () => mkdirSync(path, { recursive: true }));
};

/** Makes the folder in one that exists: nothing is made anew of a study that was moved away. */
export const makeFolderWithin = (parent: string, name: string): void => {
  const path = join(parent, name);
  guarded("make the folder", path, () => {
    try {
      mkdirSync(path);
    } catch (error) {
      // Another worker may have made it a moment ago.
      if (codeOf(error) !== "EEXIST" || !statSync(path).isDirectory()) throw error;
    }
  });
};

/** Runs `action`; an error of the file system becomes a SlalomError that names `path` and the remedy. */
export function guarded<T>(operation: string, path: string, action: () => T): T {
  try {
    return action();
  } catch (error) {
    if (error instanceof SlalomError) throw error;
    throw new SlalomError(
      "store",
      `run store: can't ${operation} ${path}: ${remedyOf(codeOf(error), messageOf(error))}`,
      {
        cause: error,
      },
    );
  }
}

/** Names of files that `writeAside` leaves when the process is killed. */
export const isAside = (name: string): boolean => name.startsWith(".") && name.endsWith(".aside");

/** Writes every byte; a short write continues where it ended. */
export function writeAll(file: number, content: string | Uint8Array): number {
  const bytes = typeof content === "string" ? Buffer.from(content, "utf8") : content;
  for (let done = 0; done < bytes.length; ) done += writeSync(file, bytes, done, bytes.length - done);
  return bytes.length;
}

export const codeOf = (error: unknown): string =>
  error instanceof Error && "code" in error ? String(error.code) : "";

const newAside = (path: string): string => join(dirname(path), `.${randomBytes(6).toString("hex")}.aside`);

function writeAside(aside: string, content: FileContent): void {
  const parts = typeof content === "string" || content instanceof Uint8Array ? [content] : content;
  const file = openSync(aside, "w");
  try {
    for (const part of parts) writeAll(file, part);
    fsyncSync(file);
  } catch (error) {
    rmSync(aside, { force: true });
    throw error;
  } finally {
    closeSync(file);
  }
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

function remedyOf(code: string, message: string): string {
  switch (code) {
    case "ENOSPC":
    case "EDQUOT":
      return "the disk or quota is full. Free some space and resume; every run that was finished is intact.";
    case "EROFS":
    case "EACCES":
    case "EPERM":
      return "no permission (or a read-only file system). Choose a folder that you may write.";
    case "ENOENT":
      return "it does not exist. Was the study's folder moved or deleted meanwhile?";
    case "ENOTDIR":
    case "EEXIST":
      return "a file stands where a folder is expected. Choose another folder.";
    case "EMFILE":
    case "ENFILE":
      return "too many open files. Raise the limit (ulimit -n) and resume.";
    default:
      return `${message}.`;
  }
}
