/**
 * Fashion-MNIST: 70,000 grey images of clothes, 28 x 28, ten classes. Xiao, Rasul and Vollgraf 2017. Four IDX files as
 * MNIST's; Debian has them as the package dataset-fashion-mnist. Nothing is downloaded.
 */
import { createHash } from "node:crypto";
import { join } from "node:path";
import { checkKeys, SlalomError } from "../../base/errors.js";
import type { HostTensor } from "../../base/shape.js";
import { checkDataset, type Dataset, type DatasetSource } from "./dataset.js";
import { decompress, readBytes } from "./formats/file.js";
import { decodeIdx } from "./formats/idx.js";
import { splitDataset, takeFirst } from "./split.js";

export interface FashionMnistOptions {
  /** The folder with the four .gz files; default: where Debian's package puts them. */
  readonly folder?: string;
  /** "image" (default): examples of shape [28, 28, 1], channels last. "flat": [784]. */
  readonly shape?: "flat" | "image";
  /** Only the first so many, for short runs; default 50,000, 10,000 and 10,000. */
  readonly trainCount?: number;
  readonly validationCount?: number;
  readonly testCount?: number;
}

/**
 * Fashion-MNIST with 50,000 training, 10,000 validation and 10,000 test images in the data set's own order.
 *
 * Validation is the last 10,000 of the 60,000 training images. Pixels stay uint8, [0, 255]; scale 1/255 takes them
 * to [0, 1]. Throws "data" when loading if a file is missing or its content is not the original's.
 *
 * @example const data = await fashionMnist({ folder: "fashion-mnist", trainCount: 5000 }).load();
 */
export function fashionMnist(options: FashionMnistOptions = {}): DatasetSource {
  checkKeys("fashionMnist", options, ["folder", "shape", "trainCount", "validationCount", "testCount"]);
  const { folder = debianFolder, shape = "image", trainCount, validationCount, testCount } = options;
  if (shape !== "flat" && shape !== "image") {
    throw new SlalomError("option", `fashionMnist: received shape "${shape}"; expected "flat" or "image".`);
  }
  const exampleShape = shape === "flat" ? [784] : [28, 28, 1];
  const common = { name: "fashion-mnist", title: "Fashion-MNIST clothes", exampleShape, classes: 10 };
  return {
    ...common,
    async load(): Promise<Dataset> {
      const read = async (part: "train" | "t10k") => {
        const images = await readOriginal(folder, `${part}-images-idx3-ubyte.gz`);
        const targets = await readOriginal(folder, `${part}-labels-idx1-ubyte.gz`);
        const count = targets.shape[0];
        return { inputs: { ...images, shape: [count, ...exampleShape] }, targets, count };
      };
      const whole = checkDataset({
        ...common,
        classNames,
        scale: 1 / 255,
        offset: 0,
        train: await read("train"),
        test: await read("t10k"),
        source: { url: "https://github.com/zalandoresearch/fashion-mnist", licence: "MIT" },
      });
      const split = splitDataset(whole, { train: 50_000, validation: 10_000 });
      return takeFirst(split, { train: trainCount, validation: validationCount, test: testCount });
    },
  };
}

const debianFolder = "/usr/share/datasets/fashion-mnist";

const classNames = [
  "T-shirt/top",
  "Trouser",
  "Pullover",
  "Dress",
  "Coat",
  "Sandal",
  "Shirt",
  "Sneaker",
  "Bag",
  "Ankle boot",
];

/** SHA-256 of the decompressed content, worked out from Debian's files: its .gz layer is another than the authors'. */
const contents: Readonly<Record<string, string>> = {
  "train-images-idx3-ubyte.gz": "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
  "train-labels-idx1-ubyte.gz": "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
  "t10k-images-idx3-ubyte.gz": "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
  "t10k-labels-idx1-ubyte.gz": "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
};

async function readOriginal(folder: string, fileName: string): Promise<HostTensor> {
  const packed = await readBytes(join(folder, fileName));
  const content = { file: packed.file.replace(/\.gz$/, ""), bytes: decompress(packed).bytes };
  const received = createHash("sha256").update(content.bytes).digest("hex");
  if (received === contents[fileName]) return decodeIdx(content);
  throw new SlalomError(
    "data",
    `fashionMnist: file "${content.file}" is not the original: received content with SHA-256 ${received}; expected ${contents[fileName]}. Copy or download it again, or use idxDataset for other data.`,
  );
}
