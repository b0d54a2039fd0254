/** Standardized inputs: by the training examples alone, and inside programs what the numbers worked out here are. */
import { describe, expect, it } from "vitest";
import type { HostTensor } from "../../../src/base/shape.js";
import { constantArray, evaluate, variable } from "../../../src/graph/index.js";
import {
  checkDataset,
  classification,
  csvDataset,
  type Dataset,
  idxDataset,
  mnistDataset,
  npzDataset,
  regression,
  type SplitName,
  standardizeDataset,
} from "../../../src/learn/datasets/index.js";
import { preparedBatch } from "../../../src/learn/problems/batch.js";
import { mnist } from "../../../src/learn/problems/index.js";
import { errorOf, fixturePath } from "./support.js";

/** Six images of 1 x 2 with 3 channels, the last channel constant in training; two are for validation. */
const photographs = () =>
  classification({
    name: "photographs",
    inputs: Uint8Array.of(
      ...[10, 0, 7, 20, 2, 7],
      ...[30, 4, 7, 40, 6, 7],
      ...[10, 8, 7, 20, 10, 7],
      ...[30, 12, 7, 40, 14, 7],
      ...[255, 0, 9, 0, 255, 255],
      ...[25, 7, 7, 25, 7, 7],
    ),
    targets: [0, 1, 0, 1, 0, 1],
    exampleShape: [1, 2, 3],
    scale: 1 / 255,
    split: { train: 4, validation: 2 },
  });

/** What a program sees of a split. */
function seen(dataset: Dataset, split: SplitName, dtype: "float32" | "float64" = "float64"): HostTensor {
  const { inputs, targets } = dataset[split]!;
  const raw = variable("inputs", inputs.shape, inputs.dtype);
  const classes = constantArray(targets.data, targets.shape, targets.dtype);
  const [values] = evaluate([preparedBatch(dataset, raw, classes, dtype).inputs], new Map([[raw, inputs]]));
  return values;
}

const column = ({ data }: HostTensor, period: number, at: number): number[] =>
  [...data].filter((_, i) => i % period === at);

describe("standardizeDataset", () => {
  it("takes mean and deviation of each channel from the training images", () => {
    const data = standardizeDataset(photographs(), "channel");
    // Red is 10, 20, 30, 40 twice; green is 0, 2, ..., 14: variances 125 and 21.
    const [red, green] = [Math.sqrt(125), Math.sqrt(21)];
    expect(data.scale).toMatchObject({ shape: [3], dtype: "float64" });
    const train = seen(data, "train");
    expect(train.shape).toEqual([4, 1, 2, 3]);
    expect(column(train, 3, 0).slice(0, 4)).toEqual(
      [10, 20, 30, 40].map((value) => expect.closeTo((value - 25) / red, 12)),
    );
    expect(column(train, 3, 1)).toEqual(
      [0, 2, 4, 6, 8, 10, 12, 14].map((value) => expect.closeTo((value - 7) / green, 12)),
    );
    // The constant channel is 0 in training and moves by 1/255 elsewhere.
    expect(column(train, 3, 2)).toEqual(new Array(8).fill(expect.closeTo(0, 15)));
    const validation = seen(data, "validation");
    expect([...validation.data.slice(0, 6)]).toEqual(
      [230 / red, -7 / green, 2 / 255, -25 / red, 248 / green, 248 / 255].map((value) =>
        expect.closeTo(value, 12),
      ),
    );
    expect([...validation.data.slice(6, 9)]).toEqual([0, 0, 0].map((value) => expect.closeTo(value, 12)));
  });

  it("takes them of each element, and leaves raw inputs as they are", () => {
    const given = photographs();
    const data = standardizeDataset(given, "element");
    expect(data.train.inputs).toBe(given.train.inputs);
    expect(data.scale).toMatchObject({ shape: [1, 2, 3] });
    const train = seen(data, "train");
    for (const at of [0, 1, 3, 4]) {
      const values = column(train, 6, at);
      expect(values.reduce((sum, value) => sum + value) / 4).toBeCloseTo(0, 12);
      expect(values.reduce((sum, value) => sum + value ** 2, 0) / 4).toBeCloseTo(1, 12);
    }
    // The first red pixel is 10, 30, 10, 30 in training: mean 20, deviation 10.
    expect(column(seen(data, "validation"), 6, 0)).toEqual([23.5, 0.5].map((v) => expect.closeTo(v, 12)));
  });

  it("is not led astray by held-out examples, nor by a constant that rounding would blur", () => {
    const inputs = Array.from({ length: 100 }, (_, i) => [0.1, i < 90 ? i % 2 : 1e6]);
    const targets = inputs.map((_, i) => i);
    const data = regression({
      name: "columns",
      inputs,
      targets,
      dtype: "float64",
      split: { train: 90, test: 10 },
      standardize: "element",
    });
    // The first column keeps the scale 1 and becomes exactly 0; the second is -1 and 1.
    expect([...(data.scale as HostTensor).data]).toEqual([1, 2]);
    expect([...(data.offset as HostTensor).data]).toEqual([-0.1, -1]);
    expect([...seen(data, "train").data.slice(0, 4)]).toEqual([0, -1, 0, 1]);
  });

  it("gives single numbers for one channel, for flat images too, to float32 precision", async () => {
    const options = { trainCount: 1000, validationCount: 10, testCount: 10 };
    const flat = await mnistDataset({ ...options, standardize: "channel" }).load();
    const images = await mnistDataset({ ...options, shape: "image", standardize: "channel" }).load();
    expect(flat.exampleShape).toEqual([784]);
    expect(flat.scale).toBeTypeOf("number");
    expect([images.scale, images.offset]).toEqual([flat.scale, flat.offset]);
    const { data } = seen(flat, "train", "float32");
    let [sum, squares] = [0, 0];
    for (const value of data) {
      sum += value;
      squares += value ** 2;
    }
    expect(sum / data.length).toBeCloseTo(0, 5);
    expect(squares / data.length).toBeCloseTo(1, 5);
  });

  it("flattens what belongs to elements along with the images", async () => {
    const options = { trainCount: 500, validationCount: 20, testCount: 10, standardize: "element" } as const;
    const flat = await mnistDataset(options).load();
    const images = await mnistDataset({ ...options, shape: "image" }).load();
    expect((flat.scale as HostTensor).shape).toEqual([784]);
    expect((images.scale as HostTensor).shape).toEqual([28, 28, 1]);
    expect(seen(flat, "validation").data).toEqual(seen(images, "validation").data);
    // Pixels of the border are dark in all of them: no infinity, no NaN.
    expect(seen(flat, "train").data.every(Number.isFinite)).toBe(true);
    expect(seen(flat, "train").data[0]).toBe(0);
  });

  it("is an option of files, and part of what tells two data sets apart", async () => {
    const csv = csvDataset({ file: fixturePath("flowers.csv"), target: "species", standardize: "element" });
    expect(csv.options).toEqual({ target: "species", standardize: "element" });
    const lengths = column(seen(await csv.load(), "train"), 2, 0);
    const [mean, deviation] = [5.825, Math.sqrt(0.746875)];
    expect(lengths).toEqual([5.1, 7, 6.3, 4.9].map((x) => expect.closeTo((x - mean) / deviation, 6)));
    const files = { images: fixturePath("images.idx.gz"), labels: fixturePath("labels.idx.gz") };
    const image = idxDataset({ ...files, standardize: "channel" });
    expect(image.options).toEqual({ standardize: "channel" });
    const loaded = await image.load();
    expect(loaded.exampleShape).toEqual([6]);
    const pixels = [...seen(loaded, "train").data];
    expect(pixels.reduce((sum, value) => sum + value ** 2, 0) / pixels.length).toBeCloseTo(1, 12);
    const arrays = await npzDataset({ file: fixturePath("stored.npz"), standardize: "element" }).load();
    // The first column of 0, 0.25, ..., 2.75 in rows of two: steps of a half, variance 0.25 * 35 / 12.
    expect([...(arrays.scale as HostTensor).data]).toEqual(
      new Array(2).fill(expect.closeTo(1 / Math.sqrt(35 / 48), 12)),
    );
  });

  it("sets problems apart by the option alone, and leaves others as they were", () => {
    const model = { name: "softmax" };
    expect(mnist().options).toEqual({ dataset: "mnist", model });
    expect(mnist({ standardize: "channel", trainCount: 100, folder: "elsewhere" }).options).toEqual({
      dataset: "mnist",
      standardize: "channel",
      trainCount: 100,
      model,
    });
  });

  it("refuses channels of what is no image, a scale beside it, and a second time", async () => {
    const plain = classification({ name: "xor", inputs: [0, 1], targets: [0, 1] });
    expect(await errorOf(() => standardizeDataset(plain, "channel"))).toBe(
      'option: standardize: data set "xor": received "channel" for examples of shape [1]; expected images [height, width, channels]. Take "element"?',
    );
    expect(await errorOf(() => standardizeDataset(plain, "pixel" as never))).toContain(
      'received "pixel"; expected "channel" or "element"',
    );
    const twice = standardizeDataset(photographs(), "channel");
    expect(await errorOf(() => standardizeDataset(twice, "channel"))).toContain("Standardize once.");
    expect(
      await errorOf(() => csvDataset({ file: "a.csv", target: 0, scale: 2, standardize: "element" })),
    ).toBe(
      'option: data set "a": received standardize together with scale; expected one of them, since standardizing chooses both scale and offset.',
    );
    const both = { name: "xor", inputs: [0, 1], targets: [0, 1], offset: 1, standardize: "element" } as const;
    expect(await errorOf(() => classification(both))).toContain("together with offset");
  });
});

describe("a data set's scale and offset", () => {
  const tensor = (shape: readonly number[], ...values: number[]): HostTensor => ({
    shape,
    dtype: "float64",
    data: Float64Array.from(values),
  });

  it("may be floats of the last axes, and nothing else", async () => {
    const data = photographs();
    const own = checkDataset({ ...data, scale: tensor([2, 3], 1, 2, 3, 4, 5, 6), offset: 0.5 });
    expect([...seen(own, "train").data.slice(0, 6)]).toEqual([10.5, 0.5, 21.5, 80.5, 10.5, 42.5]);
    const wrong = (change: Partial<Dataset>) => errorOf(() => checkDataset({ ...data, ...change }));
    expect(await wrong({ scale: tensor([2], 1, 2) })).toBe(
      'data: data set "photographs": received scale f64[2]; expected finite numbers: one, or floats of the example shape [1,2,3] or its last axes.',
    );
    expect(await wrong({ offset: tensor([3], 1, Number.NaN, 0) })).toContain("received offset NaN");
    expect(
      await wrong({ scale: { ...tensor([3]), data: Uint8Array.of(1, 2, 3), dtype: "uint8" } }),
    ).toContain("received scale u8[3]");
    expect(await wrong({ scale: Number.POSITIVE_INFINITY })).toContain("received scale Infinity");
  });
});
