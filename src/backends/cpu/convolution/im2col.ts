/**
 * Convolution as matrix products: the patch under each position of the window becomes a row of a matrix, some rows of
 * outputs at a time so that the matrix stays in a cache. Works over any library of products, in both dtypes.
 *
 *     outputs [rows, O] = patches [rows, KH KW C] x filters^T     and its two adjoints
 */
import { bytesOf } from "../../../base/dtype.js";
import type { BoundGemm, GemmSpec } from "../gemm/index.js";
import { guarded } from "./guard.js";
import { instantiatePatches, type Patches } from "./patches.js";
import type { BoundConvolution, ConvolutionCall, ConvolutionLibrary, ConvolutionSpec } from "./types.js";

/** The matrix of patches may take this much: about an L2 cache. */
const patchesBytes = 1 << 20;

export const im2colConvolution = (): ConvolutionLibrary => ({
  name: "im2col",
  title: "im2col",
  version: "",
  path: "",
  workspaceBytes: (specs) =>
    specs.reduce((most, spec) => Math.max(most, isPlainProduct(spec) ? 0 : blockOf(spec).bytes), 0),
  bind(memory, workspace, gemm): BoundConvolution {
    return {
      prepare(spec) {
        const patches = instantiatePatches(memory, spec);
        const call = isPlainProduct(spec)
          ? asProduct(spec, gemm, patches)
          : overBlocks(spec, gemm, patches, workspace);
        return guarded(spec, memory.buffer.byteLength, call);
      },
      // Its modules are the garbage collector's.
      release() {},
    };
  },
});

/** Each output sees one pixel: the images are the patches. */
const isPlainProduct = ({ kernelHeight, kernelWidth, stride, padding, groups }: ConvolutionSpec): boolean =>
  kernelHeight * kernelWidth === 1 &&
  stride.every((step) => step === 1) &&
  padding.flat().every((width) => width === 0) &&
  groups === 1;

/** Rows of outputs, over all images, whose patches are gathered at a time. */
function blockOf(spec: ConvolutionSpec): { rows: number; bytes: number } {
  const { images, outputHeight, outputWidth, kernelHeight, kernelWidth, channels, groups } = spec;
  const rowBytes = (outputWidth * kernelHeight * kernelWidth * channels * bytesOf(spec.dtype)) / groups;
  const rows = Math.max(1, Math.min(images * outputHeight, Math.floor(patchesBytes / rowBytes)));
  return { rows, bytes: Math.ceil((rows * rowBytes) / 64) * 64 };
}

function asProduct(spec: ConvolutionSpec, gemm: BoundGemm, patches: Patches): ConvolutionCall {
  const positions = spec.images * spec.outputHeight * spec.outputWidth;
  const product = gemm.prepare(productOf(spec, positions, false));
  return (x, w, y, bias) => {
    callInOrder(spec, product, x, w, y);
    if (spec.direction === "forward") patches.finish(y, bias ?? 0, positions);
  };
}

function overBlocks(
  spec: ConvolutionSpec,
  gemm: BoundGemm,
  patches: Patches,
  workspace: number,
): ConvolutionCall {
  const { direction, groups, filters, outputWidth, outputHeight, images, channels } = spec;
  const bytes = bytesOf(spec.dtype);
  const block = blockOf(spec).rows;
  const total = images * outputHeight;
  const prepare = (rows: number, accumulate: boolean) =>
    gemm.prepare(productOf(spec, rows * outputWidth, accumulate));
  const whole = prepare(Math.min(block, total), false);
  const adding = direction === "kernel" && total > block ? prepare(block, true) : whole;
  const left = total % block;
  const last = left > 0 && total > block ? prepare(left, direction === "kernel") : whole;
  const groupFilterBytes =
    ((filters / groups) * spec.kernelHeight * spec.kernelWidth * channels * bytes) / groups;
  return (x, w, y, bias) => {
    if (direction === "input") patches.clear(x);
    for (let group = 0; group < groups; group++) {
      const wOfGroup = w + group * groupFilterBytes;
      const channel = (group * channels) / groups;
      for (let row = 0; row < total; row += block) {
        const rows = Math.min(block, total - row);
        const outputs = y + (row * outputWidth * filters + (group * filters) / groups) * bytes;
        const product = rows < block ? last : row === 0 ? whole : adding;
        if (direction === "input") {
          callInOrder(spec, product, workspace, wOfGroup, outputs);
          patches.scatter(workspace, x, row, rows, channel);
        } else {
          patches.gather(x, workspace, row, rows, channel);
          callInOrder(spec, product, workspace, wOfGroup, outputs);
        }
      }
    }
    if (direction === "forward") patches.finish(y, bias ?? 0, total * outputWidth);
  };
}

/** The product of one group over `positions` positions of the window. */
function productOf(spec: ConvolutionSpec, positions: number, accumulate: boolean): GemmSpec {
  const { direction, filters, groups, channels, kernelHeight, kernelWidth } = spec;
  const { dtype, precision } = spec;
  const elements = { dtype, ...(precision && { precision }) };
  const outputs = filters / groups;
  const taps = (kernelHeight * kernelWidth * channels) / groups;
  switch (direction) {
    case "forward":
      return { ...elements, m: positions, n: outputs, k: taps, transB: true, ldc: filters };
    case "input":
      return { ...elements, m: positions, n: taps, k: outputs, lda: filters };
    case "kernel":
      return {
        ...elements,
        m: outputs,
        n: taps,
        k: positions,
        transA: true,
        lda: filters,
        beta: accumulate ? 1 : 0,
      };
  }
}

/** The operands of the product of each direction, in the order of A, B, C. */
function callInOrder(
  { direction }: ConvolutionSpec,
  product: (a: number, b: number, c: number) => void,
  patches: number,
  w: number,
  y: number,
): void {
  if (direction === "forward") product(patches, w, y);
  else if (direction === "input") product(y, w, patches);
  else product(y, patches, w);
}
