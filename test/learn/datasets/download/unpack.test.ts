/** Data sets that are downloaded as archives: zip and tar.gz. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { zipSync } from "fflate";
import { createTar } from "nanotar";
import { afterAll, describe, expect, it } from "vitest";
import { fetchDataset, type Published } from "../../../../src/learn/datasets/index.js";
import { errorOf } from "../support.js";
import { cutAfter, noise, remote, serve, sha256 } from "./server.js";

const root = mkdtempSync(join(tmpdir(), "slalom-unpack-"));
afterAll(() => rmSync(root, { recursive: true }));

const contents = { "one.bin": noise(70_000), "two.bin": new Uint8Array(50_000).fill(7) };
const listed = [
  { name: "inner/readme.txt", data: new TextEncoder().encode("about") },
  ...Object.entries(contents).map(([name, data]) => ({ name: `inner/${name}`, data: Uint8Array.from(data) })),
];
const archives = {
  "set.zip": Buffer.from(zipSync(Object.fromEntries(listed.map(({ name, data }) => [name, data])))),
  "set.tar.gz": gzipSync(createTar([{ name: "inner/" }, ...listed])),
} as const;

/** The data set of an archive; by default its files have no checksums of their own, as EMNIST's. */
const archived = (
  address: string,
  name: keyof typeof archives,
  content: Buffer = archives[name],
): Published => ({
  name: "archived",
  title: "Archived",
  citation: "nobody",
  url: address,
  licence: "none",
  files: Object.keys(contents).map((file) => ({ name: file })),
  downloads: [remote(`${address}/${name}`, content, name === "set.zip" ? "zip" : "tar.gz")],
});

describe.each(["set.zip", "set.tar.gz"] as const)("%s", (name) => {
  it("is unpacked by the names of its files, and removed", async () => {
    const server = await serve(archives);
    const published = archived(server.address, name);
    const cache = mkdtempSync(join(root, "c-"));
    const folder = join(cache, "archived");
    const fetched = await fetchDataset({ name: "archived", published }, { cache });
    expect(fetched).toEqual({ folder, downloaded: [name] });
    expect(readdirSync(folder).sort()).toEqual(["one.bin", "two.bin"]);
    for (const [file, content] of Object.entries(contents))
      expect(readFileSync(join(folder, file)).equals(content)).toBe(true);
    expect((await fetchDataset({ name: "archived", published }, { cache })).downloaded).toEqual([]);
    // A file that is missing brings the archive again, and it alone is written.
    rmSync(join(folder, "one.bin"));
    writeFileSync(join(folder, "two.bin"), "of the user's");
    server.misbehave(cutAfter(20_000));
    await fetchDataset({ name: "archived", published }, { cache, waitsMs: [1] });
    expect(server.requests[1]).toMatch(new RegExp(`^/${name} bytes=\\d+-$`));
    expect(readFileSync(join(folder, "one.bin")).equals(contents["one.bin"])).toBe(true);
    expect(readFileSync(join(folder, "two.bin"), "utf8")).toBe("of the user's");
    // Where checksums are known a changed file is replaced as well.
    const files = Object.entries(contents).map(([file, content]) => ({
      name: file,
      sha256: sha256(content),
    }));
    await fetchDataset({ name: "archived", published: { ...published, files } }, { cache });
    expect(readFileSync(join(folder, "two.bin")).equals(contents["two.bin"])).toBe(true);
    await server.close();
  });

  it("is an error where it lacks a file, or is no such archive", async () => {
    const broken = Buffer.from(archives[name].subarray(0, 40_000));
    const server = await serve({ ...archives, [name]: archives[name] });
    const published = archived(server.address, name);
    const cache = mkdtempSync(join(root, "c-"));
    const more = { ...published, files: [...published.files, { name: "three.bin" }] };
    expect(await errorOf(() => fetchDataset({ name: "archived", published: more }, { cache }))).toMatch(
      /^data: archive ".*": received no file "three\.bin" among 3; expected 3 of the data set\.$/,
    );
    // It is kept: the download is not wasted.
    expect(readdirSync(join(cache, "archived"))).toEqual([`${name}.part`]);
    await server.close();
    const other = await serve({ [name]: broken });
    const cut = archived(other.address, name, broken);
    expect(
      await errorOf(() =>
        fetchDataset({ name: "archived", published: cut }, { cache: mkdtempSync(join(root, "c-")) }),
      ),
    ).toMatch(
      name === "set.zip"
        ? /^data: zip file ".*", byte 40000: received the end of the file without a zip directory/
        : /^data: archive ".*": received no whole tar\.gz \(unexpected end of file\)/,
    );
    await other.close();
  });
});
