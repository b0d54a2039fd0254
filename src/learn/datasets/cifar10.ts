/**
 * CIFAR-10: 60,000 colour photographs, 32 x 32, ten classes. Krizhevsky: "Learning multiple layers of features from
 * tiny images", 2009. The binary version; `slalom fetch cifar10` gets it.
 */
import { checkKeys } from "../../base/errors.js";
import { checkDataset, type Dataset, type DatasetSource, type Split } from "./dataset.js";
import { brokenFile, type NamedBytes } from "./formats/file.js";
import { type Published, readOriginal, requireFolder } from "./published.js";
import { splitDataset, takeFirst } from "./split.js";
import { type Standardize, standardizeDataset } from "./standardize.js";

export interface Cifar10Options {
  /** The unpacked folder, as cifar-10-batches-bin; default: where it was fetched to. */
  readonly folder?: string;
  /** Only the first so many, for short runs; default 45,000, 5,000 and 10,000. */
  readonly trainCount?: number;
  readonly validationCount?: number;
  readonly testCount?: number;
  /** In place of the scale 1/255: mean 0 and deviation 1 by the training examples, as `standardizeDataset`. */
  readonly standardize?: Standardize;
}

/**
 * CIFAR-10 with 45,000 training, 5,000 validation and 10,000 test images [32, 32, 3] in the data set's own order.
 *
 * Validation is the last 5,000 of the 50,000 training images. Pixels stay uint8, [0, 255]; scale 1/255 takes them to
 * [0, 1]. Throws "data" when loading if a file is missing or its SHA-256 is not the original's.
 *
 * @example const data = await cifar10({ standardize: "channel" }).load();
 */
export function cifar10(options: Cifar10Options = {}): DatasetSource {
  checkKeys("cifar10", options, ["folder", "trainCount", "validationCount", "testCount", "standardize"]);
  const { folder: given, ...content } = options;
  const { trainCount, validationCount, testCount, standardize } = content;
  const common = { name: "cifar10", title: published.title, exampleShape: [32, 32, 3], classes: 10 };
  return {
    ...common,
    options: { ...content },
    published,
    async load(): Promise<Dataset> {
      const folder = requireFolder(published, published.files, given);
      // One after the other: of several broken files the same one is always named.
      const batches: NamedBytes[] = [];
      for (const file of published.files) batches.push(await readOriginal(published, folder, file));
      const whole = checkDataset({
        ...common,
        classNames,
        scale: 1 / 255,
        offset: 0,
        train: decodeCifar(batches.slice(0, -1)),
        test: decodeCifar(batches.slice(-1)),
        source: { url: published.url, licence: published.licence },
      });
      const split = splitDataset(whole, { train: 45_000, validation: 5_000 });
      const first = takeFirst(split, { train: trainCount, validation: validationCount, test: testCount });
      return standardize === undefined ? first : standardizeDataset(first, standardize);
    },
  };
}

/**
 * The examples of binary files: each a label byte, then 1,024 bytes of red, of green, of blue, row by row. Channels
 * come last in the result. Throws "data" for a file that is no whole number of examples.
 */
export function decodeCifar(batches: readonly NamedBytes[]): Split {
  for (const { file, bytes } of batches) {
    if (bytes.length > 0 && bytes.length % record === 0) continue;
    throw brokenFile({
      format: "CIFAR-10",
      file,
      offset: bytes.length,
      received: "the end of the file",
      expected: `a multiple of ${record} bytes, ${record} an example`,
      remedy: "Copy or download it again.",
    });
  }
  const count = batches.reduce((sum, { bytes }) => sum + bytes.length / record, 0);
  const images = new Uint8Array(count * 3 * plane);
  const labels = new Uint8Array(count);
  let example = 0;
  for (const { bytes } of batches) {
    for (let start = 0; start < bytes.length; start += record, example++) {
      labels[example] = bytes[start];
      for (let channel = 0; channel < 3; channel++)
        for (let pixel = 0; pixel < plane; pixel++)
          images[(example * plane + pixel) * 3 + channel] = bytes[start + 1 + channel * plane + pixel];
    }
  }
  return {
    inputs: { shape: [count, 32, 32, 3], dtype: "uint8", data: images },
    targets: { shape: [count], dtype: "uint8", data: labels },
    count,
  };
}

const plane = 32 * 32;
const record = 1 + 3 * plane;

const classNames = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"];

const published: Published = {
  name: "cifar10",
  title: "CIFAR-10 photographs",
  citation: "Krizhevsky: Learning multiple layers of features from tiny images, 2009",
  url: "https://www.cs.toronto.edu/~kriz/cifar.html",
  licence: "none stated; its authors ask to cite the report",
  // The test batch stands last.
  files: [
    {
      name: "data_batch_1.bin",
      sha256: "cee916563c9f80d84e3cc88e17fdc0941787f1244f00a67874d45b261883ada5",
    },
    {
      name: "data_batch_2.bin",
      sha256: "a591ca11fa1708a91ee40f54b3da4784ccd871ecf2137de63f51ada8b3fa57ed",
    },
    {
      name: "data_batch_3.bin",
      sha256: "bbe8596564c0f86427f876058170b84dac6670ddf06d79402899d93ceea26f67",
    },
    {
      name: "data_batch_4.bin",
      sha256: "014e562d6e23c72197cc727519169a60359f5eccd8945ad5a09d710285ff4e48",
    },
    {
      name: "data_batch_5.bin",
      sha256: "755304fc0b379caeae8c14f0dac912fbc7d6cd469eb67a1029a08a39453a9add",
    },
    {
      name: "test_batch.bin",
      sha256: "8e2eb146ae340b09e24670f29cabc6326dba54da8789dab6768acf480273f65b",
    },
  ],
  downloads: [
    {
      url: "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
      bytes: 170_052_171,
      // As TensorFlow Datasets publishes it.
      sha256: "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
      archive: "tar.gz",
    },
  ],
};
