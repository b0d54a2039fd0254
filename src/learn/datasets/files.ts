/** Data sets from a user's own files: CSV, NumPy's .npz and .npy, IDX. Files are read when the source is loaded. */
import { basename } from "node:path";
import { isFloat } from "../../base/dtype.js";
import { checkKeys, SlalomError } from "../../base/errors.js";
import type { HostTensor, Shape } from "../../base/shape.js";
import { type ArraysOptions, type ClassificationOptions, classification, regression } from "./arrays.js";
import { areNumbers, inClassOrder } from "./classNames.js";
import { checkDataset, type Dataset, type DatasetSource, type Split } from "./dataset.js";
import { flattenExamples } from "./flatten.js";
import {
  brokenField,
  type CsvOptions,
  type CsvTable,
  columnIndex,
  numberAt,
  readCsv,
} from "./formats/csv.js";
import { readIdx } from "./formats/idx.js";
import { readNpy } from "./formats/npy.js";
import { readNpz } from "./formats/npz.js";
import { type SplitOptions, splitDataset } from "./split.js";
import { checkStandardize, type Standardize, standardizeDataset } from "./standardize.js";

interface FileOptions {
  /** Default: the file's name without folder and ending. */
  readonly name?: string;
  /** As figures print it; default: the name. */
  readonly title?: string;
  /** Inputs become floats as raw * scale + offset. */
  readonly scale?: number;
  readonly offset?: number;
  /** Cuts validation and test examples off the training ones; default: none. */
  readonly split?: SplitOptions;
  /** In place of scale and offset: inputs to mean 0 and deviation 1 by the training examples, as `standardizeDataset`. */
  readonly standardize?: Standardize;
}

const fileOptions = ["name", "title", "scale", "offset", "split", "standardize"];

export interface CsvDatasetOptions extends FileOptions, CsvOptions {
  readonly file: string;
  /** Column of the targets, by name or by number from 0; -1 is the last. */
  readonly target: string | number;
  /** Columns of the inputs; default: all but the target. */
  readonly columns?: readonly (string | number)[];
  /** Default "classification". */
  readonly task?: "classification" | "regression";
  /** Class names in the order of their indices; default: the values found, sorted (as numbers if all are). */
  readonly classes?: readonly string[];
  /** dtype of inputs and regression targets; default "float32". */
  readonly dtype?: "float32" | "float64";
}

/**
 * A table of numbers with one column of targets: text or whole numbers for classes, numbers for regression.
 *
 * Throws "data" when loading, with file, line and column of what is wrong; scale and offset default to 1 and 0.
 *
 * @example csvDataset({ file: "iris.csv", target: "species", split: { validation: 0.2, shuffleSeed: 1 } })
 */
export function csvDataset(options: CsvDatasetOptions): DatasetSource {
  const own = ["file", "target", "columns", "task", "classes", "dtype", "header", "delimiter"];
  checkKeys("csvDataset", options, [...fileOptions, ...own]);
  const { file, header, delimiter, task = "classification" } = options;
  const { file: _place, ...content } = options;
  return lazily(content, file, options.classes?.length, async (common) => {
    const table = await readCsv(file, { header, delimiter });
    const target = columnIndex(table, options.target);
    const chosen = options.columns?.map((column) => columnIndex(table, column));
    const columns = chosen ?? table.columns.map((_, index) => index).filter((index) => index !== target);
    if (columns.length === 0 || columns.includes(target)) {
      const received =
        columns.length === 0 ? "no input columns" : `the target "${table.columns[target]}" as an input`;
      throw new SlalomError(
        "data",
        `CSV file "${file}": received ${received}; expected at least one column beside the target.`,
      );
    }
    const inputs = table.rows.map((_, row) => columns.map((column) => numberAt(table, row, column)));
    const arrays = { ...common, inputs, exampleShape: [columns.length], dtype: options.dtype };
    if (task === "regression") {
      return regression({ ...arrays, targets: table.rows.map((_, row) => numberAt(table, row, target)) });
    }
    const classes = options.classes ?? classesIn(table, target);
    const indices = new Map(classes.map((className, index) => [className, index]));
    const targets = table.rows.map((fields, row) => {
      const index = indices.get(fields[target]);
      if (index === undefined)
        throw brokenField(table, row, target, `one of the classes ${classes.join(", ")}`);
      return index;
    });
    return classification({ ...arrays, targets, classes });
  });
}

/** Which arrays of a file are inputs and targets. */
export interface ArrayNames {
  readonly inputs: string;
  readonly targets: string;
}

interface NumpyOptions extends FileOptions {
  /** Number of classes or their names; default: the largest training label plus one. */
  readonly classes?: number | readonly string[];
  /** Default: "classification" where the training targets are integers, else "regression". */
  readonly task?: "classification" | "regression";
}

export interface NpzDatasetOptions extends NumpyOptions {
  readonly file: string;
  /** Names of the arrays; default `{ inputs: "x", targets: "y" }`. */
  readonly train?: ArrayNames;
  readonly validation?: ArrayNames;
  readonly test?: ArrayNames;
}

/**
 * Arrays of one .npz file. Scale and offset default to 1 and 0, also for uint8: give scale 1/255 for images.
 *
 * @example npzDataset({ file: "d.npz", train: { inputs: "x_train", targets: "y_train" }, scale: 1 / 255 })
 */
export function npzDataset(options: NpzDatasetOptions): DatasetSource {
  checkKeys("npzDataset", options, [
    ...fileOptions,
    "classes",
    "task",
    "file",
    "train",
    "validation",
    "test",
  ]);
  const { file, train = { inputs: "x", targets: "y" }, validation, test } = options;
  const { file: _place, ...content } = options;
  return lazily(content, file, countOf(options.classes), async (common) => {
    const archive = await readNpz(file);
    const pick = (names: ArrayNames): Pair => ({
      inputs: archive.get(names.inputs),
      targets: archive.get(names.targets),
    });
    const held = { validation: validation && pick(validation), test: test && pick(test) };
    return fromTensors({ ...common, classes: options.classes }, options.task, pick(train), held);
  });
}

export interface NpyDatasetOptions extends NumpyOptions {
  /** File of the inputs, [count, ...exampleShape]. */
  readonly inputs: string;
  /** File of the targets, [count] or [count, ...]. */
  readonly targets: string;
}

/** Two .npy files, inputs and targets; otherwise as `npzDataset`. */
export function npyDataset(options: NpyDatasetOptions): DatasetSource {
  checkKeys("npyDataset", options, [...fileOptions, "classes", "task", "inputs", "targets"]);
  const { inputs: place, targets: _place, ...content } = options;
  return lazily(content, place, countOf(options.classes), async (common) => {
    const inputs = await readNpy(options.inputs);
    const targets = await readNpy(options.targets);
    return fromTensors({ ...common, classes: options.classes }, options.task, { inputs, targets }, {});
  });
}

export interface IdxFiles {
  readonly images: string;
  readonly labels: string;
}

export interface IdxDatasetOptions extends FileOptions, IdxFiles {
  readonly test?: IdxFiles;
  /** "flat" (default): one axis. "image": [height, width, channels]; a grey image gets one channel. */
  readonly shape?: "flat" | "image";
  /** Number of classes or their names; default: the largest training label plus one. */
  readonly classes?: number | readonly string[];
}

/**
 * Images and labels in IDX files, plain or gzip, as MNIST and its descendants have them. Scale defaults to 1/255
 * for uint8, to 1 else.
 *
 * @example idxDataset({ images: "train-images-idx3-ubyte.gz", labels: "train-labels-idx1-ubyte.gz" })
 */
export function idxDataset(options: IdxDatasetOptions): DatasetSource {
  checkKeys("idxDataset", options, [...fileOptions, "images", "labels", "test", "shape", "classes"]);
  const { shape = "flat", classes } = options;
  const { images: place, labels: _place, test: _places, ...content } = options;
  return lazily(content, place, countOf(classes), async (common) => {
    const train = await readImages(options);
    const test = options.test && (await readImages(options.test));
    const scale = common.scale ?? (train.inputs.dtype === "uint8" ? 1 / 255 : 1);
    const images = fromTensors({ ...common, scale, classes }, "classification", train, { test });
    return shape === "flat" ? flattenExamples(images) : images;
  });
}

type CommonOptions = Pick<ArraysOptions, "name" | "title" | "scale" | "offset" | "split" | "standardize">;

interface Pair {
  readonly inputs: HostTensor;
  readonly targets: HostTensor;
}

/** Images [count, height, width, channels] with their labels; grey ones get one channel. */
async function readImages(files: IdxFiles): Promise<Pair> {
  const images = await readIdx(files.images);
  const targets = await readIdx(files.labels);
  return { inputs: images.shape.length === 3 ? { ...images, shape: [...images.shape, 1] } : images, targets };
}

/** @param content all that the result depends on beside what the files hold */
function lazily(
  content: FileOptions,
  file: string,
  classes: number | undefined,
  load: (common: CommonOptions) => Promise<Dataset>,
): DatasetSource {
  const { name = basename(file).replace(/(\.\w+)(\.gz)?$/, ""), title = name, ...options } = content;
  const { scale, offset, split, standardize } = options;
  checkStandardize(`data set "${name}"`, options);
  return {
    name,
    title,
    classes,
    options,
    load: () => load({ name, title, scale, offset, split, standardize }),
  };
}

function fromTensors(
  options: CommonOptions & Pick<ClassificationOptions, "classes">,
  task: "classification" | "regression" | undefined,
  train: Pair,
  held: { readonly validation?: Pair; readonly test?: Pair },
): Dataset {
  const { classes, split, standardize, ...common } = options;
  const isRegression = task === undefined ? isFloat(train.targets.dtype) : task === "regression";
  // Both builders settle what the whole data set shares; held-out pairs pass through them for the same conversions.
  const build = (pair: Pair, known: number | readonly string[] | undefined): Dataset => {
    if (pair.inputs.shape.length === 0 || pair.targets.shape.length === 0) {
      throw new SlalomError(
        "data",
        `data set "${common.name}": received a scalar; expected a leading axis of examples.`,
      );
    }
    const exampleShape: Shape = pair.inputs.shape.length === 1 ? [1] : pair.inputs.shape.slice(1);
    const arrays = { ...common, ...pair, exampleShape };
    return isRegression ? regression(arrays) : classification({ ...arrays, classes: known });
  };
  const base = build(train, classes);
  const heldSplit = (pair: Pair | undefined): Split | undefined =>
    pair && build(pair, base.classNames ?? base.classes).train;
  const dataset = checkDataset({
    ...base,
    validation: heldSplit(held.validation),
    test: heldSplit(held.test),
  });
  const cut = split === undefined ? dataset : splitDataset(dataset, split);
  return standardize === undefined ? cut : standardizeDataset(cut, standardize);
}

/** The distinct values of the target column, in class order. */
function classesIn(table: CsvTable, target: number): string[] {
  const values = [...new Set(table.rows.map((fields) => fields[target]))];
  const allNumbers = areNumbers(values);
  table.rows.forEach((fields, row) => {
    const isClass = fields[target] !== "" && (!allNumbers || Number.isInteger(Number(fields[target])));
    if (!isClass) {
      const remedy = allNumbers ? 'For float targets say task: "regression".' : undefined;
      throw brokenField(table, row, target, "a class, text or a whole number", remedy);
    }
  });
  return inClassOrder(values);
}

const countOf = (classes: number | readonly string[] | undefined): number | undefined =>
  typeof classes === "object" ? classes.length : classes;
