/** What the layers for images share. */
import { SlalomError } from "../../base/errors.js";
import type { Shape } from "../../base/shape.js";

/** Rows, columns, channels of an example; one without a channel axis has one channel. */
export function imageExtents(layer: string, input: Shape): readonly [number, number, number] {
  if (input.length === 2) return [input[0], input[1], 1];
  if (input.length === 3) return [input[0], input[1], input[2]];
  throw new SlalomError(
    "shape",
    `${layer}: an example of shape [${input}]; expected an image, [rows, columns] or [rows, columns, channels].`,
  );
}
