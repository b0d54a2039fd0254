/** Cutout: a square of each image is 0. DeVries, Taylor: "Improved regularization of CNNs with Cutout", 2017. */
import {
  abs,
  and,
  cast,
  floor,
  iota,
  lessEqual,
  mul,
  randomUniform,
  reshape,
  sub,
  type Tensor,
  where,
} from "../../graph/index.js";
import { partKey } from "../layers/layer.js";
import { type Augmentation, requireBetween } from "./augmentation.js";

/**
 * A square of `size` x `size` pixels is 0 in every image; its centre is any pixel alike, so it may reach over the edge.
 * @param size pixels, odd or even: an even square lies half a pixel up and left of its centre
 * @throws SlalomError "option" for a size below 1
 * @example cutout(16)
 */
export function cutout(size: number): Augmentation {
  requireBetween("cutout, size in pixels", size, 1, 1e6);
  return {
    name: "cutout",
    options: { size },
    apply(images, key, first) {
      const [batch, height, width] = images.shape;
      const covers = (axis: number, extent: number): Tensor => {
        const centre = floor(mul(randomUniform(partKey(key, axis), [batch], first), extent));
        const middle = size % 2 === 0 ? sub(centre, 0.5) : centre;
        const place = cast(iota([1, height, width, 1], axis), "float32");
        return lessEqual(abs(sub(place, reshape(middle, [batch, 1, 1, 1]))), (size - 1) / 2);
      };
      return where(and(covers(1, height), covers(2, width)), 0, images);
    },
  };
}
