/** What a data set is: inputs and targets of up to three splits in host memory, and the checks that hold for all. */
import { dtypes, isFloat } from "../../base/dtype.js";
import { SlalomError } from "../../base/errors.js";
import type { Json } from "../../base/json.js";
import { formatType, type HostTensor, type Shape, sameShape, sizeOf } from "../../base/shape.js";
import type { Published } from "./published.js";

/**
 * One split: inputs [count, ...exampleShape] and targets, in host memory. Targets are class indices [count]
 * (int32 or uint8), or floats [count, ...] for regression.
 */
export interface Split {
  readonly inputs: HostTensor;
  readonly targets: HostTensor;
  readonly count: number;
}

/** A number for all elements of an example, or floats of the example's shape or its last axes, such as [channels]. */
export type Factor = number | HostTensor;

/** A data set ready for use. */
export interface Dataset {
  readonly name: string;
  readonly title: string;
  readonly exampleShape: Shape;
  /** Number of classes; undefined for regression. */
  readonly classes?: number;
  /** What the class indices mean, where the data say it. */
  readonly classNames?: readonly string[];
  /** Raw inputs become floats as raw * scale + offset: images stay uint8 in memory and programs convert them. */
  readonly scale: Factor;
  readonly offset: Factor;
  readonly train: Split;
  readonly validation?: Split;
  readonly test?: Split;
  readonly source?: { readonly url: string; readonly licence: string };
}

/** A named data set that is loaded when it is needed: what a problem names. */
export interface DatasetSource {
  readonly name: string;
  readonly title: string;
  /** Where it is known before loading. */
  readonly exampleShape?: Shape;
  /** Where it is known before loading. */
  readonly classes?: number;
  /** All that sets it apart from another of its name, but for where its files are; goes into the run store. */
  readonly options?: Readonly<Record<string, Json>>;
  /** Where it was published, for a built-in one that is read from files. */
  readonly published?: Published;
  load(): Promise<Dataset>;
}

export type SplitName = "train" | "validation" | "test";

export const splitNames: readonly SplitName[] = ["train", "validation", "test"];

/** The source of a data set that is in memory already. */
export const sourceOf = (dataset: Dataset): DatasetSource => ({
  name: dataset.name,
  title: dataset.title,
  exampleShape: dataset.exampleShape,
  classes: dataset.classes,
  load: async () => dataset,
});

/**
 * The data set, once it is known to be sound: counts agree, shapes fit, labels lie in 0 to classes - 1, no value
 * is infinite or NaN. Throws "data" naming data set, split, element and expectation.
 */
export function checkDataset(dataset: Dataset): Dataset {
  const { name, classes } = dataset;
  if (classes !== undefined && (!Number.isInteger(classes) || classes < 2)) {
    throw new SlalomError(
      "data",
      `data set "${name}": received ${classes} classes; expected an integer from 2.`,
    );
  }
  if (dataset.classNames !== undefined && dataset.classNames.length !== classes) {
    throw new SlalomError(
      "data",
      `data set "${name}": received ${dataset.classNames.length} class names for ${classes} classes; expected one for each.`,
    );
  }
  checkFactor(dataset, "scale");
  checkFactor(dataset, "offset");
  for (const splitName of splitNames) {
    const split = dataset[splitName];
    if (split !== undefined) checkSplit(dataset, `data set "${name}", ${splitName}`, split);
  }
  return dataset;
}

function checkFactor(dataset: Dataset, which: "scale" | "offset"): void {
  const { name, exampleShape, [which]: factor } = dataset;
  const isTensor = typeof factor === "object";
  const fits =
    !isTensor ||
    (isFloat(factor.dtype) &&
      factor.data.length === sizeOf(factor.shape) &&
      sameShape(factor.shape, exampleShape.slice(exampleShape.length - factor.shape.length)));
  const wrong = fits && (isTensor ? factor.data : [factor]).find((value) => !Number.isFinite(value));
  if (wrong === undefined) return;
  throw new SlalomError(
    "data",
    `data set "${name}": received ${which} ${wrong === false ? formatType(factor as HostTensor) : wrong}; expected finite numbers: one, or floats of the example shape [${exampleShape.join(",")}] or its last axes.`,
  );
}

function checkSplit(dataset: Dataset, where: string, split: Split): void {
  const { inputs, targets, count } = split;
  checkTensor(`${where} inputs`, inputs);
  checkTensor(`${where} targets`, targets);
  if (inputs.shape[0] !== targets.shape[0] || inputs.shape[0] !== count) {
    throw new SlalomError(
      "data",
      `${where}: received ${inputs.shape[0]} inputs and ${targets.shape[0]} targets; expected as many of each, and at least one (count ${count}).`,
    );
  }
  if (!(count >= 1)) {
    throw new SlalomError(
      "data",
      `${where}: received no examples; expected at least one. Leave out an empty split.`,
    );
  }
  if (!sameShape(inputs.shape.slice(1), dataset.exampleShape)) {
    throw new SlalomError(
      "data",
      `${where}: received inputs ${formatType(inputs)}; expected examples of shape [${dataset.exampleShape.join(",")}].`,
    );
  }
  if (dataset.classes === undefined) {
    if (!isFloat(targets.dtype)) {
      throw new SlalomError(
        "data",
        `${where}: received targets ${formatType(targets)} without classes; expected float32 or float64 for regression. Give the number of classes?`,
      );
    }
  } else {
    checkLabels(where, targets, dataset.classes);
  }
}

function checkLabels(where: string, targets: HostTensor, classes: number): void {
  if (isFloat(targets.dtype) || targets.shape.length !== 1) {
    throw new SlalomError(
      "data",
      `${where}: received targets ${formatType(targets)}; expected class indices, u8[count] or i32[count].`,
    );
  }
  const wrong = targets.data.findIndex((label) => label < 0 || label >= classes);
  if (wrong < 0) return;
  throw new SlalomError(
    "data",
    `${where}: received label ${targets.data[wrong]} at example ${wrong}; expected 0 to ${classes - 1} for ${classes} classes.`,
  );
}

function checkTensor(where: string, tensor: HostTensor): void {
  const { shape, dtype, data } = tensor;
  if (shape.length === 0 || data.length !== sizeOf(shape) || !(data instanceof dtypes[dtype].array)) {
    throw new SlalomError(
      "data",
      `${where}: received ${data.length} elements as ${formatType(tensor)}; expected a leading axis of examples and data that fill the shape.`,
    );
  }
  if (!isFloat(dtype)) return;
  const wrong = data.findIndex((value) => !Number.isFinite(value));
  if (wrong < 0) return;
  const perExample = sizeOf(shape.slice(1));
  throw new SlalomError(
    "data",
    `${where}: received ${data[wrong]} at example ${Math.floor(wrong / perExample)}, element ${wrong % perExample}; expected finite values. Remove or replace it.`,
  );
}
