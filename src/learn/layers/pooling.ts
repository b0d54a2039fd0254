/** Pooling layers: windows, or whole images, to one value for each channel. */
import {
  averagePool2d,
  max,
  maxPool2d,
  mean,
  type PoolOptions,
  reshape,
  type Tensor,
  zeros,
} from "../../graph/index.js";
import { imageExtents } from "./images.js";
import type { Layer } from "./layer.js";

export type PoolLayerOptions = Omit<PoolOptions, "size">;

/**
 * The greatest of each window, [H, W, C] to [OH, OW, C].
 * @param size rows and columns of the window, which is also its stride unless `options` say otherwise
 * @throws SlalomError "shape" when built for images that it does not fit
 */
export const maxPool = (size: PoolOptions["size"], options: PoolLayerOptions = {}): Layer =>
  windows("maxPool", (x) => maxPool2d(x, { ...options, size }));

/** The mean of each window; padding does not count. Otherwise as `maxPool`. */
export const averagePool = (size: PoolOptions["size"], options: PoolLayerOptions = {}): Layer =>
  windows("averagePool", (x) => averagePool2d(x, { ...options, size }));

/** The mean of each channel over the whole image, [H, W, C] to [C]. */
export const globalAveragePool = (): Layer =>
  wholeImages("globalAveragePool", (x) => mean(x, { axis: [1, 2] }));

/** The greatest of each channel over the whole image, [H, W, C] to [C]. */
export const globalMaxPool = (): Layer => wholeImages("globalMaxPool", (x) => max(x, { axis: [1, 2] }));

function windows(name: string, pool: (x: Tensor) => Tensor): Layer {
  return {
    name,
    build(input) {
      const image = imageExtents(name, input);
      const output = pool(zeros([1, ...image])).shape.slice(1);
      return { parameters: {}, output, apply: (_values, x) => pool(reshaped(x, image)) };
    },
  };
}

function wholeImages(name: string, pool: (x: Tensor) => Tensor): Layer {
  return {
    name,
    build(input) {
      const image = imageExtents(name, input);
      return { parameters: {}, output: [image[2]], apply: (_values, x) => pool(reshaped(x, image)) };
    },
  };
}

/** Not `reshape` where nothing changes: pooling looks at what computed its input. */
const reshaped = (x: Tensor, image: readonly number[]): Tensor =>
  x.shape.length === 4 ? x : reshape(x, [x.shape[0], ...image]);
