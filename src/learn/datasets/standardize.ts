/** Inputs to mean 0 and standard deviation 1, by the statistics of the training examples alone. */
import { SlalomError } from "../../base/errors.js";
import { type HostTensor, type Shape, sizeOf } from "../../base/shape.js";
import type { Dataset, Factor } from "./dataset.js";

/** What shares a mean and a deviation: "channel", the last axis of images; "element", each pixel or column by itself. */
export type Standardize = "channel" | "element";

/**
 * The data set with another scale and offset: programs compute (raw - mean) / deviation, for all splits with the mean
 * and the standard deviation of the raw training inputs (divided by the count, not by the count less one).
 *
 * What is constant over the training examples becomes 0 there and keeps the data set's own scale, so that what is not
 * constant in another split stays within bounds. Raw inputs are not touched. Cut splits first.
 * @throws SlalomError "option" for channels of what is no image, or for a data set that is standardized already
 * @example standardizeDataset(splitDataset(data, { validation: 0.2 }), "element")
 */
export function standardizeDataset(dataset: Dataset, over: Standardize): Dataset {
  const { name, exampleShape, scale, train } = dataset;
  const refuse = (received: string, expected: string): SlalomError =>
    new SlalomError("option", `standardize: data set "${name}": received ${received}; expected ${expected}`);
  if (over !== "channel" && over !== "element") throw refuse(`"${over}"`, '"channel" or "element".');
  if (over === "channel" && exampleShape.length !== 3) {
    throw refuse(
      `"channel" for examples of shape [${exampleShape.join(",")}]`,
      'images [height, width, channels]. Take "element"?',
    );
  }
  if (typeof scale !== "number")
    throw refuse("a scale by element or channel", "one number. Standardize once.");
  const shape = over === "channel" ? exampleShape.slice(-1) : exampleShape;
  const { means, deviations } = moments(train.inputs, sizeOf(shape));
  const scales = deviations.map((deviation) => (deviation > 0 ? 1 / deviation : scale));
  const offsets = scales.map((each, i) => -means[i] * each);
  return { ...dataset, scale: factor(scales, shape), offset: factor(offsets, shape) };
}

/** Throws "option" where a scale or an offset is given as well, which standardizing would replace. */
export function checkStandardize(
  where: string,
  options: { readonly standardize?: Standardize; readonly scale?: number; readonly offset?: number },
): void {
  if (options.standardize === undefined) return;
  for (const other of ["scale", "offset"] as const) {
    if (options[other] === undefined) continue;
    throw new SlalomError(
      "option",
      `${where}: received standardize together with ${other}; expected one of them, since standardizing chooses both scale and offset.`,
    );
  }
}

const factor = (values: Float64Array, shape: Shape): Factor =>
  values.length === 1 ? values[0] : { shape, dtype: "float64", data: values };

/** Mean and standard deviation over all that share a place modulo `period`; a constant's deviation is exactly 0. */
function moments({ data }: HostTensor, period: number): { means: Float64Array; deviations: Float64Array } {
  const count = data.length / period;
  // Distances from the first value: small, and exactly 0 for a constant, whatever rounding does to a sum.
  const means = new Float64Array(period);
  for (let start = 0; start < data.length; start += period)
    for (let i = 0; i < period; i++) means[i] += data[start + i] - data[i];
  for (let i = 0; i < period; i++) means[i] /= count;
  const squares = new Float64Array(period);
  for (let start = 0; start < data.length; start += period)
    for (let i = 0; i < period; i++) squares[i] += (data[start + i] - data[i] - means[i]) ** 2;
  return {
    means: means.map((distance, i) => data[i] + distance),
    deviations: squares.map((sum) => Math.sqrt(sum / count)),
  };
}
