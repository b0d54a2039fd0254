/**
 * CIFAR-10: 60,000 colour photographs, 32 x 32, ten classes. Krizhevsky: "Learning multiple layers of features from
 * tiny images", 2009. Read from the unpacked binary version, cifar-10-binary.tar.gz (170,052,171 bytes, SHA-256
 * c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd). Nothing is downloaded.
 */
import { createHash } from "node:crypto";
import { join } from "node:path";
import { checkKeys, SlalomError } from "../../base/errors.js";
import { checkDataset, type Dataset, type DatasetSource, type Split } from "./dataset.js";
import { brokenFile, type NamedBytes, readBytes } from "./formats/file.js";
import { splitDataset, takeFirst } from "./split.js";

export interface Cifar10Options {
  /** The unpacked folder cifar-10-batches-bin; default: that name in the working directory. */
  readonly folder?: string;
  /** Only the first so many, for short runs; default 45,000, 5,000 and 10,000. */
  readonly trainCount?: number;
  readonly validationCount?: number;
  readonly testCount?: number;
}

/**
 * CIFAR-10 with 45,000 training, 5,000 validation and 10,000 test images [32, 32, 3] in the data set's own order.
 *
 * Validation is the last 5,000 of the 50,000 training images. Pixels stay uint8, [0, 255]; scale 1/255 takes them to
 * [0, 1]. Throws "data" when loading if a file is missing or its SHA-256 is not the original's.
 *
 * @example const data = await cifar10({ folder: "cifar-10-batches-bin" }).load();
 */
export function cifar10(options: Cifar10Options = {}): DatasetSource {
  checkKeys("cifar10", options, ["folder", "trainCount", "validationCount", "testCount"]);
  const { folder = "cifar-10-batches-bin", trainCount, validationCount, testCount } = options;
  const common = { name: "cifar10", title: "CIFAR-10 photographs", exampleShape: [32, 32, 3], classes: 10 };
  return {
    ...common,
    async load(): Promise<Dataset> {
      const batches: NamedBytes[] = [];
      for (const [fileName, sha256] of files) batches.push(await readOriginal(folder, fileName, sha256));
      const whole = checkDataset({
        ...common,
        classNames,
        scale: 1 / 255,
        offset: 0,
        train: decodeCifar(batches.slice(0, -1)),
        test: decodeCifar(batches.slice(-1)),
        source: {
          url: "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
          licence: "none stated; its authors ask to cite the report",
        },
      });
      const split = splitDataset(whole, { train: 45_000, validation: 5_000 });
      return takeFirst(split, { train: trainCount, validation: validationCount, test: testCount });
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

/** SHA-256 by file; the test batch stands last. */
const files: readonly (readonly [string, string])[] = [
  ["data_batch_1.bin", "cee916563c9f80d84e3cc88e17fdc0941787f1244f00a67874d45b261883ada5"],
  ["data_batch_2.bin", "a591ca11fa1708a91ee40f54b3da4784ccd871ecf2137de63f51ada8b3fa57ed"],
  ["data_batch_3.bin", "bbe8596564c0f86427f876058170b84dac6670ddf06d79402899d93ceea26f67"],
  ["data_batch_4.bin", "014e562d6e23c72197cc727519169a60359f5eccd8945ad5a09d710285ff4e48"],
  ["data_batch_5.bin", "755304fc0b379caeae8c14f0dac912fbc7d6cd469eb67a1029a08a39453a9add"],
  ["test_batch.bin", "8e2eb146ae340b09e24670f29cabc6326dba54da8789dab6768acf480273f65b"],
];

async function readOriginal(folder: string, fileName: string, sha256: string): Promise<NamedBytes> {
  const source = await readBytes(join(folder, fileName));
  const received = createHash("sha256").update(source.bytes).digest("hex");
  if (received === sha256) return source;
  throw new SlalomError(
    "data",
    `cifar10: file "${source.file}" is not the original: received ${source.bytes.length} bytes with SHA-256 ${received}; expected SHA-256 ${sha256}. Unpack cifar-10-binary.tar.gz again.`,
  );
}
