/** A file server on this machine that can be told to misbehave, and data sets that are published there. */
import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Published, RemoteFile } from "../../../../src/learn/datasets/index.js";

/** Answers in place of the file; true if it did. */
export type Misbehaviour = (request: IncomingMessage, response: ServerResponse, content: Buffer) => boolean;

export interface FileServer {
  /** "http://127.0.0.1:12345". */
  readonly address: string;
  /** Paths asked for, with the Range header where there was one: "/a.bin bytes=100-". */
  readonly requests: string[];
  /** What happens to the requests from now on, in their order; those after the last are served. */
  misbehave(...answers: Misbehaviour[]): void;
  close(): Promise<void>;
}

export async function serve(files: Readonly<Record<string, Uint8Array>>): Promise<FileServer> {
  const requests: string[] = [];
  let answers: Misbehaviour[] = [];
  const server = createServer((request, response) => {
    const path = request.url!.split("?")[0];
    const { range } = request.headers;
    requests.push(range === undefined ? path : `${path} ${range}`);
    const content = files[path.slice(path.lastIndexOf("/") + 1)];
    if (answers.shift()?.(request, response, Buffer.from(content ?? []))) return;
    if (content === undefined) response.writeHead(404).end("not here");
    else sendFrom(Number(/^bytes=(\d+)-$/.exec(range ?? "")?.[1] ?? 0), Buffer.from(content), response);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    address: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    misbehave: (...next) => {
      answers = next;
      requests.length = 0;
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function sendFrom(start: number, content: Buffer, response: ServerResponse): void {
  const end = content.length - 1;
  response.writeHead(start > 0 ? 206 : 200, {
    "content-length": content.length - start,
    ...(start > 0 && { "content-range": `bytes ${start}-${end}/${content.length}` }),
  });
  response.end(content.subarray(start));
}

/** Sends so many bytes of what was asked for and, once they had time to arrive, breaks the connection. */
export const cutAfter =
  (bytes: number): Misbehaviour =>
  ({ headers }, response, content) => {
    const start = Number(/^bytes=(\d+)-$/.exec(headers.range ?? "")?.[1] ?? 0);
    response.writeHead(start > 0 ? 206 : 200, {
      "content-length": content.length - start,
      ...(start > 0 && { "content-range": `bytes ${start}-${content.length - 1}/${content.length}` }),
    });
    response.write(content.subarray(start, start + bytes), () => setTimeout(() => response.destroy(), 50));
    return true;
  };

/** Sends so many bytes, then nothing more. */
export const stallAfter =
  (bytes: number): Misbehaviour =>
  (_, response, content) => {
    response.writeHead(200, { "content-length": content.length });
    response.write(content.subarray(0, bytes));
    return true;
  };

/** All of the file, whatever range was asked for. */
export const ignoreRange: Misbehaviour = (_, response, content) => {
  response.writeHead(200, { "content-length": content.length });
  response.end(content);
  return true;
};

export const answer =
  (status: number, body = "", headers: Record<string, string> = {}): Misbehaviour =>
  (_, response) => {
    response.writeHead(status, headers).end(body);
    return true;
  };

/** Bytes that no compression or chance makes equal. */
export const noise = (length: number, seed = 1): Buffer => {
  const bytes = Buffer.alloc(length);
  let state = seed;
  for (let i = 0; i < length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    bytes[i] = state >>> 24;
  }
  return bytes;
};

export const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

export const remote = (url: string, content: Uint8Array, archive?: RemoteFile["archive"]): RemoteFile => ({
  url,
  bytes: content.length,
  sha256: sha256(content),
  ...(archive && { archive }),
});

/** A data set of files that are downloaded one by one. */
export const plainSet = (address: string, files: Readonly<Record<string, Uint8Array>>): Published => ({
  name: "numbers",
  title: "Numbers",
  citation: "nobody",
  url: address,
  licence: "none",
  files: Object.entries(files).map(([name, content]) => ({ name, sha256: sha256(content) })),
  downloads: Object.entries(files).map(([name, content]) => remote(`${address}/data/${name}`, content)),
});
