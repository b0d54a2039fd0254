/**
 * Kernels that libraries compute, and what travels between processes, as functions without arguments: all offsets
 * are known once a plan has its memory.
 */
import { bytesOf, dtypes } from "../../base/dtype.js";
import { invariant } from "../../base/errors.js";
import { sizeOf } from "../../base/shape.js";
import type { FloatArray } from "../../collectives/index.js";
import type { ConvolutionKernel, ExchangeKernel, GemmKernel, Plan } from "../../compile/plan.js";
import type { BoundConvolution, ConvolutionSpec } from "./convolution/index.js";
import type { LibraryKernel } from "./emitPlan.js";
import type { BoundGemm } from "./gemm/index.js";
import type { TravellingSums } from "./travellingSums.js";
import type { WasmMemory } from "./wasm/index.js";

export interface BoundLibraries {
  readonly gemm: BoundGemm;
  readonly convolution: BoundConvolution;
  /** Over the processes, where there are several. */
  readonly sums?: TravellingSums;
  readonly memory: WasmMemory;
}

export function prepareLibraryCall(kernel: LibraryKernel, plan: Plan, bound: BoundLibraries): () => void {
  switch (kernel.kind) {
    case "gemm":
      return prepareProduct(kernel, plan, bound.gemm);
    case "convolution":
      return prepareConvolution(kernel, plan, bound.convolution);
    case "beginAllReduce":
    case "finishAllReduce":
    case "beginReduceScatter":
    case "finishReduceScatter":
    case "beginAllGather":
    case "finishAllGather":
      return prepareExchange(kernel, plan, bound);
  }
}

/** The convolution of one lane, as the libraries are asked for it. */
export function convolutionSpec({
  computes,
  dtype,
  sizes,
  attributes,
  bias,
  relu,
}: ConvolutionKernel): ConvolutionSpec {
  const directions = { y: "forward", x: "input", w: "kernel" } as const;
  return { direction: directions[computes], dtype, ...sizes, ...attributes, bias: bias !== undefined, relu };
}

function prepareConvolution(kernel: ConvolutionKernel, plan: Plan, bound: BoundConvolution): () => void {
  const call = bound.prepare(convolutionSpec(kernel));
  const at = (role: "x" | "w" | "y" | "bias", lane: number): number => {
    const operand = kernel[role];
    return operand === undefined
      ? 0
      : plan.buffers[operand.buffer].offset + lane * operand.laneStride * bytesOf(kernel.dtype);
  };
  const offsets = Array.from({ length: kernel.lanes }, (_, lane) =>
    (["x", "w", "y", "bias"] as const).map((role) => at(role, lane)),
  );
  return () => {
    for (const [x, w, y, bias] of offsets) call(x, w, y, bias);
  };
}

function prepareExchange(kernel: ExchangeKernel, plan: Plan, { sums, memory }: BoundLibraries): () => void {
  const { kind, buffers } = kernel;
  invariant(sums, "a plan for several processes is run by several");
  const arrays = buffers.map((number): FloatArray => {
    const { dtype, shape, offset } = plan.buffers[number];
    return new dtypes[dtype].array(memory.buffer, offset, sizeOf(shape)) as FloatArray;
  });
  const bucket = { buffer: buffers[0], arrays };
  if (kind === "finishAllGather" && kernel.ofStepBefore) return () => sums.finishIfBegun(bucket);
  switch (kind) {
    case "beginAllReduce":
    case "beginReduceScatter":
    case "beginAllGather":
      return () => sums.begin(kind, bucket);
    default:
      return () => sums.finish(bucket);
  }
}

/** The product as a function without arguments: all offsets are known. */
function prepareProduct(kernel: GemmKernel, plan: Plan, bound: BoundGemm): () => void {
  const { dtype, a, b, c, batch, precision } = kernel;
  // The innermost batch dimension is the library's; the others become calls of their own.
  const count = batch.at(-1) ?? 1;
  const call = bound.prepare({
    dtype,
    ...(precision && { precision }),
    m: kernel.m,
    n: kernel.n,
    k: kernel.k,
    transA: a.transposed,
    transB: b.transposed,
    lda: a.leading,
    ldb: b.leading,
    ldc: c.leading,
    beta: kernel.accumulate ? 1 : 0,
    batch: count,
    strideA: a.batchStrides.at(-1) ?? 0,
    strideB: b.batchStrides.at(-1) ?? 0,
    strideC: c.batchStrides.at(-1) ?? 0,
  });
  const offsets = outerOffsets(kernel).map((at) =>
    ([a, b, c] as const).map(
      (operand, i) => plan.buffers[operand.buffer].offset + (operand.offset + at[i]) * bytesOf(dtype),
    ),
  );
  if (offsets.length === 1) {
    const [[atA, atB, atC]] = offsets;
    return () => call(atA, atB, atC);
  }
  return () => {
    for (const [atA, atB, atC] of offsets) call(atA, atB, atC);
  };
}

/** Element offsets of A, B and C for every index of the batch dimensions but the last. */
function outerOffsets({ batch, a, b, c }: GemmKernel): number[][] {
  let offsets = [[0, 0, 0]];
  batch.slice(0, -1).forEach((extent, dimension) => {
    offsets = offsets.flatMap((base) =>
      Array.from({ length: extent }, (_, i) =>
        [a, b, c].map((operand, side) => base[side] + i * operand.batchStrides[dimension]),
      ),
    );
  });
  return offsets;
}
