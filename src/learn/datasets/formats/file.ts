/** Reading data files: bytes from disk, gzip by its magic number, and the one form of a broken file's error. */
import { readFile } from "node:fs/promises";
import { gunzipSync } from "node:zlib";
import { SlalomError } from "../../../base/errors.js";

/** Bytes with the name that error messages give them. */
export interface NamedBytes {
  readonly file: string;
  readonly bytes: Uint8Array;
}

/** What is wrong in a file, and where. */
export interface Fault {
  readonly format: string;
  readonly file: string;
  /** Byte offset; in a gzip file that of the decompressed content unless the gzip layer itself is broken. */
  readonly offset: number;
  readonly received: string;
  readonly expected: string;
  readonly remedy?: string;
}

/** `IDX file "train.idx", byte 4: received ...; expected .... Remedy` with code "data". */
export function brokenFile(fault: Fault, cause?: unknown): SlalomError {
  const { format, file, offset, received, expected, remedy } = fault;
  return new SlalomError(
    "data",
    `${format} file "${file}", byte ${offset}: received ${received}; expected ${expected}.${remedy ? ` ${remedy}` : ""}`,
    cause === undefined ? undefined : { cause },
  );
}

/** Throws unless `bytes` reach from `offset` over `length` bytes; `what` names the part that is missing. */
export function requireBytes(
  format: string,
  { file, bytes }: NamedBytes,
  offset: number,
  length: number,
  what: string,
): void {
  if (offset + length <= bytes.length) return;
  throw brokenFile({
    format,
    file,
    offset: bytes.length,
    received: "the end of the file",
    expected: `${offset + length} bytes in all, ${length} from byte ${offset} for ${what}`,
    remedy: "The file looks truncated: copy or download it again.",
  });
}

/** The file's bytes as they are on disk; code "data" if it can't be read. */
export async function readBytes(file: string): Promise<NamedBytes> {
  try {
    return { file, bytes: await readFile(file) };
  } catch (cause) {
    throw new SlalomError(
      "data",
      `cannot read "${file}": ${reasonOf(cause)}. Check the path; a relative one starts at ${process.cwd()}.`,
      { cause },
    );
  }
}

/** The content, decompressed if it starts as gzip does (1f 8b) or if the name ends in .gz. */
export function decompress(source: NamedBytes): NamedBytes {
  const { file, bytes } = source;
  const hasMagic = bytes.length >= 2 && bytes[0] === 0x1f && bytes[1] === 0x8b;
  if (!hasMagic && !file.endsWith(".gz")) return source;
  if (!hasMagic) {
    const received = bytes.length < 2 ? `${bytes.length} bytes in all` : hex(bytes.subarray(0, 2));
    const remedy = "Rename the file if it is not compressed.";
    throw brokenFile({
      format: "gzip",
      file,
      offset: 0,
      received,
      expected: "the magic number 1f 8b",
      remedy,
    });
  }
  try {
    return { file, bytes: gunzipSync(bytes) };
  } catch (cause) {
    throw brokenFile(
      {
        format: "gzip",
        file,
        offset: gzipFaultOffset(bytes),
        received: `a broken stream (${(cause as Error).message})`,
        expected: "one whole gzip stream with matching checksum",
        remedy: "Copy or download the file again.",
      },
      cause,
    );
  }
}

/** Bytes as two hexadecimal digits each. */
export const hex = (bytes: Uint8Array): string =>
  [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join(" ");

/**
 * Where decompression fails: the shortest prefix that fails otherwise than by ending too early, found by
 * bisection because zlib does not report it. A stream that only ends too early fails at its end.
 */
function gzipFaultOffset(bytes: Uint8Array): number {
  const endsTooEarly = (length: number): boolean => {
    try {
      gunzipSync(bytes.subarray(0, length));
      return true; // whole so far: what breaks comes later
    } catch (error) {
      return (error as NodeJS.ErrnoException).code === "Z_BUF_ERROR";
    }
  };
  let good = 0;
  let bad = bytes.length + 1;
  while (bad - good > 1) {
    const middle = Math.floor((good + bad) / 2);
    if (endsTooEarly(middle)) good = middle;
    else bad = middle;
  }
  return Math.min(good, bytes.length);
}

function reasonOf(cause: unknown): string {
  const code = (cause as NodeJS.ErrnoException).code;
  if (code === "ENOENT") return "there is no such file";
  if (code === "EISDIR") return "it is a folder, expected a file";
  if (code === "EACCES") return "permission denied";
  return (cause as Error).message;
}
