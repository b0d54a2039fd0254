/** Convolutions where no library makes them: products whose operands are read out of images and outputs as they lie. */
import { stridesOf } from "../../../base/shape.js";
import type { ConvolutionKernel, ConvolutionOperand } from "../../../compile/plan.js";
import type { ProductPrecision } from "../products.js";
import { cType } from "./cTypes.js";
import { addressOf, type Memory, type Stage } from "./part.js";
import { emitTiledProduct, roundingOf, type TiledProduct, widthOf } from "./tiledProduct.js";

/** Each lane and group is a product of its own; the group is the faster index of `batch`. */
export function emitConvolution(
  kernel: ConvolutionKernel,
  memory: Memory,
  precision: ProductPrecision,
): Stage[] {
  const { computes, dtype, attributes, lanes, sizes, name } = kernel;
  const shape = [sizes.images, sizes.height, sizes.width, sizes.channels].join("x");
  const window = [sizes.filters, sizes.kernelHeight, sizes.kernelWidth].join("x");
  return emitTiledProduct(
    {
      title: `${name} ${shape} * ${window}`,
      dtype,
      batches: lanes * attributes.groups,
      rounding: roundingOf(dtype, attributes.precision, precision),
      libraries: ["convolutions"],
      kernel,
      ...roles[computes](codeOf(kernel, memory)),
    },
    memory,
  );
}

type RoleOfProduct = Pick<TiledProduct, "rows" | "columns" | "depth" | "operands" | "result" | "divisible">;

/** Numbers of one group, and code that all roles share. */
interface ConvolutionCode {
  readonly kernel: ConvolutionKernel;
  readonly type: string;
  readonly channels: number;
  readonly filters: number;
  /** Of the window, with their channels. */
  readonly taps: number;
  readonly positions: number;
  readonly pixels: number;
  /** Channels, filters and taps that one load or store takes. */
  readonly widths: { readonly x: number; readonly y: number; readonly w: number };
  /** Declares `window`, `x`, `w`, `y` and `bias`: where the batch's own parts begin. */
  readonly declarations: readonly string[];
}

function codeOf(kernel: ConvolutionKernel, memory: Memory): ConvolutionCode {
  const { sizes, attributes, dtype, computes } = kernel;
  const { groups, stride, padding, dilation } = attributes;
  const type = cType[dtype];
  const channels = sizes.channels / groups;
  const filters = sizes.filters / groups;
  const taps = sizes.kernelHeight * sizes.kernelWidth * channels;
  const window = [
    ...[sizes.height, sizes.width, channels, sizes.kernelHeight, sizes.kernelWidth],
    ...[sizes.outputHeight, sizes.outputWidth, filters, ...stride, padding[0][0], padding[1][0], ...dilation],
    ...[sizes.channels, sizes.filters],
  ];
  const start = (name: string, operand: ConvolutionOperand, perGroup: number): string => {
    const of = name === computes ? type : `const ${type}`;
    const moved = `lane * ${operand.laneStride}ll + group * ${perGroup}ll`;
    return `${of}* const ${name} = ${addressOf(memory.buffers[operand.buffer], of)} + ${moved};`;
  };
  return {
    kernel,
    type,
    channels,
    filters,
    taps,
    positions: sizes.images * sizes.outputHeight * sizes.outputWidth,
    pixels: sizes.images * sizes.height * sizes.width,
    widths: {
      x: widthOf(dtype, [channels, sizes.channels, kernel.x.laneStride]),
      y: widthOf(dtype, [filters, sizes.filters, kernel.y.laneStride]),
      w: widthOf(dtype, [channels, kernel.w.laneStride]),
    },
    declarations: [
      `const unsigned group = batch % ${groups}u, lane = batch / ${groups}u;`,
      `const Window window = {${window.join(", ")}};`,
      start("x", kernel.x, channels),
      start("w", kernel.w, filters * taps),
      start("y", kernel.y, filters),
      kernel.bias ? start("bias", kernel.bias, filters) : `const ${type}* const bias = nullptr;`,
    ],
  };
}

const roles: { readonly [R in ConvolutionKernel["computes"]]: (code: ConvolutionCode) => RoleOfProduct } = {
  /** [positions, taps] x [taps, filters] */
  y: ({ kernel, type, filters, taps, positions, widths, declarations }) => ({
    rows: positions,
    columns: filters,
    depth: taps,
    operands: [
      ...declarations,
      `const PatchesByPosition<${type}, ${widths.x}> left = {{x, window, ${positions}}};`,
      `const MatrixOperand<${type}, true, ${widths.w}> right = {w, ${filters}, ${taps}ll, 1ll};`,
    ].join("\n"),
    result: `const OutputResult<${type}, ${widths.y}> result = {{y, ${positions}, ${filters}, ${kernel.sizes.filters}ll, false}, bias, ${kernel.relu}};`,
    ...(!kernel.bias && !kernel.relu && { divisible: divisibleImages(kernel, "y", [positions, filters]) }),
  }),
  /** [pixels, places filters] x [places filters, channels] */
  x: ({ kernel, type, channels, filters, pixels, widths, declarations }) => ({
    rows: pixels,
    columns: channels,
    depth: kernel.sizes.kernelHeight * kernel.sizes.kernelWidth * filters,
    operands: [
      ...declarations,
      `const SpreadOperand<${type}, ${widths.y}> left = {y, window, ${pixels}};`,
      `const FilterOperand<${type}, ${widths.w}> right = {w, window};`,
    ].join("\n"),
    result: `const MatrixResult<${type}, ${widths.x}> result = {x, ${pixels}, ${channels}, ${kernel.sizes.channels}ll, false};`,
    divisible: divisibleImages(kernel, "x", [pixels, channels]),
  }),
  /** [filters, positions] x [positions, taps] */
  w: ({ kernel, type, filters, taps, positions, widths, declarations }) => ({
    rows: filters,
    columns: taps,
    depth: positions,
    operands: [
      ...declarations,
      `const MatrixOperand<${type}, false, ${widths.y}> left = {y, ${filters}, 1ll, ${kernel.sizes.filters}ll};`,
      `const PatchesByTap<${type}, ${widths.x}> right = {{x, window, ${taps}}};`,
    ].join("\n"),
    result: `const MatrixResult<${type}, ${widths.w}> result = {w, ${filters}, ${taps}, ${taps}ll, false};`,
    divisible: divisibleFilters(kernel, [kernel.lanes, kernel.attributes.groups, filters, taps]),
  }),
};

/** Where filters [lanes, groups, filters of a group, taps] belong. */
const divisibleFilters = (
  { w, name }: ConvolutionKernel,
  shape: readonly number[],
): TiledProduct["divisible"] => ({
  name: `${name}, parts`,
  shape,
  place: { buffer: w.buffer, offset: 0, strides: [w.laneStride, ...stridesOf(shape).slice(1)] },
});

/** Where images or outputs belong: [lanes, groups, pixels, channels of a group], the channels of all groups side by side. */
const divisibleImages = (
  { name, lanes, attributes: { groups }, ...kernel }: ConvolutionKernel,
  role: "x" | "y",
  [pixels, channels]: readonly [number, number],
): TiledProduct["divisible"] => ({
  name: `${name}, parts`,
  shape: [lanes, groups, pixels, channels],
  place: {
    buffer: kernel[role].buffer,
    offset: 0,
    strides: [kernel[role].laneStride, channels, groups * channels, 1],
  },
});
