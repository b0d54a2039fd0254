/**
 * Elastic deformation: every pixel is displaced by a smooth random field. Simard, Steinkraus, Platt: "Best practices
 * for convolutional neural networks applied to visual document analysis", 2003.
 */
import { checkKeys } from "../../base/errors.js";
import {
  add,
  cast,
  concat,
  constantArray,
  iota,
  matmul,
  mul,
  randomUniform,
  slice,
  sub,
  type Tensor,
  transpose,
} from "../../graph/index.js";
import { partKey } from "../layers/layer.js";
import { type Augmentation, requireBetween } from "./augmentation.js";
import { sampleBilinear } from "./sampling.js";

export interface ElasticOptions {
  /** alpha: the smoothed field is multiplied by it, pixels; default 34, the paper's for 28 x 28. */
  readonly strength?: number;
  /** sigma: standard deviation of the Gaussian that smooths the field, pixels; default 4, the paper's. */
  readonly smoothness?: number;
}

/**
 * displacement = strength * (G * u), u uniform in [-1, 1) for every pixel and axis, G a Gaussian of sum 1 with standard
 * deviation `smoothness`; beyond the border u is 0. Bilinear, zeros outside.
 * @throws SlalomError "option" for a negative strength or a smoothness of 0
 * @example elastic({ strength: 34, smoothness: 4 })
 */
export function elastic(options: ElasticOptions = {}): Augmentation {
  checkKeys("elastic", options, ["strength", "smoothness"]);
  const { strength = 34, smoothness = 4 } = options;
  requireBetween("elastic, strength in pixels", strength, 0, 1e6);
  requireBetween("elastic, smoothness in pixels", smoothness, 0.1, 1e6);
  return {
    name: "elastic",
    options: { strength, smoothness },
    apply(images, key, first) {
      const [batch, height, width] = images.shape;
      const firstPixel = first && mul(first, height * width);
      const drawn = [0, 1].map((axis) =>
        randomUniform(partKey(key, axis), [batch, height, width], firstPixel),
      );
      const noise = sub(mul(concat(drawn), 2), 1);
      const alongRows = matmul(cast(noise, images.dtype), gaussian(width, smoothness, images));
      const alongColumns = matmul(transpose(alongRows, [0, 2, 1]), gaussian(height, smoothness, images));
      const field = mul(transpose(alongColumns, [0, 2, 1]), strength);
      const displaced = (axis: number): Tensor =>
        add(
          slice(field, { axis: 0, start: axis * batch, stop: (axis + 1) * batch }),
          cast(iota([1, height, width], axis + 1), images.dtype),
        );
      return sampleBilinear(images, displaced(0), displaced(1));
    },
  };
}

/** [extent, extent]: element i, j weighs the distance of i and j. */
function gaussian(extent: number, deviation: number, { dtype }: Tensor): Tensor {
  const weight = (distance: number): number => Math.exp(-(distance ** 2) / (2 * deviation ** 2));
  const reach = Math.ceil(6 * deviation);
  let total = 0;
  for (let distance = -reach; distance <= reach; distance++) total += weight(distance);
  const values = Float64Array.from(
    { length: extent * extent },
    (_, at) => weight(Math.floor(at / extent) - (at % extent)) / total,
  );
  return cast(constantArray(values, [extent, extent], "float64"), dtype);
}
