/** One's own images: a folder with a subfolder for each class, decoded and brought to one size. */
import { basename, resolve } from "node:path";
import { checkKeys, SlalomError } from "../../base/errors.js";
import { sizeOf } from "../../base/shape.js";
import { checkDataset, type Dataset, type DatasetSource, type Split } from "./dataset.js";
import { fits, type Image, type ImageFit, type ImageForm, readImage } from "./formats/image.js";
import { imageTree, type LabelledFile } from "./imageTree.js";
import { type SplitOptions, splitDataset } from "./split.js";
import { type Standardize, standardizeDataset } from "./standardize.js";

export interface ImageFolderOptions {
  /** One subfolder a class; or train, validation (or val) and test, with such subfolders each. */
  readonly folder: string;
  /** Pixels of height and width, or [height, width]; default: that of the files, which then must agree. */
  readonly size?: number | readonly [number, number];
  /** How images of another shape become that of `size`: "crop" (default), "pad" or "stretch". */
  readonly fit?: ImageFit;
  /** 3 (default): colours. 1: grey. */
  readonly channels?: 1 | 3;
  /** Cuts validation and test images off the training ones, drawn by `shuffleSeed` (default 0). */
  readonly split?: SplitOptions;
  /** In place of the scale 1/255: mean 0 and deviation 1 by the training images, as `standardizeDataset`. */
  readonly standardize?: Standardize;
  /** Default: the folder's name. */
  readonly name?: string;
  /** As figures print it; default: the name. */
  readonly title?: string;
}

/**
 * Images in folders by class, as uint8 [height, width, channels]; scale 1/255 takes them to [0, 1].
 *
 * Reads what ends in png, jpg, jpeg, webp, gif, tif, tiff or avif: turned as EXIF says, transparency over black. Classes
 * are numbered by their names, as numbers if all are. Training images are in the order of classes and names.
 * Throws "data" when loading: for an image that can't be decoded, images of several sizes without `size`, an empty
 * class, anything else than images and folders in their places.
 *
 * @example imageFolder({ folder: "flowers", size: 64, split: { validation: 0.2 }, standardize: "channel" })
 */
export function imageFolder(options: ImageFolderOptions): DatasetSource {
  checkKeys("imageFolder", options, [
    ...["folder", "size", "fit", "channels", "split", "standardize", "name", "title"],
  ]);
  const { folder, name = basename(resolve(folder)), title = name, ...content } = options;
  const { split, standardize } = content;
  const form = formOf(content);
  const { size, channels } = form;
  return {
    name,
    title,
    ...(size && { exampleShape: [size.height, size.width, channels] }),
    options: { ...content },
    async load(): Promise<Dataset> {
      const { classNames, splits } = await imageTree(folder);
      const train = await decoded(splits.train!, form);
      const exampleShape = train.inputs.shape.slice(1);
      // Held-out images must have the size of the training ones.
      const [height, width] = exampleShape;
      const held = (files: readonly LabelledFile[] | undefined) =>
        files && decoded(files, form, { height, width, file: splits.train![0].file });
      const whole = checkDataset({
        name,
        title,
        exampleShape,
        classes: classNames.length,
        classNames,
        scale: 1 / 255,
        offset: 0,
        train,
        validation: await held(splits.validation),
        test: await held(splits.test),
      });
      const cut = split === undefined ? whole : splitDataset(whole, { shuffleSeed: 0, ...split });
      return standardize === undefined ? cut : standardizeDataset(cut, standardize);
    },
  };
}

function formOf({ size, fit = "crop", channels = 3 }: Omit<ImageFolderOptions, "folder">): ImageForm {
  const refuse = (option: string, received: unknown, expected: string): SlalomError =>
    new SlalomError(
      "option",
      `imageFolder: received ${option} ${JSON.stringify(received)}; expected ${expected}.`,
    );
  if (channels !== 1 && channels !== 3) throw refuse("channels", channels, "1 (grey) or 3 (colours)");
  if (!Object.hasOwn(fits, fit)) throw refuse("fit", fit, '"crop", "pad" or "stretch"');
  if (size === undefined) return { channels, fit };
  const extents = typeof size === "number" ? [size, size] : size;
  if (extents.length !== 2 || !extents.every((extent) => Number.isInteger(extent) && extent >= 1)) {
    throw refuse("size", size, "pixels, an integer from 1, or [height, width]");
  }
  return { channels, fit, size: { height: extents[0], width: extents[1] } };
}

/** The size that all images must have, and a file that has it. */
interface KnownSize {
  readonly height: number;
  readonly width: number;
  readonly file: string;
}

/** The images of a split in one array; those of unlike size are an error that names the first one. */
async function decoded(files: readonly LabelledFile[], form: ImageForm, known?: KnownSize): Promise<Split> {
  const first = known ?? { ...(await readImage(files[0].file, form)), file: files[0].file };
  const exampleShape = [first.height, first.width, form.channels];
  const pixels = new Uint8Array(files.length * sizeOf(exampleShape));
  for (let start = 0; start < files.length; start += together) {
    const some = files.slice(start, start + together);
    const images = await Promise.allSettled(some.map(({ file }) => readImage(file, form)));
    for (const [i, image] of images.entries()) {
      if (image.status === "rejected") throw image.reason;
      requireSize(first, some[i].file, image.value);
      pixels.set(image.value.pixels, (start + i) * sizeOf(exampleShape));
    }
  }
  return {
    inputs: { shape: [files.length, ...exampleShape], dtype: "uint8", data: pixels },
    targets: {
      shape: [files.length],
      dtype: "int32",
      data: Int32Array.from(files, ({ label }) => label),
    },
    count: files.length,
  };
}

function requireSize(known: KnownSize, file: string, { height, width }: Image): void {
  if (height === known.height && width === known.width) return;
  throw new SlalomError(
    "data",
    `imageFolder: received images of ${known.height} x ${known.width} ("${known.file}") and of ${height} x ${width} pixels ("${file}"); expected one height and width. Bring them to one with size: [${known.height}, ${known.width}].`,
  );
}

/** Images that are decoded at once: enough for the decoder's threads, few enough for memory. */
const together = 16;
