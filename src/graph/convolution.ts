/** Convolution and pooling as models are written with them: channels last, options in place of attributes. */
import { checkKeys, SlalomError } from "../base/errors.js";
import { formatType } from "../base/shape.js";
import { add, div, relu } from "./functions.js";
import { broadcastAlong } from "./operations/broadcast.js";
import { conv2dInputOperation, conv2dOperation } from "./operations/convolution.js";
import { full } from "./operations/leaves.js";
import { maxPool2dOperation, sumPool2dOperation } from "./operations/pooling.js";
import type { ConvolutionAttributes, Pair, PoolAttributes, Tensor, WindowAttributes } from "./tensor.js";

/** For rows and columns alike, or [rows, columns]. */
export type PairOption = number | Pair;

/**
 * "valid": none. "same": as many outputs as ceil(input / stride); what can't be halved goes below and to the right. A
 * number: on all four sides. Else [[top, bottom], [left, right]].
 */
export type PaddingOption = "valid" | "same" | number | readonly [Pair, Pair];

export interface ConvolutionOptions {
  /** Default 1. */
  readonly stride?: PairOption;
  /** Default "valid". */
  readonly padding?: PaddingOption;
  /** Distance between neighbouring taps; default 1. */
  readonly dilation?: PairOption;
  /** Default 1. As many as channels: each channel has filters of its own ("depthwise"). */
  readonly groups?: number;
}

/**
 * Two-dimensional convolution, the filters not flipped:
 *
 *     y[n, i, j, o] = sum over a, b, c of x[n, i stride + a dilation - top, j stride + b dilation - left, c] w[o, a, b, c]
 *
 * @param x images [N, H, W, C], float
 * @param w filters [O, KH, KW, C / groups]
 * @returns [N, OH, OW, O]
 * @throws SlalomError "shape" where they do not fit, "option" for an unknown option or padding
 * @example conv2d(images, filters, { padding: "same" })
 */
export function conv2d(x: Tensor, w: Tensor, options: ConvolutionOptions = {}): Tensor {
  checkKeys("conv2d", options, ["stride", "padding", "dilation", "groups"]);
  const attributes = convolutionAttributes("conv2d", options, extentsOf(x), extentsOf(w));
  return conv2dOperation.apply([x, w], attributes);
}

export interface TransposedConvolutionOptions extends ConvolutionOptions {
  /** Rows and columns of the result: with a stride several sizes lead to the same outputs. */
  readonly input: PairOption;
}

/**
 * The adjoint of `conv2d` in its images ("transposed convolution"): from outputs y [N, OH, OW, O] and filters w
 * [O, KH, KW, C / groups] to images [N, H, W, C]. The options are those of the convolution that it turns around.
 * @throws as `conv2d`
 * @example convTranspose2d(features, filters, { input: 28, stride: 2, padding: "same" })
 */
export function convTranspose2d(y: Tensor, w: Tensor, options: TransposedConvolutionOptions): Tensor {
  checkKeys("convTranspose2d", options, ["stride", "padding", "dilation", "groups", "input"]);
  const input = pair(options.input);
  const attributes = convolutionAttributes("convTranspose2d", options, input, extentsOf(w));
  return conv2dInputOperation.apply([y, w], { ...attributes, input });
}

export interface PoolOptions {
  /** Rows and columns of the window. */
  readonly size: PairOption;
  /** Default: the size, so that windows tile the image. */
  readonly stride?: PairOption;
  /** Default "valid". */
  readonly padding?: PaddingOption;
}

/**
 * The greatest element of each window, channel by channel: x [N, H, W, C] to [N, OH, OW, C].
 *
 * The maximum commutes with what rises alike at every place: a ReLU or a bias per channel under it is moved behind it,
 * where fewer elements are left. Values stay the same; where a ReLU made elements of a window equal, its gradient is 0
 * in either order.
 * @throws SlalomError "shape" where the window does not fit, "option" for an unknown option or padding
 * @example maxPool2d(relu(conv2d(x, w)), { size: 2 })
 */
export function maxPool2d(x: Tensor, options: PoolOptions): Tensor {
  checkKeys("maxPool2d", options, ["size", "stride", "padding"]);
  if (x.op === "relu") return relu(maxPool2d(x.inputs[0], options));
  const bias = x.op === "add" ? x.inputs.findIndex(isPerChannel) : -1;
  if (bias >= 0 && !isPerChannel(x.inputs[1 - bias])) {
    const pooled = maxPool2d(x.inputs[1 - bias], options);
    return add(pooled, broadcastAlong(x.inputs[bias].inputs[0], pooled.shape, [3]));
  }
  return maxPool2dOperation.apply([x], poolAttributes("maxPool2d", options, extentsOf(x)));
}

/**
 * The mean of each window, channel by channel, over the elements that exist: padding does not count.
 * @throws as `maxPool2d`
 */
export function averagePool2d(x: Tensor, options: PoolOptions): Tensor {
  checkKeys("averagePool2d", options, ["size", "stride", "padding"]);
  const attributes = poolAttributes("averagePool2d", options, extentsOf(x));
  const sums = sumPool2dOperation.apply([x], attributes);
  if (attributes.padding.flat().every((width) => width === 0))
    return div(sums, attributes.size[0] * attributes.size[1]);
  const counts = sumPool2dOperation.apply([full([1, ...extentsOf(x), 1], 1, x.dtype)], attributes);
  return div(sums, counts);
}

const isPerChannel = (x: Tensor): boolean =>
  x.op === "broadcast" && x.attributes.axes.length === 1 && x.attributes.axes[0] === 3;

/** The extents of rows and columns, of images as of filters. */
function extentsOf(x: Tensor): Pair {
  if (x.shape.length >= 4) return [x.shape.at(-3)!, x.shape.at(-2)!];
  throw new SlalomError(
    "shape",
    `${formatType(x)} where images [N, H, W, C] or filters [O, KH, KW, C] are expected. Reshape, with channels last?`,
  );
}

const pair = (option: PairOption): Pair => (typeof option === "number" ? [option, option] : option);

function convolutionAttributes(
  name: string,
  { stride = 1, padding = "valid", dilation = 1, groups = 1 }: ConvolutionOptions,
  input: Pair,
  kernel: Pair,
): ConvolutionAttributes {
  const window = { stride: pair(stride), size: kernel, dilation: pair(dilation) };
  return { ...windowAttributes(name, padding, input, window), dilation: window.dilation, groups };
}

function poolAttributes(
  name: string,
  { size, stride = size, padding = "valid" }: PoolOptions,
  input: Pair,
): PoolAttributes {
  const window = { stride: pair(stride), size: pair(size), dilation: [1, 1] as const };
  return { ...windowAttributes(name, padding, input, window), size: window.size };
}

function windowAttributes(
  name: string,
  padding: PaddingOption,
  input: Pair,
  { stride, size, dilation }: { stride: Pair; size: Pair; dilation: Pair },
): WindowAttributes {
  if (typeof padding === "number")
    return {
      stride,
      padding: [
        [padding, padding],
        [padding, padding],
      ],
    };
  if (Array.isArray(padding)) return { stride, padding: padding as readonly [Pair, Pair] };
  if (padding !== "valid" && padding !== "same")
    throw new SlalomError(
      "option",
      `${name}: padding ${JSON.stringify(padding)}; expected "valid", "same", a number or [[top, bottom], [left, right]].`,
    );
  const along = (axis: 0 | 1): Pair => {
    if (padding === "valid") return [0, 0];
    const outputs = Math.ceil(input[axis] / stride[axis]);
    const covered = (outputs - 1) * stride[axis] + dilation[axis] * (size[axis] - 1) + 1;
    const width = Math.max(0, covered - input[axis]);
    return [Math.floor(width / 2), Math.ceil(width / 2)];
  };
  return { stride, padding: [along(0), along(1)] };
}
