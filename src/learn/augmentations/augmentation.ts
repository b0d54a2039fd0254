/** What an augmentation is: a random change of training images that keeps their class, written with tensor functions. */
import { SlalomError } from "../../base/errors.js";
import type { Json } from "../../base/json.js";
import { formatType } from "../../base/shape.js";
import { type RandomKey, reshape, type Tensor } from "../../graph/index.js";
import { partKey } from "../layers/layer.js";

export interface Augmentation {
  readonly name: string;
  /** All that sets it apart from another of its name; goes into the run store. */
  readonly options: Readonly<Record<string, Json>>;
  /**
   * Each image changed by a draw of its own, which follows from the key and the image's place alone.
   * @param images [batch, height, width, channels], floats
   * @param first int32 scalar: the place of the first image in the step's whole batch, of which these may be a part;
   *   absent: 0. Draw with it, as `randomUniform(key, [batch], first)`, and parts see what the whole would.
   */
  apply(images: Tensor, key: RandomKey, first?: Tensor): Tensor;
}

/**
 * The images after all augmentations, one after the other, each with its own part of the key.
 * @param images [batch, height, width] or [batch, height, width, channels], floats
 * @param first as `Augmentation.apply` takes it
 * @throws SlalomError "option" for examples that are no images
 */
export function augmentImages(
  augmentations: readonly Augmentation[],
  images: Tensor,
  key: RandomKey,
  first?: Tensor,
): Tensor {
  if (augmentations.length === 0) return images;
  const rank = images.shape.length;
  if (rank !== 3 && rank !== 4) {
    throw new SlalomError(
      "option",
      `augment: received examples ${formatType(images)}; expected images [batch, height, width] or [batch, height, width, channels]. Load the data set with shape: "image"?`,
    );
  }
  // The forward pass draws parts of the same key: these stand far from the numbers of its layers.
  const ownKey = partKey(key, augmentationPart);
  let result = rank === 3 ? reshape(images, [...images.shape, 1]) : images;
  augmentations.forEach((augmentation, i) => {
    result = augmentation.apply(result, partKey(ownKey, i), first);
  });
  return reshape(result, images.shape);
}

const augmentationPart = 0x0a06;

/** Throws "option" unless the number lies in [least, most]. */
export function requireBetween(what: string, value: number, least: number, most: number): void {
  if (value >= least && value <= most) return;
  throw new SlalomError("option", `${what}: received ${value}; expected a number from ${least} to ${most}.`);
}
