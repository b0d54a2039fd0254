/** Data sets from arrays in memory: nested number arrays, typed arrays or host tensors. */
import { type DType, dtypeOf, dtypes, isFloat, type TypedArray } from "../../base/dtype.js";
import { checkKeys, SlalomError } from "../../base/errors.js";
import { type HostTensor, type Shape, sizeOf } from "../../base/shape.js";
import { checkDataset, type Dataset, type Split } from "./dataset.js";
import { type SplitOptions, splitDataset } from "./split.js";
import { checkStandardize, type Standardize, standardizeDataset } from "./standardize.js";

export type NestedNumbers = readonly number[] | readonly NestedNumbers[];

/** Nested arrays, a flat typed array (its leading axis is the examples), or a tensor with its shape. */
export type ArrayData = NestedNumbers | TypedArray | HostTensor;

export interface ArraysOptions {
  readonly name: string;
  /** As figures print it; default: the name. */
  readonly title?: string;
  /** [count, ...exampleShape]; a flat typed array is cut into as many examples as there are targets. */
  readonly inputs: ArrayData;
  readonly targets: ArrayData;
  /** Of one example; default: from the inputs, a number alone counting as [1]. */
  readonly exampleShape?: Shape;
  /** dtype that nested arrays are held in; default "float32". Typed arrays keep theirs. */
  readonly dtype?: "float32" | "float64";
  /** Inputs become floats as raw * scale + offset; default 1 and 0. */
  readonly scale?: number;
  readonly offset?: number;
  /** Cuts validation and test examples off; default: all are for training. */
  readonly split?: SplitOptions;
  /** In place of scale and offset: inputs to mean 0 and deviation 1 by the training examples, as `standardizeDataset`. */
  readonly standardize?: Standardize;
}

export interface ClassificationOptions extends ArraysOptions {
  /** Number of classes, or their names; default: the largest label plus one. */
  readonly classes?: number | readonly string[];
}

const optionNames = [
  "name",
  "title",
  "inputs",
  "targets",
  "exampleShape",
  "dtype",
  "scale",
  "offset",
  "split",
  "standardize",
];

/**
 * A classification data set from arrays: targets are class indices from 0, one for each example.
 *
 * Throws "data" for ragged arrays, counts that disagree, labels out of range and values that are not finite.
 *
 * @example classification({ name: "xor", inputs: [[0, 0], [0, 1], [1, 0], [1, 1]], targets: [0, 1, 1, 0] })
 */
export function classification(options: ClassificationOptions): Dataset {
  checkKeys("classification", options, [...optionNames, "classes"]);
  const targets = labelsOf(
    options.name,
    toTensor(`data set "${options.name}", targets`, options.targets, "float64"),
  );
  const { classes } = options;
  return build(options, targets, {
    classes:
      typeof classes === "object" ? classes.length : (classes ?? Math.max(1, largest(targets.data)) + 1),
    classNames: typeof classes === "object" ? classes : undefined,
  });
}

/**
 * A regression data set from arrays: targets are floats, [count] or [count, ...].
 *
 * Throws "data" for ragged arrays, counts that disagree and values that are not finite.
 *
 * @example regression({ name: "line", inputs: [[1], [2], [3], [4]], targets: [[0], [-1], [-2], [-3]] })
 */
export function regression(options: ArraysOptions): Dataset {
  checkKeys("regression", options, optionNames);
  const dtype = options.dtype ?? "float32";
  const targets = toTensor(`data set "${options.name}", targets`, options.targets, dtype);
  return build(options, isFloat(targets.dtype) ? targets : castTo(dtype, targets), {});
}

function build(
  options: ArraysOptions,
  targets: HostTensor,
  classes: Pick<Dataset, "classes" | "classNames">,
): Dataset {
  const { name, standardize } = options;
  checkStandardize(`data set "${name}"`, options);
  const inputs = toTensor(`data set "${name}", inputs`, options.inputs, options.dtype ?? "float32");
  const exampleShape = options.exampleShape ?? exampleShapeOf(options.inputs, inputs, targets.shape[0]);
  const count = inputs.data.length / sizeOf(exampleShape);
  if (!Number.isInteger(count) || count !== targets.shape[0]) {
    throw new SlalomError(
      "data",
      `data set "${name}": received ${inputs.data.length} input values and ${targets.shape[0]} targets; expected [${exampleShape.join(",")}] values for each target.`,
    );
  }
  const train: Split = { inputs: { ...inputs, shape: [count, ...exampleShape] }, targets, count };
  const dataset = checkDataset({
    name,
    title: options.title ?? name,
    exampleShape,
    ...classes,
    scale: options.scale ?? 1,
    offset: options.offset ?? 0,
    train,
  });
  const cut = options.split === undefined ? dataset : splitDataset(dataset, options.split);
  return standardize === undefined ? cut : standardizeDataset(cut, standardize);
}

function exampleShapeOf(given: ArrayData, inputs: HostTensor, count: number): Shape {
  if (inputs.shape.length > 1) return inputs.shape.slice(1);
  return [ArrayBuffer.isView(given) ? inputs.data.length / Math.max(1, count) : 1];
}

function toTensor(where: string, given: ArrayData, dtype: DType): HostTensor {
  if (ArrayBuffer.isView(given)) return { shape: [given.length], dtype: dtypeOf(given), data: given };
  if ("data" in given) return given;
  const shape = shapeOf(given);
  const data = new dtypes[dtype].array(sizeOf(shape));
  const path: number[] = [];
  let at = 0;
  const fill = (value: NestedNumbers | number): void => {
    const fits = Array.isArray(value)
      ? path.length < shape.length && value.length === shape[path.length]
      : typeof value === "number" && path.length === shape.length;
    if (!fits) {
      const received = Array.isArray(value) ? `an array of ${value.length}` : String(value);
      const isInner = path.length === shape.length;
      const expected = isInner ? "a number" : `an array of ${shape[path.length]}, as at the first place`;
      throw new SlalomError(
        "data",
        `${where}: received ${received} at [${path.join(",")}]; expected ${expected}.`,
      );
    }
    if (typeof value === "number") {
      data[at++] = value;
      return;
    }
    for (let i = 0; i < value.length; i++) {
      path.push(i);
      fill(value[i]);
      path.pop();
    }
  };
  fill(given);
  return { shape, dtype, data };
}

/** The extents along the first element of each axis. */
function shapeOf(value: NestedNumbers | number): Shape {
  return typeof value === "number" || value === undefined ? [] : [value.length, ...shapeOf(value[0])];
}

/** Float labels, as nested arrays and CSV give them, to int32 where they are whole numbers. */
function labelsOf(name: string, targets: HostTensor): HostTensor {
  if (!isFloat(targets.dtype)) return targets;
  const wrong = targets.data.findIndex((label) => !Number.isInteger(label) || Math.abs(label) > 0x7fffffff);
  if (wrong >= 0) {
    throw new SlalomError(
      "data",
      `data set "${name}": received label ${targets.data[wrong]} at example ${wrong}; expected a class index, a whole number from 0. For float targets use regression.`,
    );
  }
  return castTo("int32", targets);
}

function castTo(dtype: DType, tensor: HostTensor): HostTensor {
  const data = new dtypes[dtype].array(tensor.data.length);
  data.set(tensor.data);
  return { shape: tensor.shape, dtype, data };
}

const largest = (values: TypedArray): number => {
  let result = 0;
  for (const value of values) if (value > result) result = value;
  return result;
};
