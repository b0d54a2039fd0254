/** Image folders: what is in which order, what decoding gives, and what is refused. Images are written here by sharp. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import sharp from "sharp";
import { classificationProblem, convNet } from "slalom";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type ImageFolderOptions, imageFolder, type Split } from "../../../src/learn/datasets/index.js";
import { errorOf } from "./support.js";

const root = mkdtempSync(join(tmpdir(), "slalom-images-"));
afterAll(() => rmSync(root, { recursive: true }));

/** A place below the root whose folders exist. */
function place(...parts: string[]): string {
  const path = join(root, ...parts);
  mkdirSync(dirname(path), { recursive: true });
  return path;
}

/** An image of one colour; grey for a number. */
async function plain(path: string, colour: number | readonly number[], height = 2, width = 3): Promise<void> {
  const channels = typeof colour === "number" ? 1 : colour.length;
  const value = [colour].flat();
  const pixels = Uint8Array.from({ length: height * width * channels }, (_, i) => value[i % channels]);
  const raw = { height, width, channels: channels as 1 | 3 | 4 };
  await sharp(pixels, { raw }).toFile(path);
}

/** The first pixel of each example. */
const firstPixels = ({ inputs }: Split): number[][] => {
  const [count, height, width, channels] = inputs.shape;
  const size = height * width * channels;
  return Array.from({ length: count }, (_, i) => [...inputs.data.subarray(i * size, i * size + channels)]);
};

const load = (name: string, options: Omit<ImageFolderOptions, "folder"> = {}) =>
  imageFolder({ folder: join(root, name), ...options }).load();

describe("a folder for each class", () => {
  beforeAll(async () => {
    await plain(place("numbers", "10", "b.png"), 101);
    await plain(place("numbers", "10", "a.png"), 100);
    await plain(place("numbers", "2", "Z.PNG"), 20);
    await plain(place("numbers", "2", "a10.png"), 22);
    await plain(place("numbers", "2", "a9.png"), 23);
    writeFileSync(place("numbers", "2", ".DS_Store"), "left by a file manager");
    writeFileSync(place("numbers", "Thumbs.db"), "left by another");
  });

  it("is read class by class, numbers in their order, files by name", async () => {
    const data = await load("numbers");
    expect(data).toMatchObject({
      name: "numbers",
      title: "numbers",
      classes: 2,
      classNames: ["2", "10"],
      exampleShape: [2, 3, 3],
      scale: 1 / 255,
      offset: 0,
    });
    expect(data.train.inputs.dtype).toBe("uint8");
    expect(firstPixels(data.train).map(([red]) => red)).toEqual([20, 22, 23, 100, 101]);
    expect([...data.train.targets.data]).toEqual([0, 0, 0, 1, 1]);
    expect([data.validation, data.test]).toEqual([undefined, undefined]);
  });

  it("is split by a seed, each image once with its class", async () => {
    for (let i = 0; i < 20; i++) {
      await plain(place("many", "dark", `${i}.png`), i, 1, 1);
      await plain(place("many", "bright", `${i}.png`), 200 + i, 1, 1);
    }
    const split = { validation: 0.25, test: 0.25 };
    const data = await load("many", { split, channels: 1 });
    expect([data.train.count, data.validation!.count, data.test!.count]).toEqual([20, 10, 10]);
    const all = [data.train, data.validation!, data.test!];
    for (const { inputs, targets } of all)
      expect([...targets.data]).toEqual([...inputs.data].map((pixel) => (pixel >= 200 ? 0 : 1)));
    const pixels = all.flatMap(({ inputs }) => [...inputs.data]).sort((a, b) => a - b);
    expect(pixels).toEqual([...Array(20).keys(), ...Array.from({ length: 20 }, (_, i) => 200 + i)]);
    expect(new Set(data.validation!.targets.data).size).toBe(2);
    expect(await load("many", { split, channels: 1 })).toEqual(data);
    const other = await load("many", { split: { ...split, shuffleSeed: 1 }, channels: 1 });
    expect(other.validation!.inputs.data).not.toEqual(data.validation!.inputs.data);
  });

  it("follows links, and is named and identified by its options", async () => {
    await plain(place("linked", "a", "1.png"), 5);
    symlinkSync(join(root, "numbers", "2"), place("linked", "b"));
    const source = imageFolder({ folder: join(root, "linked"), size: [4, 6], name: "mine", title: "Mine" });
    expect(source).toMatchObject({ name: "mine", title: "Mine", exampleShape: [4, 6, 3] });
    expect((await source.load()).train.count).toBe(4);
    const options = { size: 8, channels: 1, standardize: "channel", split: { validation: 1 } } as const;
    const dataset = imageFolder({ folder: join(root, "linked"), ...options });
    expect(classificationProblem({ dataset, model: convNet() }).options).toMatchObject({
      dataset: "linked",
      ...options,
    });
  });
});

describe("train, validation and test", () => {
  beforeAll(async () => {
    await plain(place("ready", "train", "cat", "1.png"), 1);
    await plain(place("ready", "train", "dog", "1.png"), 2);
    await plain(place("ready", "val", "dog", "1.png"), 3);
    await plain(place("ready", "test", "cat", "1.png"), 4);
    await plain(place("ready", "test", "dog", "1.png"), 5);
  });

  it("are the splits; one may lack a class", async () => {
    const data = await load("ready", { channels: 1 });
    expect([data.train, data.validation!, data.test!].map((split) => firstPixels(split).flat())).toEqual([
      [1, 2],
      [3],
      [4, 5],
    ]);
    expect([...data.validation!.targets.data]).toEqual([1]);
    expect(await errorOf(() => load("ready", { split: { validation: 1 } }))).toContain(
      'data set "ready" has a validation split of 1',
    );
  });

  it("are classes where they hold images", async () => {
    await plain(place("vehicles", "train", "1.png"), 1);
    await plain(place("vehicles", "tram", "1.png"), 2);
    expect((await load("vehicles")).classNames).toEqual(["train", "tram"]);
  });

  it("refuse what training lacks, and other folders beside them", async () => {
    await plain(place("unknown", "train", "cat", "1.png"), 1);
    await plain(place("unknown", "train", "dog", "1.png"), 1);
    await plain(place("unknown", "test", "cow", "1.png"), 1);
    expect(await errorOf(() => load("unknown"))).toBe(
      `data: imageFolder: "${join(root, "unknown", "test")}": received a class "cow" that the training images lack; expected one of cat, dog.`,
    );
    await plain(place("beside", "train", "cat", "1.png"), 1);
    await plain(place("beside", "train", "dog", "1.png"), 1);
    await plain(place("beside", "extra", "cat", "1.png"), 1);
    expect(await errorOf(() => load("beside"))).toContain(
      'received a folder "extra" beside train; expected train, validation (or val) and test alone',
    );
    await plain(place("larger", "train", "cat", "1.png"), 1);
    await plain(place("larger", "train", "dog", "1.png"), 1);
    await plain(place("larger", "test", "dog", "1.png"), 1, 9, 9);
    expect(await errorOf(() => load("larger"))).toMatch(
      /received images of 2 x 3 \(".*train\/cat\/1.png"\) and of 9 x 9 pixels \(".*test\/dog\/1.png"\)/,
    );
  });
});

describe("decoding", () => {
  /** Left half black, right half white: 4 high, 8 wide. */
  const halves = Uint8Array.from({ length: 32 }, (_, i) => (i % 8 < 4 ? 0 : 255));
  const raw = { height: 4, width: 8, channels: 1 as const };

  it("brings images to a size by cropping, padding or stretching", async () => {
    for (const name of ["a", "b"]) await sharp(halves, { raw }).toFile(place("halves", name, "1.png"));
    const rows = async (options: Omit<ImageFolderOptions, "folder">) => {
      const { inputs } = (await load("halves", { channels: 1, ...options })).train;
      const [, height, width] = inputs.shape;
      return Array.from({ length: height }, (_, row) => [
        ...inputs.data.subarray(row * width, (row + 1) * width),
      ]);
    };
    // Both borders are cut off: the middle 4 columns are left.
    expect(await rows({ size: 4 })).toEqual(new Array(4).fill([0, 0, 255, 255]));
    const padded = await rows({ size: [8, 8], fit: "pad" });
    expect(padded[0]).toEqual(new Array(8).fill(0));
    expect(padded[4]).toEqual([0, 0, 0, 0, 255, 255, 255, 255]);
    // Narrowed to a half, kept in height: all columns are there, the edge between the halves is a little blurred.
    const stretched = await rows({ size: 4, fit: "stretch" });
    expect(stretched).toEqual(new Array(4).fill(stretched[0]));
    expect(stretched[0].map((value) => Math.round(value / 64))).toEqual([0, 0, 4, 4]);
  });

  it("gives the channels that are wanted: grey as colour, colour as luminance, transparency over black", async () => {
    await plain(place("colours", "grey", "1.png"), 77);
    await plain(place("colours", "red", "1.png"), [255, 0, 0]);
    await plain(place("colours", "through", "1.png"), [200, 100, 50, 0]);
    await sharp({ create: { height: 2, width: 3, channels: 3, background: "#4080c0" } })
      .toColourspace("rgb16")
      .toFile(place("colours", "deep", "1.png"));
    const colours = await load("colours");
    expect(colours.classNames).toEqual(["deep", "grey", "red", "through"]);
    expect(firstPixels(colours.train)).toEqual([
      [0x40, 0x80, 0xc0],
      [77, 77, 77],
      [255, 0, 0],
      [0, 0, 0],
    ]);
    const [deep, grey, red, through] = firstPixels((await load("colours", { channels: 1 })).train).flat();
    expect([grey, through]).toEqual([77, 0]);
    // By luminance: blue weighs little, so #4080c0 is darker than its mean and red far darker than white.
    expect(deep).toBeGreaterThan(100);
    expect(deep).toBeLessThan(128);
    expect(red).toBeGreaterThan(30);
    expect(red).toBeLessThan(130);
  });

  it("reads JPEG, WebP, GIF, TIFF and AVIF, and turns as EXIF says", async () => {
    const flat = sharp({ create: { height: 16, width: 16, channels: 3, background: "#3264c8" } });
    for (const ending of ["jpg", "JPEG", "webp", "gif", "tif", "avif"])
      await flat.toFile(place("kinds", "a", `1.${ending}`));
    await flat.toFile(place("kinds", "b", "1.png"));
    const { train } = await load("kinds");
    expect(train.count).toBe(7);
    for (const pixel of firstPixels(train))
      expect(pixel.map((value, c) => Math.abs(value - [0x32, 0x64, 0xc8][c]) <= 6)).toEqual([
        true,
        true,
        true,
      ]);
    // Stored lying on its side: orientation 6 wants a quarter turn to the right.
    for (const name of ["a", "b"])
      await sharp(halves, { raw })
        .withMetadata({ orientation: 6 })
        .toFile(place("turned", name, "1.png"));
    const turned = (await load("turned", { channels: 1 })).train.inputs;
    expect(turned.shape).toEqual([2, 8, 4, 1]);
    expect([turned.data[0], turned.data[31]]).toEqual([0, 255]);
  });

  it("is part of training: standardized by the training images", async () => {
    await plain(place("shades", "train", "a", "1.png"), 10);
    await plain(place("shades", "train", "b", "1.png"), 30);
    await plain(place("shades", "test", "a", "1.png"), 250);
    const data = await load("shades", { channels: 1, standardize: "channel" });
    expect(data.scale).toBeCloseTo(0.1, 12);
    expect(data.offset).toBeCloseTo(-2, 12);
  });
});

describe("what is refused", () => {
  it("an image that can't be decoded, by its path and the reason, the first one if there are several", async () => {
    const noise = Uint8Array.from({ length: 40 * 40 * 3 }, (_, i) => (i * 7919) % 251);
    const file = place("broken", "a", "2.jpg");
    await sharp(noise, { raw: { height: 40, width: 40, channels: 3 } }).toFile(file);
    writeFileSync(file, readFileSync(file).subarray(0, 900));
    await plain(place("broken", "a", "1.png"), 1, 40, 40);
    writeFileSync(place("broken", "b", "1.png"), "no image at all");
    expect(await errorOf(() => load("broken"))).toMatch(
      /^data: cannot read image ".*\/broken\/a\/2\.jpg": .*(premature end of JPEG image|damaged or end early)\. Expected a whole PNG, JPEG/,
    );
    rmSync(file);
    expect(await errorOf(() => load("broken"))).toMatch(
      /^data: cannot read image ".*\/b\/1\.png": Input file contains unsupported image format\./,
    );
  });

  it("images of several sizes where no size is wanted", async () => {
    await plain(place("sizes", "a", "1.png"), 1, 32, 32);
    await plain(place("sizes", "b", "1.png"), 1, 32, 40);
    const [a, b] = [join(root, "sizes", "a", "1.png"), join(root, "sizes", "b", "1.png")];
    expect(await errorOf(() => load("sizes"))).toBe(
      `data: imageFolder: received images of 32 x 32 ("${a}") and of 32 x 40 pixels ("${b}"); expected one height and width. Bring them to one with size: [32, 32].`,
    );
    expect((await load("sizes", { size: 16 })).train.inputs.shape).toEqual([2, 16, 16, 3]);
  });

  it("folders that are missing, empty, or mixed with files", async () => {
    expect(await errorOf(() => load("nowhere"))).toMatch(
      /^data: imageFolder: cannot read ".*\/nowhere": there is no such folder\./,
    );
    await plain(place("file.png"), 1);
    expect(await errorOf(() => load("file.png"))).toContain("it is a file");
    mkdirSync(join(root, "empty"));
    expect(await errorOf(() => load("empty"))).toContain(
      "received an empty folder; expected a folder for each",
    );
    await plain(place("direct", "1.png"), 1);
    expect(await errorOf(() => load("direct"))).toContain(
      'received a file "1.png"; expected a folder for each',
    );
    await plain(place("mixed", "a", "1.png"), 1);
    await plain(place("mixed", "2.png"), 1);
    expect(await errorOf(() => load("mixed"))).toContain('received a file "2.png" beside folders');
    await plain(place("single", "a", "1.png"), 1);
    expect(await errorOf(() => load("single"))).toContain('received 1 folder ("a"); expected two or more');
    await plain(place("hollow", "a", "1.png"), 1);
    mkdirSync(join(root, "hollow", "b"));
    expect(await errorOf(() => load("hollow"))).toBe(
      `data: imageFolder: "${join(root, "hollow", "b")}": received a class without images; expected one or more.`,
    );
    await plain(place("deep", "a", "1.png"), 1);
    await plain(place("deep", "b", "inner", "1.png"), 1);
    expect(await errorOf(() => load("deep"))).toContain('received a folder "inner" among images');
    await plain(place("notes", "a", "1.png"), 1);
    await plain(place("notes", "b", "1.png"), 1);
    writeFileSync(place("notes", "b", "readme.txt"), "about");
    expect(await errorOf(() => load("notes"))).toContain(
      'received "readme.txt", no image; expected files that end',
    );
  });

  it("impossible options", async () => {
    const refused = (options: object) => errorOf(() => imageFolder({ folder: "x", ...options }));
    expect(await refused({ size: 0 })).toBe(
      "option: imageFolder: received size 0; expected pixels, an integer from 1, or [height, width].",
    );
    expect(await refused({ size: [4] })).toContain("received size [4]");
    expect(await refused({ channels: 4 })).toContain("received channels 4; expected 1 (grey) or 3 (colours)");
    expect(await refused({ fit: "cover" })).toContain(
      'received fit "cover"; expected "crop", "pad" or "stretch"',
    );
    expect(await refused({ sizes: 4 })).toContain('Did you mean "size"?');
  });
});
