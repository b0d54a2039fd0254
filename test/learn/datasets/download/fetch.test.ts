/** Downloads from a server on this machine: whole, cut, resumed, refused, changed, through proxies. */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type FetchOptions, fetchDataset, type Published } from "../../../../src/learn/datasets/index.js";
import { errorOf } from "../support.js";
import {
  answer,
  cutAfter,
  type FileServer,
  ignoreRange,
  noise,
  plainSet,
  serve,
  stallAfter,
} from "./server.js";

const files = { "large.bin": noise(3_000_000), "small.bin": noise(500, 2) };
let server: FileServer;
let published: Published;
let cache: string;
const caches = mkdtempSync(join(tmpdir(), "slalom-fetch-"));
beforeAll(async () => {
  server = await serve(files);
  published = plainSet(server.address, files);
});
afterAll(async () => {
  await server.close();
  rmSync(caches, { recursive: true });
});
beforeEach(() => {
  cache = mkdtempSync(join(caches, "c-"));
  server.misbehave();
});

const quick = { waitsMs: [1, 1, 1] };
const fetchNow = (options: FetchOptions = {}) =>
  fetchDataset({ name: published.name, published }, { cache, ...quick, ...options });
const inCache = () => readdirSync(join(cache, "numbers")).sort();
const expectAll = () => {
  expect(inCache()).toEqual(["large.bin", "small.bin"]);
  for (const [name, content] of Object.entries(files))
    expect(readFileSync(join(cache, "numbers", name)).equals(content)).toBe(true);
};

describe("a download", () => {
  it("brings every file once, tells how far it is, and leaves nothing aside", async () => {
    const seen: number[] = [];
    const fetched = await fetchNow({
      onProgress: ({ file, received, bytes }) => {
        if (file !== "large.bin") return;
        expect(bytes).toBe(3_000_000);
        seen.push(received);
      },
    });
    expect(fetched).toEqual({ folder: join(cache, "numbers"), downloaded: ["large.bin", "small.bin"] });
    expectAll();
    expect(seen.length).toBeGreaterThan(1);
    expect(seen).toEqual([...seen].sort((a, b) => a - b));
    expect(seen.at(-1)).toBe(3_000_000);
    expect(server.requests).toEqual(["/data/large.bin", "/data/small.bin"]);
  });

  it("asks for nothing that is there and sound, and again for what was changed", async () => {
    await fetchNow();
    server.misbehave();
    expect((await fetchNow()).downloaded).toEqual([]);
    expect(server.requests).toEqual([]);
    writeFileSync(join(cache, "numbers", "small.bin"), "changed");
    expect((await fetchNow()).downloaded).toEqual(["small.bin"]);
    expectAll();
  });

  it("goes on where the connection broke, as often as it brings something", async () => {
    server.misbehave(...new Array(6).fill(cutAfter(400_000)));
    const waits: number[] = [];
    await fetchNow({ onRetry: ({ waitMs }) => waits.push(waitMs) });
    expectAll();
    // Each try goes on from what was written; a broken connection may lose what the kernel had not handed on.
    const starts = server.requests
      .filter((request) => request.startsWith("/data/large.bin bytes="))
      .map((request) => Number(/bytes=(\d+)-/.exec(request)![1]));
    expect(starts.length).toBe(6);
    expect(starts).toEqual([...new Set(starts)].sort((a, b) => a - b));
    expect(starts.at(-1)).toBeLessThanOrEqual(2_400_000);
    expect(waits).toEqual([1, 1, 1, 1, 1, 1]);
  });

  it("is kept where it can't go on, for the next process", async () => {
    server.misbehave(cutAfter(1_000_000));
    expect(await errorOf(() => fetchNow({ waitsMs: [] }))).toMatch(
      /^data: http:\/\/127\.0\.0\.1:\d+\/data\/large\.bin: received a broken connection \(.+\); expected the rest of the file\. Try again: what has arrived is kept\./,
    );
    expect(inCache()).toEqual(["large.bin.part"]);
    const arrived = readFileSync(join(cache, "numbers", "large.bin.part"));
    expect(arrived.length).toBeGreaterThan(0);
    expect(arrived.equals(files["large.bin"].subarray(0, arrived.length))).toBe(true);
    server.misbehave();
    await fetchNow();
    expect(server.requests[0]).toBe(`/data/large.bin bytes=${arrived.length}-`);
    expectAll();
  });

  it("starts anew where the server takes no ranges, or answers with another one", async () => {
    server.misbehave(cutAfter(1_000_000), ignoreRange);
    await fetchNow();
    expectAll();
    for (const wrong of [
      answer(206, "xyz", { "content-range": "bytes 0-2/3000000" }),
      answer(206, "xyz", { "content-range": "bytes 7-9/10" }),
      answer(416, "", { "content-range": "bytes */100" }),
    ]) {
      rmSync(join(cache, "numbers"), { recursive: true });
      server.misbehave(cutAfter(1_000_000), wrong);
      await fetchNow();
      expect(server.requests[2]).toBe("/data/large.bin");
      expectAll();
    }
  });

  it("takes a silent connection for a broken one", async () => {
    server.misbehave(stallAfter(10_000));
    await fetchNow({ stallMs: 300 });
    expect(server.requests[1]).toMatch(/^\/data\/large\.bin bytes=\d+-$/);
    expectAll();
  });

  it("waits for a server that is busy, longer each time, and then says so", async () => {
    server.misbehave(answer(503), answer(429), answer(500));
    const told: string[] = [];
    await fetchNow({
      onRetry: ({ file, received, waitMs }) => told.push(`${file} ${waitMs}: ${received}`),
      waitsMs: [1, 2, 3],
    });
    expect(told).toEqual([
      "large.bin 1: HTTP 503, the server can't answer now",
      "large.bin 2: HTTP 429, the server can't answer now",
      "large.bin 3: HTTP 500, the server can't answer now",
    ]);
    expectAll();
    rmSync(join(cache, "numbers"), { recursive: true });
    server.misbehave(...new Array(9).fill(answer(503)));
    expect(await errorOf(() => fetchNow())).toContain(
      "received HTTP 503, the server can't answer now; expected the file. Try again later",
    );
    expect(server.requests).toEqual(new Array(4).fill("/data/large.bin"));
    expect(inCache()).toEqual([]);
  });

  it("follows a server that sends elsewhere", async () => {
    server.misbehave(answer(302, "", { location: `${server.address}/moved/large.bin` }));
    await fetchNow();
    expect(server.requests).toEqual(["/data/large.bin", "/moved/large.bin", "/data/small.bin"]);
    expectAll();
  });

  it("keeps the bytes as they are stored, whatever encoding the server names", async () => {
    server.misbehave((_, response, content) => {
      response.writeHead(200, { "content-length": content.length, "content-encoding": "gzip" });
      response.end(content);
      return true;
    });
    await fetchNow();
    expectAll();
  });

  it("ends when it is told to, keeps what has arrived, and goes on from there", async () => {
    server.misbehave(stallAfter(200_000));
    const controller = new AbortController();
    const fetching = fetchNow({ signal: controller.signal, onProgress: () => controller.abort() });
    await expect(fetching).rejects.toMatchObject({ name: "AbortError" });
    expect(inCache()).toEqual(["large.bin.part"]);
    await fetchNow();
    expectAll();
  });
});

describe("what is not the original", () => {
  it("is refused by its checksum and not kept", async () => {
    const changed = Buffer.from(files["large.bin"]);
    changed[2_000_000] ^= 1;
    server.misbehave((_, response) => {
      response.writeHead(200, { "content-length": changed.length }).end(changed);
      return true;
    });
    expect(await errorOf(() => fetchNow())).toMatch(
      /^data: http:.*\/large\.bin: received a file with SHA-256 [0-9a-f]{64}; expected [0-9a-f]{64}\. It was changed there or on the way, and is deleted here\./,
    );
    expect(inCache()).toEqual([]);
  });

  it("is fetched once more from the beginning where an earlier process left something else", async () => {
    mkdirSync(join(cache, "numbers"));
    writeFileSync(join(cache, "numbers", "large.bin.part"), noise(1_234, 9));
    await fetchNow();
    expect(server.requests.slice(0, 2)).toEqual(["/data/large.bin bytes=1234-", "/data/large.bin"]);
    expectAll();
    rmSync(join(cache, "numbers", "large.bin"));
    writeFileSync(join(cache, "numbers", "large.bin.part"), noise(3_000_001, 9));
    server.misbehave();
    await fetchNow();
    expect(server.requests).toEqual(["/data/large.bin"]);
    expectAll();
  });

  it("is fetched once more where the file changed amid the download", async () => {
    const before = noise(3_000_000, 7);
    server.misbehave((request, response) => cutAfter(1_000_000)(request, response, before));
    await fetchNow();
    expect(server.requests[1]).toMatch(/^\/data\/large\.bin bytes=\d+-$/);
    expect(server.requests[2]).toBe("/data/large.bin");
    expectAll();
  });

  it("is refused by its length before it is downloaded, or as soon as it is too long", async () => {
    server.misbehave(answer(200, "<html>We have moved</html>"));
    expect(await errorOf(() => fetchNow())).toContain(
      "large.bin: received a file of 26 bytes; expected 3000000. It is not the original: an error page, or another version?",
    );
    server.misbehave((_, response) => {
      response.writeHead(200); // no length: sent in chunks
      response.end(noise(3_100_000));
      return true;
    });
    expect(await errorOf(() => fetchNow())).toContain("received a file of more than 3000000 bytes");
  });
});

describe("what the network and the machine refuse", () => {
  it("a file that is not there, or not for everybody: at once, and with a way out", async () => {
    server.misbehave(answer(404));
    expect(await errorOf(() => fetchNow())).toBe(
      `data: ${server.address}/data/large.bin: received HTTP 404, there is no such file; expected the file. Did it move? Or name another address, or a folder to which the file was brought by other means: slalom fetch NAME --from ADDRESS.`,
    );
    expect(server.requests).toEqual(["/data/large.bin"]);
    server.misbehave(answer(403));
    expect(await errorOf(() => fetchNow())).toContain("received HTTP 403, access is refused");
    server.misbehave(answer(204));
    expect(await errorOf(() => fetchNow())).toContain("received HTTP 204, no answer that a download has");
  });

  it("a name that nobody knows, a port at which nobody listens", async () => {
    expect(await errorOf(() => fetchNow({ from: "http://nowhere.invalid" }))).toMatch(
      /^data: http:\/\/nowhere\.invalid\/large\.bin: received no address for nowhere\.invalid \((ENOTFOUND|EAI_AGAIN)\); expected one\. Is there a network\? Behind a proxy set HTTPS_PROXY and HTTP_PROXY\./,
    );
    const other = await serve({});
    await other.close();
    const retries: unknown[] = [];
    expect(
      await errorOf(() => fetchNow({ from: other.address, onRetry: (retry) => retries.push(retry) })),
    ).toMatch(
      /received no connection to 127\.0\.0\.1:\d+ \(connect ECONNREFUSED .*\); expected one\. Is there a network\?/,
    );
    expect(retries.length).toBe(3);
  });

  it("more than the disk has", async () => {
    const [large, small] = published.downloads;
    const huge = { ...published, downloads: [{ ...large, bytes: 1e18 }, small] };
    expect(await errorOf(() => fetchDataset({ name: "huge", published: huge }, { cache }))).toMatch(
      /^data: large\.bin: received \d+ MB of free space in ".*numbers"; expected 1000000000000 MB\. Free some, or name another folder: --cache FOLDER\.$/,
    );
  });

  it("what the disk no longer has, and goes on once there is room", async (context) => {
    const disk = join(cache, "disk");
    mkdirSync(disk);
    if (spawnSync("mount", ["-t", "tmpfs", "-o", "size=4m", "tmpfs", disk]).status !== 0) {
      context.skip("needs a small file system: mounting a tmpfs is not allowed here");
    }
    try {
      server.misbehave(() => {
        writeFileSync(join(disk, "ballast"), Buffer.alloc(2_000_000));
        return false;
      });
      expect(await errorOf(() => fetchNow({ cache: disk }))).toMatch(
        /^data: can't write ".*": the disk or quota is full\. Free some space and start again: what has arrived is kept\.$/,
      );
      const arrived = readFileSync(join(disk, "numbers", "large.bin.part"));
      expect(arrived.equals(files["large.bin"].subarray(0, arrived.length))).toBe(true);
      expect(arrived.length).toBeGreaterThan(1_500_000);
      rmSync(join(disk, "ballast"));
      server.misbehave();
      await fetchNow({ cache: disk });
      expect(server.requests[0]).toBe(`/data/large.bin bytes=${arrived.length}-`);
      expect(readFileSync(join(disk, "numbers", "large.bin")).equals(files["large.bin"])).toBe(true);
    } finally {
      spawnSync("umount", [disk]);
    }
  });

  it("a cache that is a file", async () => {
    writeFileSync(join(cache, "file"), "");
    expect(await errorOf(() => fetchNow({ cache: join(cache, "file") }))).toMatch(
      /^data: can't write ".*\/file\/numbers\/large\.bin": a file stands where a folder is expected\./,
    );
  });

  it("options that are none", async () => {
    expect(await errorOf(() => fetchNow({ mirror: "x" } as never))).toContain(
      'option: unknown option of fetchDataset "mirror"',
    );
    for (const from of ["http://", "ftp://mirror.example/data"])
      expect(await errorOf(() => fetchNow({ from }))).toContain(
        `received the address "${from}"; expected one such as https://mirror.example/data, or a folder.`,
      );
    expect(await errorOf(() => fetchNow({ proxy: { http: "proxy" } }))).toContain(
      'option: proxy: received the address "proxy"; expected one such as http://proxy.example:3128',
    );
  });
});

describe("other ways to the files", () => {
  it("another address, or a folder that has them", async () => {
    await fetchNow({ from: `${server.address}/mirror/` });
    expect(server.requests).toEqual(["/mirror/large.bin", "/mirror/small.bin"]);
    expectAll();
    const from = join(cache, "numbers");
    cache = mkdtempSync(join(caches, "c-"));
    server.misbehave();
    await fetchNow({ from });
    expect(server.requests).toEqual([]);
    expectAll();
    cache = mkdtempSync(join(caches, "c-"));
    expect(await errorOf(() => fetchNow({ from: cache }))).toBe(
      `data: cannot read "${join(cache, "large.bin")}": there is no such file. Check the folder.`,
    );
    writeFileSync(join(cache, "large.bin"), "short");
    expect(await errorOf(() => fetchNow({ from: cache }))).toContain(
      "received a file of 5 bytes; expected 3000000",
    );
    writeFileSync(join(cache, "large.bin"), noise(3_000_000, 5));
    expect(await errorOf(() => fetchNow({ from: cache }))).toContain("received a file with SHA-256");
    expect(inCache()).toEqual([]);
  });

  it("a package that provides them, unless a cache is named", async () => {
    await fetchNow();
    const folder = join(cache, "numbers");
    const provided = {
      name: "numbers",
      published: { ...published, provided: { by: "Debian package numbers", folder: () => folder } },
    };
    expect(await fetchDataset(provided)).toEqual({ folder, downloaded: [] });
    cache = mkdtempSync(join(caches, "c-"));
    expect((await fetchDataset(provided, { cache })).downloaded).toEqual(["large.bin", "small.bin"]);
    const alone = {
      ...published,
      downloads: [],
      provided: { by: "npm package numbers", folder: () => undefined },
    };
    expect(await errorOf(() => fetchDataset({ name: "alone", published: alone }))).toBe(
      'option: fetch: "numbers" is not to be downloaded: it comes with the npm package numbers. Run npm install.',
    );
  });

  it("a proxy, which may want a password", async () => {
    const proxy = await serve(files);
    proxy.misbehave(answer(407));
    const through = { from: "http://far.invalid/data", proxy: { http: proxy.address } };
    expect(await errorOf(() => fetchNow(through))).toContain(
      "http://far.invalid/data/large.bin: received HTTP 407, the proxy wants a name and a password",
    );
    await fetchNow(through);
    expectAll();
    expect(proxy.requests.slice(1)).toEqual([
      "http://far.invalid/data/large.bin",
      "http://far.invalid/data/small.bin",
    ]);
    await proxy.close();
    // Where it is told to go directly it does.
    rmSync(join(cache, "numbers"), { recursive: true });
    await fetchNow({ proxy: { http: proxy.address, none: "127.0.0.1" } });
    expectAll();
  });

  it("a proxy's tunnel, for an address with https", async () => {
    const tunnels: string[] = [];
    const proxy = createServer().on("connect", ({ url }, socket) => {
      tunnels.push(String(url));
      socket.end("HTTP/1.1 407 Proxy Authentication Required\r\n\r\n");
    });
    await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
    const https = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
    expect(await errorOf(() => fetchNow({ from: "https://far.invalid", proxy: { https } }))).toContain(
      "https://far.invalid/large.bin: received HTTP 407, the proxy wants a name and a password; expected the file. Give them in HTTPS_PROXY",
    );
    expect(tunnels).toEqual(["far.invalid:443"]);
    proxy.close();
  });
});
