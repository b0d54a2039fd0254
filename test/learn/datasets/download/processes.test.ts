/** Several processes that fetch one data set: at once, and after one that was killed. */
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { fetchDataset, type Published } from "../../../../src/learn/datasets/index.js";
import { root } from "../../../support/sources.js";
import {
  cutAfter,
  type FileServer,
  type Misbehaviour,
  noise,
  plainSet,
  serve,
  stallAfter,
} from "./server.js";

const files = { "large.bin": noise(3_000_000), "small.bin": noise(500, 2) };
let server: FileServer;
let published: Published;
let cache: string;
const caches = mkdtempSync(join(tmpdir(), "slalom-processes-"));
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

const fetchNow = () => fetchDataset({ name: "numbers", published }, { cache, waitsMs: [1, 1, 1] });
const inCache = () => readdirSync(join(cache, "numbers")).sort();
const expectAll = () => {
  expect(inCache()).toEqual(["large.bin", "small.bin"]);
  for (const [name, content] of Object.entries(files))
    expect(readFileSync(join(cache, "numbers", name)).equals(content)).toBe(true);
};

describe("several processes", () => {
  const library = join(root, "dist/index.js");
  const script = join(caches, "fetch.mjs");
  beforeAll(() => {
    writeFileSync(
      script,
      `import { fetchDataset } from ${JSON.stringify(library)};
       const { published, cache } = JSON.parse(process.argv[2]);
       const { downloaded } = await fetchDataset({ name: "numbers", published }, { cache, onProgress: () => console.log("progress") });
       console.log(downloaded.join());`,
    );
  });
  const words = () => [script, JSON.stringify({ published, cache })];

  it("of one program get one whole file at once", async () => {
    server.misbehave(cutAfter(700_000), cutAfter(900_000));
    await Promise.all([fetchNow(), fetchNow(), fetchNow()]);
    expectAll();
  });

  it.skipIf(!existsSync(library))("get one whole file at once (needs the built library)", async () => {
    // The server holds all of them until the last one asks.
    const held: (() => void)[] = [];
    const hold: Misbehaviour = (_, response, content) => {
      held.push(() => response.writeHead(200, { "content-length": content.length }).end(content));
      if (held.length === 3) for (const go of held) go();
      return true;
    };
    server.misbehave(hold, hold, hold);
    const run = promisify(execFile);
    const outputs = await Promise.all([0, 1, 2].map(() => run(process.execPath, words())));
    for (const { stdout } of outputs) expect(stdout.trim().split("\n").at(-1)).toMatch(/^large\.bin/);
    expectAll();
  });

  it.skipIf(!existsSync(library))(
    "that were killed leave what the next takes over (needs the built library)",
    async () => {
      server.misbehave(stallAfter(300_000));
      const child = spawn(process.execPath, words());
      await once(child.stdout, "data");
      child.kill("SIGKILL");
      await once(child, "exit");
      const [left] = inCache();
      expect(left).toMatch(/^large\.bin\.part-.+-\d+-[0-9a-f]{8}$/);
      server.misbehave();
      await fetchNow();
      expect(server.requests[0]).toMatch(/^\/data\/large\.bin bytes=\d+-$/);
      expectAll();
    },
  );
});
