import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, vi } from "vitest";
import { cifar10, decodeCifar } from "../../../src/learn/datasets/cifar10.js";
import { fashionMnist } from "../../../src/learn/datasets/fashionMnist.js";
import { findFolder, placesOf, requireFolder } from "../../../src/learn/datasets/published.js";

const installed = existsSync("/usr/share/datasets/fashion-mnist/train-images-idx3-ubyte.gz");

describe("cifar10", () => {
  const example = Uint8Array.from({ length: 3073 }, (_, i) =>
    i === 0 ? 7 : Math.floor((i - 1) / 1024) * 50 + (i % 32),
  );

  it("brings channels last and reads files one after the other", () => {
    const split = decodeCifar([
      { file: "a", bytes: example },
      { file: "b", bytes: example.with(0, 3) },
    ]);
    expect([...split.targets.data]).toEqual([7, 3]);
    expect(split.inputs.shape).toEqual([2, 32, 32, 3]);
    expect([...split.inputs.data.slice(0, 6)]).toEqual([1, 51, 101, 2, 52, 102]);
    expect([...split.inputs.data.slice(3072 + 31 * 3, 3072 + 33 * 3)]).toEqual([0, 50, 100, 1, 51, 101]);
  });

  it("names a truncated file, a missing one and one that is not the original", async () => {
    expect(() => decodeCifar([{ file: "a.bin", bytes: example.slice(1) }])).toThrow(
      'CIFAR-10 file "a.bin", byte 3072: received the end of the file; expected a multiple of 3073 bytes',
    );
    const folder = mkdtempSync(join(tmpdir(), "slalom-cifar-"));
    await expect(cifar10({ folder }).load()).rejects.toThrow(
      `cifar10: there is no file "${folder}/data_batch_1.bin". Get it with: slalom fetch cifar10 (from https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz)`,
    );
    for (const { name } of cifar10().published!.files) writeFileSync(join(folder, name), example);
    await expect(cifar10({ folder }).load()).rejects.toThrow("is not the original: received 3073 bytes");
    rmSync(folder, { recursive: true });
  });
});

describe("fashionMnist", () => {
  it.skipIf(!installed)(
    "reads Debian's files, 6,000 training images a class (needs dataset-fashion-mnist)",
    async () => {
      const { train, validation, test } = await fashionMnist().load();
      expect([train.count, validation?.count, test?.count]).toEqual([50_000, 10_000, 10_000]);
      const counts = new Array(10).fill(0);
      for (const part of [train, validation!]) for (const label of part.targets.data) counts[label]++;
      expect(counts).toEqual(new Array(10).fill(6000));
      expect([...train.targets.data.slice(0, 4)]).toEqual([9, 0, 0, 3]);
    },
  );

  it.skipIf(!installed)(
    "standardizes by the training images, whose mean and deviation are known (needs dataset-fashion-mnist)",
    async () => {
      const source = fashionMnist({ standardize: "channel", shape: "flat" });
      expect(source).toMatchObject({ exampleShape: [784], options: { standardize: "channel" } });
      const { train, scale, offset } = await source.load();
      // Of all 60,000 in units of 255: mean 0.2860, deviation 0.3530.
      expect(1 / (scale as number) / 255).toBeCloseTo(0.353, 2);
      expect(-(offset as number) / (scale as number) / 255).toBeCloseTo(0.286, 2);
      let [sum, squares] = [0, 0];
      for (const raw of train.inputs.data) {
        const value = raw * (scale as number) + (offset as number);
        sum += value;
        squares += value ** 2;
      }
      expect(sum / train.inputs.data.length).toBeCloseTo(0, 9);
      expect(squares / train.inputs.data.length).toBeCloseTo(1, 9);
    },
  );

  it("is found where it was fetched to, and names command and address where it is nowhere", async () => {
    const home = mkdtempSync(join(tmpdir(), "slalom-home-"));
    vi.stubEnv("HOME", home);
    try {
      const published = { ...fashionMnist().published!, provided: undefined };
      const places = placesOf(published);
      expect(places).toEqual([join(home, ".cache", "slalom", "fashion-mnist")]);
      expect(findFolder(published.files, places)).toBeUndefined();
      expect(() => requireFolder(published, published.files, undefined)).toThrow(
        `fashion-mnist: there is no file "${places[0]}/train-images-idx3-ubyte.gz". Get it with: slalom fetch fashion-mnist (from http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/train-images-idx3-ubyte.gz), or name the folder that has it: { folder: "..." }.`,
      );
      mkdirSync(places[0], { recursive: true });
      for (const { name } of published.files) writeFileSync(join(places[0], name), "");
      expect(requireFolder(published, published.files, undefined)).toBe(places[0]);
    } finally {
      vi.unstubAllEnvs();
      rmSync(home, { recursive: true });
    }
  });

  it("refuses another shape", () => {
    expect(() => fashionMnist({ shape: "square" as never })).toThrow('received shape "square"');
  });
});
