/** Mirror images, left to right. */
import { iota, randomBernoulli, reshape, sub, take, where } from "../../graph/index.js";
import { type Augmentation, requireBetween } from "./augmentation.js";

/**
 * Every image is mirrored left to right with `probability`, 0.5 unless given: for photographs, not for digits.
 * @throws SlalomError "option" for a probability outside 0 to 1
 * @example flip()
 */
export function flip(probability = 0.5): Augmentation {
  requireBetween("flip, probability", probability, 0, 1);
  return {
    name: "flip",
    options: { probability },
    apply(images, key, first) {
      const [batch, , width] = images.shape;
      const mirrored = take(images, sub(width - 1, iota([width])), 2);
      const isMirrored = randomBernoulli(key, [batch], probability, first);
      return where(reshape(isMirrored, [batch, 1, 1, 1]), mirrored, images);
    },
  };
}
