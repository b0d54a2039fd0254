import { describe, expect, it } from "vitest";
import { constant, constantArray, evaluate, keyFromSeed, type Tensor } from "../../../src/graph/index.js";
import { blobs, classificationProblem, mnistDataset, perceptron } from "../../../src/index.js";
import { transformImages } from "../../../src/learn/augmentations/affine.js";
import { augmentImages } from "../../../src/learn/augmentations/augmentation.js";
import {
  type Augmentation,
  affine,
  cutout,
  elastic,
  flip,
  rotation,
  scaling,
  shift,
} from "../../../src/learn/augmentations/index.js";
import { sampleBilinear } from "../../../src/learn/augmentations/sampling.js";

const key = keyFromSeed(7);
const numbersOf = (tensor: Tensor): number[] => [...evaluate([tensor])[0].data].map(Number);

/** 1, 2, 3, ... as images of float64. */
const counting = (...shape: number[]): Tensor =>
  constantArray(
    Float64Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => i + 1),
    shape,
    "float64",
  );
const ones = (...shape: number[]): Tensor =>
  constantArray(new Float64Array(shape.reduce((a, b) => a * b, 1)).fill(1), shape, "float64");
const values = (...list: number[]): Tensor => constant(list, "float64");

const close = (received: readonly number[], expected: readonly number[], digits = 9): void => {
  expect(received.length).toBe(expected.length);
  received.forEach((value, i) => {
    expect(value, `element ${i}`).toBeCloseTo(expected[i], digits);
  });
};

describe("transformImages", () => {
  const still = { rows: values(0), columns: values(0), angle: values(0), size: values(1) };
  const image = counting(1, 3, 3, 1);

  it("leaves the image alone without an amount", () => {
    close(numbersOf(transformImages(image, still)), [1, 2, 3, 4, 5, 6, 7, 8, 9]);
  });

  it("moves by whole pixels down and to the right, with zeros from outside", () => {
    const moved = transformImages(image, { ...still, rows: values(1), columns: values(-1) });
    close(numbersOf(moved), [0, 0, 0, 2, 3, 0, 5, 6, 0]);
    close(numbersOf(transformImages(image, { ...still, rows: values(50) })), new Array(9).fill(0));
  });

  it("turns by 90 degrees counter-clockwise exactly", () => {
    const turned = transformImages(image, { ...still, angle: values(Math.PI / 2) });
    close(numbersOf(turned), [3, 6, 9, 2, 5, 8, 1, 4, 7]);
  });

  it("doubles the size about the centre", () => {
    const larger = transformImages(image, { ...still, size: values(2) });
    close(numbersOf(larger), [3, 3.5, 4, 4.5, 5, 5.5, 6, 6.5, 7]);
  });

  it("treats every image and channel by itself", () => {
    const two = transformImages(counting(2, 1, 3, 2), {
      rows: values(0, 0),
      columns: values(1, 0),
      angle: values(0, 0),
      size: values(1, 1),
    });
    close(numbersOf(two), [0, 0, 1, 2, 3, 4, 7, 8, 9, 10, 11, 12]);
  });
});

describe("sampleBilinear", () => {
  it("agrees with plain loops at any place, inside and outside", () => {
    const [height, width] = [3, 4];
    const pixel = (row: number, column: number): number =>
      row < 0 || row >= height || column < 0 || column >= width ? 0 : row * width + column + 1;
    const rows = Array.from({ length: 12 }, (_, i) => ((i * 37) % 50) / 10 - 1.3);
    const columns = Array.from({ length: 12 }, (_, i) => ((i * 23) % 60) / 10 - 1.4);
    const expected = rows.map((row, i) => {
      const column = columns[i];
      let sum = 0;
      for (let r = -3; r < 8; r++)
        for (let c = -3; c < 8; c++)
          sum += pixel(r, c) * Math.max(0, 1 - Math.abs(row - r)) * Math.max(0, 1 - Math.abs(column - c));
      return sum;
    });
    const at = (list: number[]): Tensor => constantArray(Float64Array.from(list), [1, 3, 4], "float64");
    close(numbersOf(sampleBilinear(counting(1, 3, 4, 1), at(rows), at(columns))), expected);
  });
});

describe("augmentations", () => {
  const all: readonly Augmentation[] = [
    affine({ shift: 2, rotation: 20, scale: 0.2 }),
    shift(2),
    rotation(30),
    scaling(0.3),
    elastic({ strength: 8, smoothness: 2 }),
    flip(),
    cutout(3),
  ];

  it.each(all)("$name $options follows from the key and differs between images", (augmentation) => {
    const same = constantArray(
      Float64Array.from({ length: 8 * 64 }, (_, i) => (((i % 64) * 29) % 31) + 1),
      [8, 8, 8, 1],
      "float64",
    );
    const first = numbersOf(augmentation.apply(same, key));
    expect(numbersOf(augmentation.apply(same, key))).toEqual(first);
    expect(numbersOf(augmentation.apply(same, keyFromSeed(8)))).not.toEqual(first);
    const images = new Set(Array.from({ length: 8 }, (_, i) => first.slice(64 * i, 64 * i + 64).join()));
    expect(images.size).toBeGreaterThan(1);
  });

  it.each(all)("$name $options of a part of the batch is what the whole has there", (augmentation) => {
    const part = (from: number, to: number): Tensor =>
      constantArray(
        Float64Array.from({ length: (to - from) * 64 }, (_, i) => (((from * 64 + i) * 29) % 31) + 1),
        [to - from, 8, 8, 1],
        "float64",
      );
    const whole = numbersOf(augmentation.apply(part(0, 8), key));
    const behind = augmentation.apply(part(3, 8), key, constant(3, "int32"));
    expect(numbersOf(behind)).toEqual(whole.slice(3 * 64));
  });

  it("moves no further than asked for", () => {
    const spot = new Float64Array(32 * 81);
    for (let i = 0; i < 32; i++) spot[i * 81 + 40] = 1;
    const moved = numbersOf(shift(2).apply(constantArray(spot, [32, 9, 9, 1], "float64"), key));
    for (let i = 0; i < 32; i++) {
      const image = moved.slice(i * 81, i * 81 + 81);
      expect(image.reduce((a, b) => a + b)).toBeCloseTo(1, 6); // nothing is lost inside
      const centre = image.reduce((sum, value, at) => sum + value * Math.floor(at / 9), 0);
      expect(Math.abs(centre - 4)).toBeLessThanOrEqual(2);
    }
  });

  it("an elastic deformation of strength 0 changes nothing, and of 8 keeps the inside of a plane", () => {
    const image = counting(2, 6, 6, 1);
    close(numbersOf(elastic({ strength: 0 }).apply(image, key)), numbersOf(image));
    const middle = numbersOf(elastic({ strength: 3, smoothness: 3 }).apply(ones(1, 21, 21, 1), key))[220];
    expect(middle).toBeCloseTo(1, 9);
  });

  it("flips left to right, all or none", () => {
    const image = counting(1, 2, 3, 1);
    expect(numbersOf(flip(1).apply(image, key))).toEqual([3, 2, 1, 6, 5, 4]);
    expect(numbersOf(flip(0).apply(image, key))).toEqual([1, 2, 3, 4, 5, 6]);
  });

  it("cuts a square out that may reach over the edge", () => {
    const cut = numbersOf(cutout(3).apply(ones(40, 8, 8, 1), key));
    const missing = Array.from(
      { length: 40 },
      (_, i) => 64 - cut.slice(64 * i, 64 * i + 64).reduce((a, b) => a + b),
    );
    for (const count of missing) expect([4, 6, 9]).toContain(count);
    expect(missing).toContain(9);
  });

  it("names impossible amounts", () => {
    expect(() => affine({ rotation: 270 })).toThrow(
      "affine, rotation in degrees: received 270; expected a number from 0 to 180.",
    );
    expect(() => affine({ scale: 1 })).toThrow("affine, scale: received 1");
    expect(() => elastic({ smoothness: 0 })).toThrow("elastic, smoothness in pixels: received 0");
    expect(() => flip(2)).toThrow("flip, probability: received 2");
    expect(() => cutout(0)).toThrow("cutout, size in pixels: received 0");
    expect(() => augmentImages([flip()], ones(4, 9), key)).toThrow(
      "received examples f64[4,9]; expected images",
    );
  });
});

describe("a problem with augmentations", () => {
  it("shows changed images in training alone, and names them in its options", async () => {
    const problem = classificationProblem({
      dataset: mnistDataset({ shape: "image" }),
      model: perceptron({ hidden: [4] }),
      augment: [shift(2), flip(1)],
    });
    expect(problem.options.augment).toEqual([
      { name: "affine", shift: 2, rotation: 0, scale: 0 },
      { name: "flip", probability: 1 },
    ]);
    const dataset = { ...(await blobs({ classes: 2, dimensions: 9 }).load()), exampleShape: [3, 3] };
    const built = problem.build(dataset);
    const parameters = Object.fromEntries(
      Object.entries(built.parameters).map(([name, { initial }]) => [name, initial(keyFromSeed(0))]),
    );
    const inputs = constantArray(
      Float32Array.from({ length: 18 }, (_, i) => i / 9),
      [2, 3, 3],
      "float32",
    );
    const loss = (training: boolean, seed: number): number[] =>
      numbersOf(
        built.evaluate(
          parameters,
          { inputs, targets: constant([0, 1], "int32") },
          { training, key: keyFromSeed(seed) },
        ).loss,
      );
    expect(loss(false, 1)).toEqual(loss(false, 2));
    expect(loss(true, 1)).toEqual(loss(true, 1));
    expect(loss(true, 1)).not.toEqual(loss(true, 2));
    expect(loss(true, 1)).not.toEqual(loss(false, 1));
  });
});
