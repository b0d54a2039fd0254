/** Data sets from arrays and files, splits, and the checks that every data set passes. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  blobs,
  checkDataset,
  classification,
  csvDataset,
  datasets,
  decodeCsv,
  findDataset,
  idxDataset,
  npyDataset,
  npzDataset,
  regression,
  sourceOf,
  spirals,
  splitDataset,
  takeFirst,
} from "../../../src/learn/datasets/index.js";
import { errorOf, fixturePath } from "./support.js";

const csv = (text: string) => ({ file: "t.csv", bytes: new TextEncoder().encode(text) });
const xor = {
  name: "xor",
  inputs: [
    [0, 0],
    [0, 1],
    [1, 0],
    [1, 1],
  ],
  targets: [0, 1, 1, 0],
};

describe("arrays", () => {
  it("builds a classification set from nested arrays", async () => {
    const data = classification({ ...xor, classes: ["same", "different"] });
    expect(data.train.inputs).toEqual({
      shape: [4, 2],
      dtype: "float32",
      data: Float32Array.of(0, 0, 0, 1, 1, 0, 1, 1),
    });
    expect(data.train.targets).toEqual({ shape: [4], dtype: "int32", data: Int32Array.of(0, 1, 1, 0) });
    expect(data).toMatchObject({
      classes: 2,
      classNames: ["same", "different"],
      exampleShape: [2],
      scale: 1,
      offset: 0,
      title: "xor",
    });
    expect(classification({ ...xor, targets: [0, 1, 4, 0] }).classes).toBe(5);
    expect(await sourceOf(data).load()).toBe(data);
  });

  it("builds a regression set, numbers alone being examples of shape [1], in float64 on request", () => {
    const data = regression({ name: "line", inputs: [0.1, 2, 3], targets: [0, -1, -2], dtype: "float64" });
    expect(data.train.inputs).toEqual({ shape: [3, 1], dtype: "float64", data: Float64Array.of(0.1, 2, 3) });
    expect(data.train.targets).toEqual({ shape: [3], dtype: "float64", data: Float64Array.of(0, -1, -2) });
    expect(data.classes).toBeUndefined();
  });

  it("keeps typed arrays as they are and cuts them by the number of targets", () => {
    const inputs = Uint8Array.of(1, 2, 3, 4, 5, 6);
    const data = classification({ name: "bytes", inputs, targets: Uint8Array.of(1, 0), scale: 1 / 255 });
    expect(data.train.inputs.data).toBe(inputs);
    expect(data.exampleShape).toEqual([3]);
    expect(data.train.targets.dtype).toBe("uint8");
    expect(
      regression({ name: "counts", inputs, targets: Int32Array.of(7, 8, 9) }).train.targets.data,
    ).toEqual(Float32Array.of(7, 8, 9));
    expect(
      classification({ name: "images", inputs, targets: [0, 1], exampleShape: [1, 3] }).train.inputs.shape,
    ).toEqual([2, 1, 3]);
  });

  it.each([
    [
      "ragged inputs",
      { inputs: [[0, 0], [1], [1, 0], [1, 1]] },
      'data set "xor", inputs: received an array of 1 at [1]; expected an array of 2',
    ],
    [
      "a missing number",
      {
        inputs: [
          [0, 0],
          [0, 1],
          [1, undefined as unknown as number],
          [1, 1],
        ],
      },
      "received undefined at [2,1]; expected a number",
    ],
    ["too few targets", { targets: [0, 1, 1] }, "received 8 input values and 3 targets"],
    [
      "a label too large",
      { classes: 2, targets: [0, 1, 2, 0] },
      "train: received label 2 at example 2; expected 0 to 1 for 2 classes",
    ],
    ["a negative label", { targets: [0, 1, -1, 0] }, "received label -1 at example 2; expected 0 to 1"],
    [
      "a fractional label",
      { targets: [0, 1, 0.5, 0] },
      "received label 0.5 at example 2; expected a class index",
    ],
    [
      "NaN",
      {
        inputs: [
          [0, 0],
          [0, 1],
          [1, Number.NaN],
          [1, 1],
        ],
      },
      "train inputs: received NaN at example 2, element 1; expected finite values",
    ],
    [
      "infinite",
      {
        inputs: [
          [0, 0],
          [0, 1],
          [1, 1],
          [1, 1e300],
        ],
      },
      "received Infinity at example 3, element 1",
    ],
    ["no examples", { inputs: [], targets: [] }, "received"],
    ["one class", { classes: 1 }, "received 1 classes; expected an integer from 2"],
  ])("refuses %s", async (_, change, message) => {
    const error = await errorOf(() => classification({ ...xor, ...change }));
    expect(error).toMatch(/^data: data set "xor"/);
    expect(error).toContain(message);
  });

  it("refuses what the contract excludes", async () => {
    const data = classification(xor);
    const { train } = data;
    expect(await errorOf(() => checkDataset({ ...data, test: { ...train, count: 3 } }))).toContain(
      "test: received 4 inputs and 4 targets",
    );
    expect(await errorOf(() => checkDataset({ ...data, exampleShape: [3] }))).toContain(
      "received inputs f32[4,2]; expected examples of shape [3]",
    );
    expect(await errorOf(() => checkDataset({ ...data, classes: undefined }))).toContain(
      "received targets i32[4] without classes",
    );
    expect(await errorOf(() => checkDataset({ ...data, scale: Number.NaN }))).toContain("received scale NaN");
    expect(await errorOf(() => checkDataset({ ...data, classNames: ["a"] }))).toContain(
      "received 1 class names for 2 classes",
    );
    const short = { ...train, inputs: { ...train.inputs, data: new Float32Array(7) } };
    expect(await errorOf(() => checkDataset({ ...data, train: short }))).toContain(
      "received 7 elements as f32[4,2]",
    );
    expect(await errorOf(() => regression({ name: "r", inputs: [1], targets: [Number.NaN] }))).toContain(
      "targets: received NaN",
    );
    expect(await errorOf(() => classification({ ...xor, target: [0] } as never))).toMatch(
      /^option: unknown option of classification "target"/,
    );
  });
});

describe("splits", () => {
  const ten = regression({
    name: "ten",
    inputs: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
    targets: [0, 10, 20, 30, 40, 50, 60, 70, 80, 90],
  });
  const inputs = (data: typeof ten) =>
    [data.train, data.validation, data.test].map((split) => split && [...split.inputs.data]);

  it("cuts by counts and by fractions in the data set's own order", () => {
    expect(inputs(splitDataset(ten, { train: 5, validation: 3, test: 2 }))).toEqual([
      [0, 1, 2, 3, 4],
      [5, 6, 7],
      [8, 9],
    ]);
    expect(inputs(splitDataset(ten, { validation: 0.2, test: 0.1 }))).toEqual([
      [0, 1, 2, 3, 4, 5, 6],
      [7, 8],
      [9],
    ]);
    expect(inputs(splitDataset(ten, { train: 0.7, test: 0.3 }))).toEqual([
      [0, 1, 2, 3, 4, 5, 6],
      undefined,
      [7, 8, 9],
    ]);
    expect(inputs(splitDataset(ten, { train: 2, validation: 1 }))).toEqual([[0, 1], [2], undefined]);
    expect(inputs(takeFirst(ten, { train: 3 }))).toEqual([[0, 1, 2], undefined, undefined]);
  });

  it("shuffles by seed, inputs together with targets, each example once", () => {
    const shuffled = (shuffleSeed: number) => splitDataset(ten, { validation: 4, shuffleSeed });
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 0xffffffff }), (seed) => {
        const data = shuffled(seed);
        const all = [...data.train.inputs.data, ...data.validation!.inputs.data];
        expect([...data.train.targets.data, ...data.validation!.targets.data]).toEqual(
          all.map((x) => 10 * x),
        );
        expect(all.sort((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
      }),
      { numRuns: 50 },
    );
    expect(inputs(shuffled(1))).toEqual(inputs(shuffled(1)));
    expect(inputs(shuffled(1))).not.toEqual(inputs(shuffled(2)));
    expect([...ten.train.inputs.data]).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  });

  it.each([
    [{ train: 0.5, validation: 2 }, "expected all counts (integers from 1) or all fractions"],
    [{ train: 9, validation: 2 }, "expected at most 10 in all"],
    [{ validation: 10 }, "one or more for training"],
    [{ train: 0.8, test: 0.3 }, "fractions with a sum of at most 1"],
    [{ validation: 0.01 }, "fractions of at least one example"],
    [{}, "expected all counts"],
    [{ validation: 2, shuffleSeed: -1 }, "received seed -1"],
  ])("refuses %o", async (options, message) => {
    const error = await errorOf(() => splitDataset(ten, options));
    expect(error).toMatch(/^option: /);
    expect(error).toContain(message);
  });

  it("refuses to cut a split that is there, and to take more than there is", async () => {
    const cut = splitDataset(ten, { validation: 2 });
    expect(await errorOf(() => splitDataset(cut, { validation: 1 }))).toContain(
      "has a validation split of 2",
    );
    expect(splitDataset(cut, { test: 1 }).validation).toBe(cut.validation);
    expect(await errorOf(() => takeFirst(cut, { validation: 3 }))).toContain(
      "received 3 validation examples; expected an integer from 1 to 2",
    );
  });
});

describe("CSV", () => {
  const file = fixturePath("flowers.csv");

  it("reads numbers and text classes with a header", async () => {
    const data = await csvDataset({ file, target: "species" }).load();
    expect(data).toMatchObject({
      name: "flowers",
      classes: 3,
      classNames: ["setosa", "versicolor", "virginica"],
      exampleShape: [2],
    });
    expect(data.train.inputs.data).toEqual(Float32Array.of(5.1, 3.5, 7, 3.2, 6.3, 3.3, 4.9, 3));
    expect([...data.train.targets.data]).toEqual([0, 1, 2, 0]);
    const ordered = await csvDataset({
      file,
      target: -1,
      classes: ["virginica", "setosa", "versicolor"],
      columns: ["width"],
    }).load();
    expect([...ordered.train.targets.data]).toEqual([1, 2, 0, 1]);
    expect(ordered.train.inputs.data).toEqual(Float32Array.of(3.5, 3.2, 3.3, 3));
  });

  it("reads regression targets, and splits", async () => {
    const source = csvDataset({
      file,
      name: "widths",
      target: "width",
      columns: ["length"],
      task: "regression",
      dtype: "float64",
      split: { validation: 1 },
    });
    expect(source.name).toBe("widths");
    const data = await source.load();
    expect(data.train.targets.data).toEqual(Float64Array.of(3.5, 3.2, 3.3));
    expect(data.validation!.inputs.data).toEqual(Float64Array.of(4.9));
  });

  it("reads a table without header, with another delimiter, a byte order mark and CRLF", () => {
    const table = decodeCsv(csv("\uFEFF1; 2;a\r\n3;4;b\r\n"), { header: "none", delimiter: ";" });
    expect(table.columns).toEqual(["0", "1", "2"]);
    expect(table.rows).toEqual([
      ["1", "2", "a"],
      ["3", "4", "b"],
    ]);
  });

  it.each([
    ["a ragged row", "a,b\n1,2\n3\n", "line 3: received 1 fields; expected 2, as in the first row"],
    ["an open quote", 'a,b\n1,"2\n', "line 2, column 2: received a quote that is never closed"],
    ["a quote inside", 'a,b\n1,x"y"\n', "line 2, column 2: received a quote inside an unquoted field"],
    ["text after a quote", 'a,b\n"1"x,2\n', "line 2, column 1: received text after a closing quote"],
    ["nothing", "", "line 1: received an empty file; expected at least one row of data"],
    ["a header alone", "a,b\n", "line 1: received a header alone"],
    ["a name twice", "a,a\n1,2\n", 'line 1, column 2: received a second column named "a"'],
  ])("refuses %s", async (_, text, message) => {
    expect(await errorOf(() => decodeCsv(csv(text)))).toContain(`data: CSV file "t.csv", ${message}`);
  });

  it("names line and column of a field that is no number, no class or empty", async () => {
    expect(await errorOf(() => csvDataset({ file, target: "length", task: "regression" }).load())).toContain(
      'line 2, column 3 ("species"): received "setosa"; expected a finite number',
    );
    expect(await errorOf(() => csvDataset({ file, target: "length", columns: ["width"] }).load())).toMatch(
      /line 2, column 1 \("length"\): received "5.1"; expected a class, text or a whole number. For float targets say task: "regression"./,
    );
    expect(
      await errorOf(() => csvDataset({ file, target: "species", classes: ["setosa", "virginica"] }).load()),
    ).toContain(
      'line 3, column 3 ("species"): received "versicolor"; expected one of the classes setosa, virginica',
    );
    expect(await errorOf(() => csvDataset({ file, target: "specie" }).load())).toContain(
      'Did you mean "species"?',
    );
    expect(await errorOf(() => csvDataset({ file, target: 3 }).load())).toContain(
      "received column 3; expected -3 to 2",
    );
    expect(
      await errorOf(() => csvDataset({ file, target: "species", columns: ["species"] }).load()),
    ).toContain('received the target "species" as an input');
    expect(await errorOf(() => csvDataset({ file: "none.csv", target: 0 }).load())).toContain(
      'cannot read "none.csv"',
    );
  });
});

describe("NumPy and IDX data sets", () => {
  it("reads .npz with its defaults and with named splits", async () => {
    const stored = await npzDataset({ file: fixturePath("stored.npz") }).load();
    expect(stored).toMatchObject({ name: "stored", classes: 3, exampleShape: [2], scale: 1 });
    expect([...stored.train.targets.data]).toEqual([0, 1, 2, 0, 1, 2]);
    const data = await npzDataset({
      file: fixturePath("deflated.npz"),
      train: { inputs: "x_train", targets: "y_train" },
      test: { inputs: "x_test", targets: "y_test" },
      split: { validation: 2 },
      classes: ["a", "b", "c"],
      scale: 2,
    }).load();
    expect([data.train.count, data.validation!.count, data.test!.count]).toEqual([4, 2, 2]);
    expect([...data.test!.inputs.data]).toEqual([1, 1.25, 1.5, 1.75]);
    expect(data).toMatchObject({ scale: 2, classNames: ["a", "b", "c"] });
  });

  it("takes float targets for regression", async () => {
    const train = { inputs: "x_train", targets: "price" };
    const data = await npzDataset({ file: fixturePath("deflated.npz"), train }).load();
    expect(data.classes).toBeUndefined();
    expect([...data.train.targets.data]).toEqual([0.25, 1.25, 2.25, 3.25, 4.25, 5.25]);
  });

  it("reads a pair of .npy files", async () => {
    const options = { inputs: fixturePath("f4_little.npy"), targets: fixturePath("i4_little.npy") };
    expect(await errorOf(() => npyDataset(options).load())).toContain(
      "expected class indices, u8[count] or i32[count]",
    );
    const data = await npyDataset({ ...options, task: "regression" }).load();
    expect([...data.train.targets.data]).toEqual([0, 1, 2, 100, 101, 127]);
    const targets = fixturePath("bool.npy");
    expect(
      await errorOf(() => npyDataset({ inputs: fixturePath("f4_little.npy"), targets }).load()),
    ).toContain("received 6 input values and 3 targets");
    expect(await errorOf(() => npyDataset({ inputs: fixturePath("scalar.npy"), targets }).load())).toContain(
      "received a scalar",
    );
  });

  it("reads images and labels in IDX, flat or with a channel", async () => {
    const files = { images: fixturePath("images.idx.gz"), labels: fixturePath("labels.idx.gz") };
    const flat = await idxDataset({ ...files, test: files }).load();
    expect(flat).toMatchObject({ name: "images", exampleShape: [6], classes: 3, scale: 1 / 255 });
    expect(flat.train.inputs).toMatchObject({ shape: [5, 6], dtype: "uint8" });
    expect([...flat.test!.targets.data]).toEqual([0, 1, 2, 1, 0]);
    expect((await idxDataset({ ...files, shape: "image" }).load()).exampleShape).toEqual([2, 3, 1]);
    expect(await errorOf(() => idxDataset({ ...files, classes: 2 }).load())).toContain(
      "received label 2 at example 2; expected 0 to 1",
    );
  });
});

describe("synthetic data", () => {
  it("makes blobs around separate centres, equal for equal seeds", async () => {
    const options = { classes: 3, dimensions: 2, count: 3000, seed: 7, separation: 10 };
    const data = await blobs(options).load();
    expect([data.train.count, data.validation!.count]).toEqual([2400, 600]);
    const sums = [0, 0, 0];
    const squares = [0, 0, 0];
    for (let i = 0; i < 2400; i++) {
      const value = data.train.inputs.data[2 * i];
      sums[data.train.targets.data[i]] += value / 800;
      squares[data.train.targets.data[i]] += (value * value) / 800;
    }
    for (const [label, mean] of sums.entries()) expect(squares[label] - mean * mean).toBeCloseTo(1, 0);
    expect((await blobs(options).load()).train.inputs.data).toEqual(data.train.inputs.data);
    expect((await blobs({ ...options, seed: 8 }).load()).train.inputs.data).not.toEqual(
      data.train.inputs.data,
    );
  });

  it("makes spirals on their equation", async () => {
    const { train } = await spirals({ classes: 3, turns: 1.5, noise: 0 }).load();
    for (let i = 0; i < train.count; i++) {
      const [x, y] = train.inputs.data.subarray(2 * i, 2 * i + 2);
      const radius = Math.hypot(x, y);
      const angle = 2 * Math.PI * (1.5 * radius + train.targets.data[i] / 3);
      expect(x).toBeCloseTo(radius * Math.cos(angle), 5);
      expect(y).toBeCloseTo(radius * Math.sin(angle), 5);
      expect(radius).toBeLessThan(1);
    }
  });

  it("refuses impossible options", async () => {
    expect(await errorOf(() => blobs({ classes: 1 }))).toBe(
      "option: blobs: received classes 1; expected an integer from 2.",
    );
    expect(await errorOf(() => spirals({ count: 1 }))).toContain(
      "received count 1; expected an integer from 2",
    );
  });
});

it("lists the built-in data sets by name", async () => {
  expect(datasets.map((source) => source.name)).toEqual([
    "mnist",
    "fashion-mnist",
    "emnist-balanced",
    "cifar10",
    "blobs",
    "spirals",
  ]);
  expect(findDataset("spirals").classes).toBe(2);
  expect(findDataset("emnist")).toBe(findDataset("emnist-balanced"));
  expect(await errorOf(() => findDataset("mnits"))).toBe(
    'name: unknown data set "mnits". Did you mean "mnist"? Valid: mnist, emnist, blobs, spirals, cifar10, fashion-mnist.',
  );
});
