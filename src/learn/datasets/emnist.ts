/**
 * EMNIST: grey images of handwritten digits and letters, 28 x 28, in six choices of classes. Cohen, Afshar, Tapson and
 * van Schaik 2017. `slalom fetch emnist` gets all of them as one archive. Nobody publishes checksums of the files in
 * it: the archive's SHA-256 is checked when it is unpacked, the files' shapes and counts when they are read.
 */
import { SlalomError, unknownName } from "../../base/errors.js";
import type { DatasetSource } from "./dataset.js";
import { type GreyImageOptions, greyImages } from "./greyImages.js";
import type { Published } from "./published.js";

export type EmnistSplit = keyof typeof contents;

/** `folder`: one with the .gz files of the split. `shape`: "image" unless said otherwise. */
export interface EmnistOptions extends GreyImageOptions {
  /**
   * Which classes. "byclass": 62, digits, capitals and small letters. "bymerge": 47, without the small letters that look
   * like their capitals. "balanced" (default): the same 47, equally often. "letters": 26, in either case. "digits", and
   * "mnist" as many as MNIST has: 10.
   */
  readonly split?: EmnistSplit;
}

/**
 * EMNIST in the data set's own order. The last training images, as many as the test split has, are for validation.
 *
 * The files hold images transposed and number letters from 1; here they stand upright and classes count from 0. Pixels
 * stay uint8, [0, 255]; scale 1/255 takes them to [0, 1]. Throws "data" when loading if a file is missing, or has
 * another shape or count than the original.
 *
 * @example const data = await emnist({ split: "letters", trainCount: 5000 }).load();
 */
export function emnist({ split = "balanced", ...options }: EmnistOptions = {}): DatasetSource {
  if (!Object.hasOwn(contents, split)) {
    throw unknownName("split of emnist", String(split), Object.keys(contents), "option");
  }
  const { train, test, classNames, title } = contents[split];
  const pair = (part: "train" | "test") => ({
    images: { name: `emnist-${split}-${part}-images-idx3-ubyte.gz` },
    labels: { name: `emnist-${split}-${part}-labels-idx1-ubyte.gz` },
  });
  return greyImages(
    {
      operation: "emnist",
      name: `emnist-${split}`,
      title: `EMNIST ${title}`,
      published,
      files: { train: pair("train"), test: pair("test") },
      classes: classNames.length,
      classNames,
      defaultShape: "image",
      counts: { train, test },
      validation: test,
      repair: (images, labels) => ({
        images: transposed(images),
        labels: split === "letters" ? fromZero(labels) : labels,
      }),
    },
    options,
  );
}

const characters = (text: string): readonly string[] => [...text];
const digits = "0123456789";
const capitals = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
const merged = characters(`${digits}${capitals}abdefghnqrt`);

/** Images by split, and the characters in the order of their labels. */
const contents = {
  balanced: { title: "balanced", train: 112_800, test: 18_800, classNames: merged },
  byclass: {
    title: "by class",
    train: 697_932,
    test: 116_323,
    classNames: characters(`${digits}${capitals}${capitals.toLowerCase()}`),
  },
  bymerge: { title: "by merged class", train: 697_932, test: 116_323, classNames: merged },
  digits: { title: "digits", train: 240_000, test: 40_000, classNames: characters(digits) },
  letters: { title: "letters", train: 124_800, test: 20_800, classNames: characters(capitals) },
  mnist: { title: "MNIST", train: 60_000, test: 10_000, classNames: characters(digits) },
} as const;

const side = 28;

function transposed(images: Uint8Array): Uint8Array {
  const upright = new Uint8Array(images.length);
  for (let start = 0; start < images.length; start += side * side)
    for (let row = 0; row < side; row++)
      for (let column = 0; column < side; column++)
        upright[start + row * side + column] = images[start + column * side + row];
  return upright;
}

function fromZero(labels: Uint8Array): Uint8Array {
  const wrong = labels.indexOf(0);
  if (wrong < 0) return labels.map((label) => label - 1);
  throw new SlalomError("data", `emnist: received label 0 at letter ${wrong}; expected 1 to 26.`);
}

const published: Published = {
  name: "emnist",
  title: "EMNIST handwritten digits and letters",
  citation: "Cohen, Afshar, Tapson, van Schaik: EMNIST, an extension of MNIST, arXiv:1702.05373, 2017",
  url: "https://www.nist.gov/itl/products-and-services/emnist-dataset",
  licence: "none stated; its authors ask to cite the paper",
  files: Object.keys(contents).flatMap((split) =>
    ["train-images-idx3", "train-labels-idx1", "test-images-idx3", "test-labels-idx1"].map((part) => ({
      name: `emnist-${split}-${part}-ubyte.gz`,
    })),
  ),
  downloads: [
    {
      url: "https://biometrics.nist.gov/cs_links/EMNIST/gzip.zip",
      bytes: 561_753_746,
      // As TensorFlow Datasets and MLDatasets.jl publish it.
      sha256: "fb9bb67e33772a9cc0b895e4ecf36d2cf35be8b709693c3564cea2a019fcda8e",
      archive: "zip",
    },
  ],
};
