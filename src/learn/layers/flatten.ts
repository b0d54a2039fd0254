/** Flatten: all axes of an example become one. */
import { sizeOf } from "../../base/shape.js";
import { reshape } from "../../graph/index.js";
import type { Layer } from "./layer.js";

/** [batch, ...input] -> [batch, size], row-major; what dense layers expect of images. */
export const flatten = (): Layer => ({
  name: "flatten",
  build(input) {
    const size = sizeOf(input);
    return {
      parameters: {},
      output: [size],
      apply: (_parameters, x) => (x.shape.length === 2 ? x : reshape(x, [x.shape[0], size])),
    };
  },
});
