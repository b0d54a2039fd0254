/** What MNIST and its descendants share: grey images of 28 x 28 in four IDX files, two for training and two for tests. */
import { checkKeys, SlalomError } from "../../base/errors.js";
import { formatType, type HostTensor } from "../../base/shape.js";
import { checkDataset, type Dataset, type DatasetSource, type Split } from "./dataset.js";
import { flattenExamples } from "./flatten.js";
import { decodeIdx } from "./formats/idx.js";
import { type OriginalFile, type Published, readOriginal, requireFolder } from "./published.js";
import { splitDataset, takeFirst } from "./split.js";
import { type Standardize, standardizeDataset } from "./standardize.js";

export interface GreyImageOptions {
  /** The folder with the four files; default: where they were installed or fetched to. */
  readonly folder?: string;
  /** "image": examples of shape [28, 28, 1], channels last. "flat": [784]. */
  readonly shape?: "flat" | "image";
  /** Only the first so many, for short runs. */
  readonly trainCount?: number;
  readonly validationCount?: number;
  readonly testCount?: number;
  /** In place of the scale 1/255: mean 0 and deviation 1 by the training examples, as `standardizeDataset`. */
  readonly standardize?: Standardize;
}

export interface GreyImages {
  /** As errors name it: "mnistDataset". */
  readonly operation: string;
  readonly name: string;
  readonly title: string;
  readonly published: Published;
  readonly files: Readonly<Record<"train" | "test", IdxPair>>;
  readonly classes: number;
  readonly classNames?: readonly string[];
  readonly defaultShape: "flat" | "image";
  /** Images in the files. */
  readonly counts: Readonly<Record<"train" | "test", number>>;
  /** The last so many training images are for validation. */
  readonly validation: number;
  /** What makes usual images and labels of those in the files, which are [count, 28, 28] and [count]. */
  repair?(images: Uint8Array, labels: Uint8Array): { images: Uint8Array; labels: Uint8Array };
}

export interface IdxPair {
  readonly images: OriginalFile;
  readonly labels: OriginalFile;
}

/** The data set in its own order; nothing is read before `load`. */
export function greyImages(spec: GreyImages, options: GreyImageOptions): DatasetSource {
  const { operation, name, title, published, classes, classNames, counts } = spec;
  checkKeys(operation, options, optionNames);
  const { folder: given, shape = spec.defaultShape, ...content } = options;
  if (shape !== "flat" && shape !== "image") {
    throw new SlalomError("option", `${operation}: received shape "${shape}"; expected "flat" or "image".`);
  }
  const { trainCount, validationCount, testCount, standardize } = content;
  return {
    name,
    title,
    exampleShape: shape === "flat" ? [784] : [28, 28, 1],
    classes,
    options: { ...content },
    published,
    async load(): Promise<Dataset> {
      const { train, test } = spec.files;
      const folder = requireFolder(
        published,
        [train, test].flatMap(({ images, labels }) => [images, labels]),
        given,
      );
      const whole = checkDataset({
        name,
        title,
        exampleShape: [28, 28, 1],
        classes,
        classNames,
        scale: 1 / 255,
        offset: 0,
        train: await readSplit(spec, folder, "train"),
        test: await readSplit(spec, folder, "test"),
        source: { url: published.url, licence: published.licence },
      });
      const split = splitDataset(whole, {
        train: counts.train - spec.validation,
        validation: spec.validation,
      });
      const first = takeFirst(split, { train: trainCount, validation: validationCount, test: testCount });
      const scaled = standardize === undefined ? first : standardizeDataset(first, standardize);
      return shape === "flat" ? flattenExamples(scaled) : scaled;
    },
  };
}

const optionNames = ["folder", "shape", "trainCount", "validationCount", "testCount", "standardize"];

async function readSplit(
  { published, files, counts, repair }: GreyImages,
  folder: string,
  part: "train" | "test",
): Promise<Split> {
  const count = counts[part];
  const read = async (file: OriginalFile, shape: readonly number[]): Promise<Uint8Array> => {
    const content = await readOriginal(published, folder, file);
    const tensor: HostTensor = decodeIdx(content);
    const expected = formatType({ shape, dtype: "uint8" });
    if (formatType(tensor) === expected) return tensor.data as Uint8Array;
    throw new SlalomError(
      "data",
      `${published.name}: file "${content.file}" holds ${formatType(tensor)}; expected ${expected}. Is it a file of another data set?`,
    );
  };
  // One after the other: of several broken files the same one is always named.
  const images = await read(files[part].images, [count, 28, 28]);
  const labels = await read(files[part].labels, [count]);
  const usual = repair?.(images, labels) ?? { images, labels };
  return {
    inputs: { shape: [count, 28, 28, 1], dtype: "uint8", data: usual.images },
    targets: { shape: [count], dtype: "uint8", data: usual.labels },
    count,
  };
}
