/** One try to bring the rest of a file here: over HTTP from where the part ends, or by copying from a folder. */
import { copyFile, type FileHandle, open, stat, truncate } from "node:fs/promises";
import type { Readable } from "node:stream";
import type { Dispatcher } from "undici";
import { SlalomError } from "../../../base/errors.js";
import { diskFailure, type Failure, lengthFailure, networkFailure, statusFailure } from "./failure.js";
import type { PartFile } from "./partFile.js";

/** Addresses of proxies by the protocol of the file's address, as curl takes them from the environment. */
export interface ProxySettings {
  readonly http?: string;
  readonly https?: string;
  /** Hosts that are reached directly, apart by commas. */
  readonly none?: string;
}

export interface Transfer {
  /** http(s), or the path of a file. */
  readonly address: string;
  /** Of the whole file. */
  readonly bytes: number;
  readonly part: PartFile;
  readonly signal?: AbortSignal;
  readonly proxy?: ProxySettings;
  /** Milliseconds without a byte after which a connection counts as broken. */
  readonly stallMs: number;
  /** @param received bytes that are here */
  readonly onBytes: (received: number) => void;
}

/** Whether an address is a place in the file system. */
export const isPath = (address: string): boolean => !address.includes("://");

/**
 * Brings what the part lacks; answers with the failure that ended it before the end, if there was one.
 * @throws SlalomError "data" where the disk refuses; the reason of `signal` where that ended it
 */
export const transfer = (options: Transfer): Promise<Failure | undefined> =>
  isPath(options.address) ? copy(options) : receive(options);

async function copy({ address, bytes, part, onBytes }: Transfer): Promise<Failure | undefined> {
  let size: number;
  try {
    ({ size } = await stat(address));
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    const reason = code === "ENOENT" ? "there is no such file" : message;
    const error = new SlalomError("data", `cannot read "${address}": ${reason}. Check the folder.`, {
      cause,
    });
    return { received: reason, error, isPassing: false };
  }
  if (size !== bytes) return lengthFailure(address, size, bytes);
  try {
    await copyFile(address, part.path);
  } catch (cause) {
    throw diskFailure(part.path, cause);
  }
  onBytes(size);
  return undefined;
}

async function receive(options: Transfer): Promise<Failure | undefined> {
  const { address, bytes, part, signal, stallMs } = options;
  let start = await part.size();
  if (start > bytes) {
    await truncate(part.path, 0);
    start = 0;
  }
  if (start === bytes) return undefined;
  const dispatcher = await dispatcherFor(options);
  try {
    const { statusCode, headers, body } = await dispatcher.request({
      ...originAndPath(address),
      method: "GET",
      // Nothing in between may unpack the file: its checksum is that of the bytes as they are stored.
      headers: { "accept-encoding": "identity", ...(start > 0 && { range: `bytes=${start}-` }) },
      headersTimeout: stallMs,
      bodyTimeout: stallMs,
      signal,
    });
    const failed = await answerFailure(options, start, statusCode, headers);
    if (failed) {
      await body.dump();
      return failed;
    }
    // A server that takes no ranges sends all of it again.
    const from = statusCode === 206 ? start : 0;
    return await write(body, from, options);
  } catch (cause) {
    signal?.throwIfAborted();
    if (cause instanceof SlalomError) throw cause;
    return networkFailure(address, cause);
  } finally {
    await dispatcher.destroy();
  }
}

/** What is wrong with the answer; undefined where a body follows that is the file or its rest. */
async function answerFailure(
  { address, bytes, part }: Transfer,
  start: number,
  status: number,
  headers: Record<string, string | string[] | undefined>,
): Promise<Failure | undefined> {
  if (status === 200) {
    const length = headers["content-length"];
    return length === undefined || Number(length) === bytes
      ? undefined
      : lengthFailure(address, Number(length), bytes);
  }
  const [, first, total] = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(String(headers["content-range"])) ?? [];
  if (status === 206 && Number(first) === start && (total === "*" || Number(total) === bytes))
    return undefined;
  if (status === 206 || status === 416) {
    // The rest of another file: from the beginning, the answer is clear.
    await truncate(part.path, 0);
    return { ...statusFailure(address, status), isPassing: start > 0 };
  }
  return statusFailure(address, status);
}

/** A body that ends without an error is whole: of another length it is another file, of which nothing is kept. */
async function write(
  body: Readable,
  from: number,
  { address, bytes, part, onBytes }: Transfer,
): Promise<Failure | undefined> {
  let received = from;
  const file = await open(part.path, "r+");
  try {
    await file.truncate(from);
    for await (const chunk of body as AsyncIterable<Buffer>) {
      if (received + chunk.length > bytes) {
        await file.truncate(0);
        return lengthFailure(address, `more than ${bytes}`, bytes);
      }
      await writeAll(file, chunk, received, part.path);
      received += chunk.length;
      onBytes(received);
    }
    if (received === bytes) return undefined;
    await file.truncate(0);
    return lengthFailure(address, received, bytes);
  } finally {
    await file.close();
  }
}

async function writeAll(file: FileHandle, chunk: Uint8Array, position: number, path: string): Promise<void> {
  try {
    // One write may take a part of it alone, as it does when the disk gets full.
    for (let done = 0; done < chunk.length; )
      done += (await file.write(chunk, done, chunk.length - done, position + done)).bytesWritten;
  } catch (cause) {
    throw diskFailure(path, cause);
  }
}

/** undici in place of `fetch`, which knows no proxies and unpacks what a server calls a gzip encoding. */
async function dispatcherFor({ proxy, stallMs }: Transfer): Promise<Dispatcher> {
  const { EnvHttpProxyAgent, interceptors } = await import("undici"); // loaded by whoever downloads
  // An empty text is none: what is left out would be taken from the environment.
  const { http = "", https = "", none = "" } = proxy ?? {};
  for (const address of [http, https]) {
    if (address === "" || URL.canParse(address)) continue;
    throw new SlalomError(
      "option",
      `proxy: received the address "${address}"; expected one such as http://proxy.example:3128. Mend HTTP_PROXY or HTTPS_PROXY.`,
    );
  }
  const agent = new EnvHttpProxyAgent({
    httpProxy: http,
    httpsProxy: https,
    noProxy: none,
    proxyTunnel: false, // but for https: what proxies for http expect
    connect: { timeout: Math.min(stallMs, 20_000) },
  });
  return agent.compose(interceptors.redirect({ maxRedirections: 10 }));
}

function originAndPath(address: string): { origin: string; path: string } {
  const { origin, pathname, search } = new URL(address);
  return { origin, path: `${pathname}${search}` };
}
