/** IDX and NumPy files: values against arrays that NumPy wrote, and one clear error for each way to be broken. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { SlalomError } from "../../../src/base/errors.js";
import {
  decodeIdx,
  decodeNpy,
  openNpz,
  readIdx,
  readNpy,
  readNpz,
} from "../../../src/learn/datasets/index.js";
import { errorOf, fixture, fixturePath, patched, truncated } from "./support.js";

const table = [1.5, -2.25, 3, 0.1, 1e-3, -7];
const integers = [0, 1, 2, 100, 101, 127];
const folder = mkdtempSync(join(tmpdir(), "slalom-data-"));
afterAll(() => rmSync(folder, { recursive: true }));

describe("IDX", () => {
  it.each([
    ["u1", "uint8", integers],
    ["i1", "int32", integers],
    ["i2", "int32", integers],
    ["i4", "int32", integers],
    ["f4", "float32", table.map(Math.fround)],
    ["f8", "float64", table],
  ])("reads %s as %s", (kind, dtype, values) => {
    const tensor = decodeIdx(fixture(`${kind}.idx`));
    expect({ ...tensor, data: [...tensor.data] }).toEqual({ shape: [2, 3], dtype, data: values });
  });

  it("reads gzip by its magic number, from disk", async () => {
    const images = await readIdx(fixturePath("images.idx.gz"));
    expect(images.shape).toEqual([5, 2, 3]);
    expect([...images.data]).toEqual(Array.from({ length: 30 }, (_, i) => i * 8));
    expect([...(await readIdx(fixturePath("labels.idx.gz"))).data]).toEqual([0, 1, 2, 1, 0]);
  });

  it.each([
    [0, "byte 0: received the end of the file; expected 4 bytes in all, 4 from byte 0 for the magic number."],
    [3, "byte 3: received the end of the file; expected 4 bytes in all, 4 from byte 0 for the magic number."],
    [
      4,
      "byte 4: received the end of the file; expected 12 bytes in all, 8 from byte 4 for the extents of 2 axes.",
    ],
    [
      11,
      "byte 11: received the end of the file; expected 12 bytes in all, 8 from byte 4 for the extents of 2 axes.",
    ],
    [
      12,
      "byte 12: received the end of the file; expected 36 bytes in all, 24 from byte 12 for the data of shape [2,3].",
    ],
    [
      35,
      "byte 35: received the end of the file; expected 36 bytes in all, 24 from byte 12 for the data of shape [2,3].",
    ],
  ])("says where a file cut at byte %i ends", async (length, message) => {
    expect(await errorOf(() => decodeIdx(truncated(fixture("f4.idx"), length)))).toBe(
      `data: IDX file "f4.idx", ${message} The file looks truncated: copy or download it again.`,
    );
  });

  it("names a wrong magic number, an unknown type, bytes too many and extents beyond the file", async () => {
    const source = fixture("u1.idx");
    expect(await errorOf(() => decodeIdx(patched(source, 0, 0x50, 0x4b)))).toMatch(
      /^data: IDX file "u1.idx", byte 0: received the magic number 50 4b 08 02; expected 00 00 TYPE RANK .* Is it an IDX file\?$/,
    );
    expect(await errorOf(() => decodeIdx(patched(source, 2, 0x0a)))).toMatch(
      /byte 2: received the magic number 00 00 0a 02/,
    );
    expect(
      await errorOf(() => decodeIdx({ file: "u1.idx", bytes: new Uint8Array([...source.bytes, 9]) })),
    ).toMatch(/byte 18: received 1 bytes more; expected the end of the file after the data of shape \[2,3\]/);
    expect(await errorOf(() => decodeIdx(patched(source, 4, 0xff, 0xff, 0xff, 0xff)))).toMatch(
      /byte 18: received the end of the file; expected 12884901897 bytes in all/,
    );
  });

  it("finds where gzip is broken: cut, damaged, wrong checksum, no gzip at all", async () => {
    const source = fixture("images.idx.gz");
    const size = source.bytes.length;
    for (const length of [5, 20, size - 1]) {
      expect(await errorOf(() => decodeIdx(truncated(source, length)))).toMatch(
        new RegExp(
          `^data: gzip file "images.idx.gz", byte ${length}: received a broken stream \\(unexpected end of file\\)`,
        ),
      );
    }
    expect(await errorOf(() => decodeIdx(patched(source, 10, 0x07)))).toMatch(
      /byte 10: .*invalid block type/,
    );
    expect(await errorOf(() => decodeIdx(patched(source, size - 8, 1, 2, 3, 4)))).toMatch(
      /incorrect data check/,
    );
    const misnamed = { file: "plain.idx.gz", bytes: fixture("u1.idx").bytes };
    expect(await errorOf(() => decodeIdx(misnamed))).toMatch(
      /^data: gzip file "plain.idx.gz", byte 0: received 00 00; expected the magic number 1f 8b. Rename/,
    );
  });

  it("names a missing file and a folder", async () => {
    expect(await errorOf(() => readIdx("no/such.idx"))).toMatch(
      /^data: cannot read "no\/such.idx": there is no such file. Check the path/,
    );
    expect(await errorOf(() => readIdx(folder))).toMatch(/it is a folder, expected a file/);
  });
});

describe("NPY", () => {
  it.each(["little", "big"])("reads every element type, %s endian", (word) => {
    for (const [kind, dtype, values] of [
      ["f4", "float32", table.map(Math.fround)],
      ["f8", "float64", table],
      ...["i2", "u2", "i4", "u4", "i8", "u8"].map((name) => [name, "int32", integers] as const),
    ] as const) {
      const tensor = decodeNpy(fixture(`${kind}_${word}.npy`));
      expect({ ...tensor, data: [...tensor.data] }).toEqual({ shape: [2, 3], dtype, data: values });
    }
  });

  it("reads bytes, booleans, extremes of int32 and scalars", () => {
    const read = (name: string) => {
      const { shape, dtype, data } = decodeNpy(fixture(`${name}.npy`));
      return [dtype, shape, [...data]];
    };
    expect(read("u1")).toEqual(["uint8", [2, 3], integers]);
    expect(read("i1")).toEqual(["int32", [3], [-128, -1, 127]]);
    expect(read("bool")).toEqual(["uint8", [3], [1, 0, 1]]);
    expect(read("i4_negative")).toEqual(["int32", [3], [-2147483648, -1, 2147483647]]);
    expect(read("i8_negative")).toEqual(["int32", [3], [-2147483648, -1, 2147483647]]);
    expect(read("scalar")).toEqual(["float32", [], [2.5]]);
  });

  it.each(["version2", "version3", "fortran"])("reads %s row-major", async (name) => {
    const tensor = await readNpy(fixturePath(`${name}.npy`));
    expect(tensor.shape).toEqual([2, 3, 4]);
    expect([...tensor.data]).toEqual(Array.from({ length: 24 }, (_, i) => i));
  });

  it("refuses an integer beyond int32 and a boolean that is neither, with the element's offset", async () => {
    expect(await errorOf(() => decodeNpy(fixture("i8_too_large.npy")))).toBe(
      'data: NPY file "i8_too_large.npy", byte 144: received element 2 = 2147483648; expected an integer that int32 holds, -2147483648 to 2147483647.',
    );
    expect(await errorOf(() => decodeNpy(patched(fixture("bool.npy"), 129, 7)))).toMatch(
      /byte 129: received element 1 = 7; expected a boolean, 0 or 1/,
    );
  });

  it.each([
    ["f2", "the element type '<f2'"],
    ["complex", "the element type '<c8'"],
    ["structured", "'descr': [("],
    ["text", "the element type '<U1'"],
  ])("refuses the element type of %s", async (name, received) => {
    const message = await errorOf(() => decodeNpy(fixture(`${name}.npy`)));
    expect(message).toMatch(new RegExp(`^data: NPY file "${name}.npy", byte \\d+: received `));
    expect(message).toContain(received);
    expect(message).toContain("expected one array of a plain type: '<f4', '<f8'");
  });

  it.each([
    [0, 0, "8 bytes in all, 8 from byte 0 for the magic number and the version."],
    [7, 7, "8 bytes in all, 8 from byte 0"],
    [9, 9, "10 bytes in all, 2 from byte 8 for the length of the header."],
    [100, 100, "128 bytes in all, 118 from byte 10 for the header."],
    [151, 151, "152 bytes in all, 24 from byte 128 for the data of shape [2,3]."],
  ])("says where a file cut at byte %i ends", async (length, offset, expected) => {
    const message = await errorOf(() => decodeNpy(truncated(fixture("f4_little.npy"), length)));
    expect(message).toContain(
      `data: NPY file "f4_little.npy", byte ${offset}: received the end of the file; expected ${expected}`,
    );
  });

  it("names a wrong magic number, version, header and length", async () => {
    const source = fixture("f4_little.npy");
    const text = new TextDecoder("latin1").decode(source.bytes);
    expect(await errorOf(() => decodeNpy(fixture("u1.idx")))).toMatch(
      /byte 0: received the magic number 00 00 08 02 00 00/,
    );
    expect(await errorOf(() => decodeNpy(patched(source, 6, 4)))).toMatch(
      /byte 6: received version 4.0; expected version 1.0, 2.0 or 3.0/,
    );
    const shapeAt = text.indexOf("(2, 3)");
    expect(await errorOf(() => decodeNpy(patched(source, shapeAt + 1, 0x78)))).toContain(
      `byte ${shapeAt}: received 'shape': (x, 3)`,
    );
    expect(await errorOf(() => decodeNpy(patched(source, text.indexOf("descr"), 0x44)))).toContain(
      "a header without 'descr'",
    );
    expect(await errorOf(() => decodeNpy(patched(source, text.indexOf("False"), 0x46, 0x46)))).toContain(
      "'fortran_order': True or False",
    );
    const longer = { file: "two.npy", bytes: new Uint8Array([...source.bytes, 1, 2]) };
    expect(await errorOf(() => decodeNpy(longer))).toMatch(/byte 152: received 2 bytes more; .* numpy.savez/);
  });
});

describe("NPZ", () => {
  it.each(["stored.npz", "deflated.npz"])("reads %s", async (name) => {
    const archive = await readNpz(fixturePath(name));
    const [x, y] = name === "stored.npz" ? ["x", "y"] : ["x_train", "y_train"];
    expect(archive.names).toEqual(
      name === "stored.npz" ? ["x", "y"] : ["x_train", "y_train", "x_test", "y_test", "price"],
    );
    expect(archive.get(x).shape).toEqual([6, 2]);
    expect([...archive.get(x).data]).toEqual(Array.from({ length: 12 }, (_, i) => i / 4));
    expect([...archive.get(y).data]).toEqual([0, 1, 2, 0, 1, 2]);
  });

  it("lists the arrays for an unknown name", async () => {
    const archive = openNpz(fixture("deflated.npz"));
    expect(await errorOf(() => archive.get("x_tran"))).toMatch(
      /^data: unknown array of NPZ file "deflated.npz" "x_tran". Did you mean "x_train"\?/,
    );
  });

  it("fails with one clear error wherever the file is cut", async () => {
    const source = fixture("deflated.npz");
    for (let length = 0; length < source.bytes.length; length += 7) {
      expect(await errorOf(() => openNpz(truncated(source, length)))).toMatch(
        length < 4
          ? /^data: NPZ file "deflated.npz", byte 0: received no zip archive/
          : new RegExp(
              `^data: NPZ file "deflated.npz", byte ${length}: received the end of the file without a zip directory`,
            ),
      );
    }
  });

  it("notices every damaged byte of the stored contents through the CRC", async () => {
    const source = fixture("stored.npz");
    const contentAt = new TextDecoder("latin1").decode(source.bytes).indexOf("NUMPY") - 1;
    for (const at of [contentAt, contentAt + 60, contentAt + 140]) {
      const damaged = openNpz(patched(source, at, source.bytes[at] ^ 0x10));
      expect(await errorOf(() => damaged.get("x"))).toMatch(
        new RegExp(`^data: NPZ file "stored.npz", byte ${contentAt}: received "x.npy" with CRC-32 0x`),
      );
    }
  });

  it("turns a damaged deflate stream and a damaged header into data errors", async () => {
    const source = fixture("deflated.npz");
    const nameLength = "x_train.npy".length;
    const extraLength = source.bytes[28];
    const contentAt = 30 + nameLength + extraLength;
    for (const mask of [0x06, 0xff]) {
      const damaged = patched(source, contentAt, source.bytes[contentAt] ^ mask);
      expect(await errorOf(() => openNpz(damaged).get("x_train"))).toMatch(
        new RegExp(`^data: NPZ file "deflated.npz", byte ${contentAt}: received .*x_train.npy`),
      );
    }
    expect(await errorOf(() => openNpz(patched(source, 0, 0)).get("x_train"))).toMatch(
      /byte 0: received 0x04034b00; expected 0x04034b50/,
    );
    const directoryAt = new DataView(source.bytes.buffer).getUint32(source.bytes.length - 6, true);
    expect(await errorOf(() => openNpz(patched(source, directoryAt, 0)))).toContain(
      `byte ${directoryAt}: received 0x02014b00`,
    );
    expect(await errorOf(() => openNpz(patched(source, directoryAt + 8, 1)))).toContain("an encrypted entry");
    expect(await errorOf(() => openNpz(patched(source, directoryAt + 10, 12)).get("x_train"))).toContain(
      "packed by method 12",
    );
  });

  it("names a file that is no archive, also on disk", async () => {
    const file = join(folder, "broken.npz");
    writeFileSync(file, "not a zip archive, only text that is long enough");
    expect(await errorOf(() => readNpz(file))).toContain(
      `data: NPZ file "${file}", byte 0: received no zip archive`,
    );
  });
});

describe("any damaged file", () => {
  it.each([
    "f4.idx",
    "images.idx.gz",
    "f4_little.npy",
    "fortran.npy",
    "bool.npy",
    "stored.npz",
    "deflated.npz",
  ])("%s is read or refused with code data, never otherwise", (name) => {
    const source = fixture(name);
    const damage = fc.record({
      at: fc.integer({ min: 0, max: source.bytes.length - 1 }),
      value: fc.integer({ min: 0, max: 255 }),
      length: fc.integer({ min: 0, max: source.bytes.length }),
      cut: fc.boolean(),
    });
    fc.assert(
      fc.property(damage, ({ at, value, length, cut }) => {
        const broken = cut ? truncated(patched(source, at, value), length) : patched(source, at, value);
        try {
          if (name.includes(".idx")) decodeIdx(broken);
          else if (name.endsWith(".npy")) decodeNpy(broken);
          else for (const array of openNpz(broken).names) openNpz(broken).get(array);
        } catch (error) {
          expect(error).toBeInstanceOf(SlalomError);
          expect((error as SlalomError).code).toBe("data");
        }
      }),
      { numRuns: 400 },
    );
  });
});
