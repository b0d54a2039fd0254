/** Convolution: filters that slide over images, channels last. */
import { checkKeys, SlalomError } from "../../base/errors.js";
import { add, type ConvolutionOptions, conv2d, foldIn, reshape, zeros } from "../../graph/index.js";
import { glorotUniform, type Initializer, zeroValues } from "../initializers/index.js";
import { imageExtents } from "./images.js";
import type { Layer, ParameterSpec } from "./layer.js";

export interface ConvolutionLayerOptions extends ConvolutionOptions {
  /** Rows and columns of a filter: 5, or [5, 3]. */
  readonly kernel: number | readonly [number, number];
  /** Of the weight; default `glorotUniform`. Fans count a filter's taps: kernel rows x columns x channels. */
  readonly initializer?: Initializer;
  /** The bias's initializer, or "none"; default `zeroValues`. */
  readonly bias?: Initializer | "none";
}

/**
 * A convolution of images [H, W, C], or [H, W] with one channel, to [OH, OW, filters].
 *
 * Parameters: "weight" [filters, rows, columns, C / groups] and "bias" [filters]. Padding is "valid" unless asked.
 * @param filters an integer from 1
 * @throws SlalomError "option" for other filters or kernels; "shape" when built for what is no image
 * @example sequential([convolution(32, { kernel: 5, padding: "same" }), activation("relu"), maxPool(2)])
 */
export function convolution(filters: number, options: ConvolutionLayerOptions): Layer {
  checkKeys("convolution", options, [
    "kernel",
    "initializer",
    "bias",
    "stride",
    "padding",
    "dilation",
    "groups",
  ]);
  const { kernel, initializer = glorotUniform, bias = zeroValues, ...window } = options;
  const [rows, columns] = typeof kernel === "number" ? [kernel, kernel] : kernel;
  if (![filters, rows, columns].every((count) => Number.isInteger(count) && count >= 1)) {
    throw new SlalomError(
      "option",
      `convolution: received ${filters} filters of ${rows} x ${columns}; expected integers from 1.`,
    );
  }
  return {
    name: "conv",
    build(input) {
      const image = imageExtents("convolution", input);
      const channels = image[2] / (window.groups ?? 1);
      const shape = [filters, rows, columns, channels];
      const fans = { in: rows * columns * channels, out: (rows * columns * filters) / (window.groups ?? 1) };
      const weight: ParameterSpec = { shape, initial: (key) => initializer(foldIn(key, 0), shape, fans) };
      const biasSpec: ParameterSpec = {
        shape: [filters],
        initial: (key) => (bias === "none" ? zeros([filters]) : bias(foldIn(key, 1), [filters], fans)),
      };
      // One image of zeros tells the output's shape, and whether window and image fit.
      const output = conv2d(zeros([1, ...image]), zeros(shape), window).shape.slice(1);
      const parameters: Record<string, ParameterSpec> =
        bias === "none" ? { weight } : { weight, bias: biasSpec };
      return {
        parameters,
        output,
        apply(values, x) {
          const y = conv2d(reshape(x, [x.shape[0], ...image]), values.weight, window);
          return bias === "none" ? y : add(y, values.bias);
        },
      };
    },
  };
}
