/** Cutting a data set into training, validation and test examples: by counts or fractions, in its order or shuffled. */
import type { TypedArray } from "../../base/dtype.js";
import { checkKeys, SlalomError } from "../../base/errors.js";
import { type HostTensor, sizeOf } from "../../base/shape.js";
import { checkDataset, type Dataset, type Split, type SplitName, splitNames } from "./dataset.js";
import { dataRandom } from "./random.js";

/**
 * How many examples each split gets: all counts (integers from 1) or all fractions (between 0 and 1). Without
 * `train`, training gets what validation and test leave.
 */
export type SplitOptions = {
  readonly train?: number;
  readonly validation?: number;
  readonly test?: number;
  /** Seed of a shuffle before the cut; without it the data set's own order is kept. */
  readonly shuffleSeed?: number;
};

/**
 * The data set with its training examples cut into training, validation and test, in this order. Splits that are
 * not asked for stay as they are; without a shuffle the new ones share memory with the old.
 *
 * Throws "option" for sizes that don't fit or a split that the data set has already.
 */
export function splitDataset(dataset: Dataset, options: SplitOptions): Dataset {
  checkKeys("splitDataset", options, ["train", "validation", "test", "shuffleSeed"]);
  for (const name of ["validation", "test"] as const) {
    if (options[name] === undefined || dataset[name] === undefined) continue;
    throw new SlalomError(
      "option",
      `splitDataset: data set "${dataset.name}" has a ${name} split of ${dataset[name].count}; expected none where one is cut. Leave out ${name}.`,
    );
  }
  const sizes = splitSizes(dataset, options);
  const pool =
    options.shuffleSeed === undefined ? dataset.train : shuffled(dataset.train, options.shuffleSeed);
  const validationEnd = sizes.train + sizes.validation;
  return checkDataset({
    ...dataset,
    train: slice(pool, 0, sizes.train),
    validation: sizes.validation > 0 ? slice(pool, sizes.train, validationEnd) : dataset.validation,
    test: sizes.test > 0 ? slice(pool, validationEnd, validationEnd + sizes.test) : dataset.test,
  });
}

/** The first examples of each named split, for short runs; throws "option" if there are fewer. */
export function takeFirst(dataset: Dataset, counts: Partial<Record<SplitName, number>>): Dataset {
  checkKeys("takeFirst", counts, splitNames);
  const take = (name: SplitName): Split | undefined => {
    const split = dataset[name];
    const count = counts[name];
    if (count === undefined) return split;
    if (split !== undefined && Number.isInteger(count) && count >= 1 && count <= split.count) {
      return slice(split, 0, count);
    }
    throw new SlalomError(
      "option",
      `data set "${dataset.name}": received ${count} ${name} examples; expected an integer from 1 to ${split?.count ?? 0}.`,
    );
  };
  return { ...dataset, train: take("train")!, validation: take("validation"), test: take("test") };
}

function splitSizes(dataset: Dataset, options: SplitOptions): Record<SplitName, number> {
  const available = dataset.train.count;
  const given = splitNames.flatMap((name) => (options[name] === undefined ? [] : [options[name]]));
  const areCounts = given.every((size) => Number.isInteger(size) && size >= 1);
  const areFractions = given.every((size) => size > 0 && size < 1);
  const sum = given.reduce((total, size) => total + size, 0);
  const refuse = (expected: string) =>
    new SlalomError(
      "option",
      `splitDataset: data set "${dataset.name}" with ${available} training examples: received sizes ${given.join(", ")}; expected ${expected}.`,
    );
  if (given.length === 0 || (!areCounts && !areFractions)) {
    throw refuse("all counts (integers from 1) or all fractions (between 0 and 1)");
  }
  const roundingSlack = 1e-9;
  if (areFractions && sum > 1 + roundingSlack) throw refuse("fractions with a sum of at most 1");
  const sizeFor = (size = 0): number => (areCounts ? size : Math.round(size * available));
  const validation = sizeFor(options.validation);
  const test = sizeFor(options.test);
  const rest = available - validation - test;
  const takesRest = options.train === undefined || (areFractions && sum > 1 - roundingSlack);
  const train = takesRest ? rest : sizeFor(options.train);
  if (train < 1 || train > rest) throw refuse(`at most ${available} in all, and one or more for training`);
  const emptied =
    (options.validation !== undefined && validation === 0) || (options.test !== undefined && test === 0);
  if (emptied) throw refuse("fractions of at least one example");
  return { train, validation, test };
}

const slice = ({ inputs, targets }: Split, from: number, to: number): Split => ({
  inputs: sliceRows(inputs, from, to),
  targets: sliceRows(targets, from, to),
  count: to - from,
});

function sliceRows(tensor: HostTensor, from: number, to: number): HostTensor {
  const rowShape = tensor.shape.slice(1);
  const rowSize = sizeOf(rowShape);
  return {
    ...tensor,
    shape: [to - from, ...rowShape],
    data: tensor.data.subarray(from * rowSize, to * rowSize),
  };
}

function shuffled(split: Split, seed: number): Split {
  const order = dataRandom(seed).permutation(split.count);
  return { ...split, inputs: gatherRows(split.inputs, order), targets: gatherRows(split.targets, order) };
}

function gatherRows(tensor: HostTensor, order: Int32Array): HostTensor {
  const rowSize = sizeOf(tensor.shape.slice(1));
  const data: TypedArray = tensor.data.slice();
  for (let row = 0; row < order.length; row++) {
    data.set(tensor.data.subarray(order[row] * rowSize, (order[row] + 1) * rowSize), row * rowSize);
  }
  return { ...tensor, data };
}
