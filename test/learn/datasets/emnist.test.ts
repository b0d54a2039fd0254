/** EMNIST on files of the original's shapes and counts whose content is made here. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { emnist } from "../../../src/learn/datasets/index.js";
import { errorOf } from "./support.js";

const root = mkdtempSync(join(tmpdir(), "slalom-emnist-"));
afterAll(() => rmSync(root, { recursive: true }));

const idx = (shape: readonly number[], data: Uint8Array): Uint8Array => {
  const header = Buffer.alloc(4 + 4 * shape.length);
  header.set([0, 0, 8, shape.length]);
  shape.forEach((extent, axis) => {
    header.writeUInt32BE(extent, 4 + 4 * axis);
  });
  return gzipSync(Buffer.concat([header, data]), { level: 1 });
};

/** Image n has a bright first column as stored, and n modulo 256 in row 2, column 5 as stored. */
function writeSplit(
  folder: string,
  split: string,
  counts: Record<string, number>,
  label: (n: number) => number,
) {
  mkdirSync(folder, { recursive: true });
  for (const [part, count] of Object.entries(counts)) {
    const images = new Uint8Array(count * 784);
    for (let n = 0; n < count; n++) {
      for (let row = 0; row < 28; row++) images[n * 784 + 28 * row] = 200;
      images[n * 784 + 28 * 2 + 5] = n % 256;
    }
    const labels = Uint8Array.from({ length: count }, (_, n) => label(n));
    writeFileSync(join(folder, `emnist-${split}-${part}-images-idx3-ubyte.gz`), idx([count, 28, 28], images));
    writeFileSync(join(folder, `emnist-${split}-${part}-labels-idx1-ubyte.gz`), idx([count], labels));
  }
}

describe("emnist", () => {
  const folder = join(root, "whole");
  beforeAll(() => {
    writeSplit(folder, "letters", { train: 124_800, test: 20_800 }, (n) => (n % 26) + 1);
    writeSplit(folder, "mnist", { train: 60_000, test: 10_000 }, (n) => n % 10);
  });

  it("turns images upright and counts letters from 0; the last training images validate", async () => {
    const data = await emnist({ split: "letters", folder }).load();
    expect([data.train.count, data.validation!.count, data.test!.count]).toEqual([104_000, 20_800, 20_800]);
    expect(data).toMatchObject({ name: "emnist-letters", classes: 26, exampleShape: [28, 28, 1] });
    const { data: pixels } = data.train.inputs;
    // The bright column is the first row, row 2 of column 5 is row 5 of column 2.
    expect([...pixels.subarray(0, 30)]).toEqual([...new Array(28).fill(200), 0, 0]);
    expect(pixels[3 * 784 + 28 * 5 + 2]).toBe(3);
    expect(pixels[3 * 784 + 28 * 2 + 5]).toBe(0);
    expect([...data.train.targets.data.subarray(0, 3)]).toEqual([0, 1, 2]);
    expect(data.classNames![data.train.targets.data[25]]).toBe("Z");
    expect(data.validation!.targets.data[0]).toBe(104_000 % 26);
    expect(data.validation!.inputs.data[28 * 5 + 2]).toBe(104_000 % 256);
  });

  it("keeps digits' labels, and takes what other such data sets take", async () => {
    const data = await emnist({
      split: "mnist",
      folder,
      shape: "flat",
      trainCount: 12,
      standardize: "channel",
    }).load();
    expect(data.train.inputs.shape).toEqual([12, 784]);
    expect([...data.train.targets.data]).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1]);
    expect(data.scale).toBeTypeOf("number");
    expect(data.validation!.count).toBe(10_000);
  });

  it("names its classes as the labels of each split have them", () => {
    const counts = { balanced: 47, byclass: 62, bymerge: 47, digits: 10, letters: 26, mnist: 10 } as const;
    for (const [split, classes] of Object.entries(counts)) {
      const source = emnist({ split: split as keyof typeof counts, trainCount: 5 });
      expect(source).toMatchObject({ name: `emnist-${split}`, classes, options: { trainCount: 5 } });
    }
    expect(emnist().name).toBe("emnist-balanced");
  });

  it("refuses files of another split or count, and a letter 0", async () => {
    const broken = join(root, "broken");
    writeSplit(broken, "digits", { train: 60_000, test: 10_000 }, () => 0);
    expect(await errorOf(() => emnist({ split: "digits", folder: broken }).load())).toMatch(
      /^data: emnist: file ".*emnist-digits-train-images-idx3-ubyte" holds u8\[60000,28,28\]; expected u8\[240000,28,28\]\. Is it a file of another data set\?$/,
    );
    writeSplit(broken, "letters", { train: 124_800, test: 20_800 }, (n) => n % 26);
    expect(await errorOf(() => emnist({ split: "letters", folder: broken }).load())).toBe(
      "data: emnist: received label 0 at letter 0; expected 1 to 26.",
    );
  });

  it("names the command and the address where files are missing, and the splits there are", async () => {
    expect(await errorOf(() => emnist({ split: "byclass", folder }).load())).toBe(
      `data: emnist: there is no file "${folder}/emnist-byclass-train-images-idx3-ubyte.gz". Get it with: slalom fetch emnist (from https://biometrics.nist.gov/cs_links/EMNIST/gzip.zip), or name the folder that has it: { folder: "..." }.`,
    );
    expect(await errorOf(() => emnist({ split: "letter" as never }))).toBe(
      'option: unknown split of emnist "letter". Did you mean "letters"? Valid: letters, balanced, bymerge, digits, mnist, byclass.',
    );
    expect(await errorOf(() => emnist({ splt: "letters" } as never))).toContain(
      'unknown option of emnist "splt"',
    );
  });
});
