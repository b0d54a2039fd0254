/** One file from the network, complete and checked: tries with waits in between, resumed where the last one ended. */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { statfs, truncate } from "node:fs/promises";
import { basename, dirname } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { SlalomError } from "../../../base/errors.js";
import type { RemoteFile } from "../published.js";
import { claimPart, type PartFile } from "./partFile.js";
import { type ProxySettings, transfer } from "./transfer.js";

export interface DownloadOptions {
  /** Ends the download; what has arrived is kept. */
  readonly signal?: AbortSignal;
  readonly proxy?: ProxySettings;
  readonly onProgress?: (progress: DownloadProgress) => void;
  /** Told before a wait. */
  readonly onRetry?: (retry: DownloadRetry) => void;
  /** Milliseconds between tries, which are one more than these; counted anew after any that brought something. */
  readonly waitsMs?: readonly number[];
  /** Milliseconds without a byte after which a connection counts as broken; default 30,000. */
  readonly stallMs?: number;
}

export interface DownloadProgress {
  readonly file: string;
  /** Bytes that are here, those of earlier processes included. */
  readonly received: number;
  readonly bytes: number;
}

export interface DownloadRetry {
  readonly file: string;
  /** What came in place of the file, in a few words. */
  readonly received: string;
  readonly waitMs: number;
}

/**
 * The file from `address`, whole and with the right SHA-256, as a part that the caller finishes or discards; in any
 * other case what has arrived is kept beside `target` for the next process.
 * @throws SlalomError "data" with the reason and what to do; the reason of `signal` where that ended it
 */
export async function download(
  { bytes, sha256 }: RemoteFile,
  address: string,
  target: string,
  options: DownloadOptions = {},
): Promise<PartFile> {
  const part = await claimPart(target);
  try {
    const start = await part.size();
    await requireSpace(target, bytes - start);
    const tries = await receiveAll(part, bytes, address, options);
    let received = await sha256Of(part.path);
    if (received !== sha256 && (start > 0 || tries > 1)) {
      // Its pieces may be of two files: once more from the beginning.
      await truncate(part.path, 0);
      await receiveAll(part, bytes, address, options);
      received = await sha256Of(part.path);
    }
    if (received === sha256) return part;
    await truncate(part.path, 0);
    throw new SlalomError(
      "data",
      `${address}: received a file with SHA-256 ${received}; expected ${sha256}. It was changed there or on the way, and is deleted here. Try again, or another address: slalom fetch NAME --from ADDRESS.`,
    );
  } catch (error) {
    await part.keep();
    throw error;
  }
}

const defaultWaitsMs = [1000, 2000, 4000, 8000];

/** Answers with the number of tries that it took. */
async function receiveAll(
  part: PartFile,
  bytes: number,
  address: string,
  { signal, proxy, onProgress, onRetry, waitsMs = defaultWaitsMs, stallMs = 30_000 }: DownloadOptions,
): Promise<number> {
  const file = basename(address);
  const onBytes = (received: number): void => onProgress?.({ file, received, bytes });
  let waits = 0;
  for (let tries = 1; ; tries++) {
    signal?.throwIfAborted();
    const before = await part.size();
    const failure = await transfer({ address, bytes, part, signal, proxy, stallMs, onBytes });
    if (failure === undefined) return tries;
    if ((await part.size()) > before) waits = 0;
    if (!failure.isPassing || waits === waitsMs.length) throw failure.error;
    onRetry?.({ file, received: failure.received, waitMs: waitsMs[waits] });
    await wait(waitsMs[waits++], undefined, { signal });
  }
}

async function sha256Of(path: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) hash.update(chunk as Buffer);
  return hash.digest("hex");
}

async function requireSpace(target: string, needed: number): Promise<void> {
  const folder = dirname(target);
  const { bavail, bsize } = await statfs(folder);
  const free = bavail * bsize;
  if (free >= needed) return;
  throw new SlalomError(
    "data",
    `${basename(target)}: received ${megabytes(free)} of free space in "${folder}"; expected ${megabytes(needed)}. Free some, or name another folder: --cache FOLDER.`,
  );
}

const megabytes = (bytes: number): string => `${Math.ceil(bytes / 1e6)} MB`;
