/**
 * Kernels that one call of a library or one pass over memory does together: a bias and a ReLU with the convolution that
 * they follow, the greatest elements of windows with their places.
 */
import { sameShape, stridesOf } from "../../base/shape.js";
import { kernelEffects, peerAccesses } from "../kernelEffects.js";
import type { Access, ConvolutionKernel, Kernel, LoopKernel, PoolKernel } from "../plan.js";

/** @param isOwn whether a slot is memory that these kernels alone use and nothing outlives */
export const joinKernels = (kernels: readonly Kernel[], isOwn: (slot: number) => boolean): Kernel[] =>
  joinPools(joinEpilogues(kernels, isOwn), isOwn);

/** conv, then max(conv + bias, 0) in a loop that alone reads conv: the convolution does it all. */
function joinEpilogues(kernels: readonly Kernel[], isOwn: (slot: number) => boolean): Kernel[] {
  const result = [...kernels];
  for (const kernel of kernels) {
    if (kernel.kind !== "convolution" || kernel.computes !== "y" || !isOwn(kernel.y.buffer)) continue;
    const readers = result.filter((other) => kernelEffects(other).reads.includes(kernel.y.buffer));
    const [loop] = readers;
    if (readers.length !== 1 || loop.kind !== "loop") continue;
    const epilogue = epilogueOf(kernel, loop);
    if (!epilogue || !isOwn(epilogue.y.buffer)) continue;
    const [from, to] = [result.indexOf(kernel), result.indexOf(loop)];
    const bias = epilogue.bias?.buffer;
    if (bias !== undefined && writtenBetween(result, from, to, bias)) continue;
    result[from] = epilogue;
    result.splice(to, 1);
  }
  return result;
}

/** The convolution with what `loop` does to its outputs; undefined where that is anything but a bias and a ReLU. */
function epilogueOf(kernel: ConvolutionKernel, loop: LoopKernel): ConvolutionKernel | undefined {
  const { extents, body, stores, reductions } = loop;
  const [store] = stores;
  if (stores.length !== 1 || reductions.length > 0 || !isWhole(store.access, extents)) return undefined;
  if (body.some(({ dtype }) => dtype !== kernel.dtype) || peerAccesses(loop).length > 0) return undefined;
  let at = store.value;
  const last = body[at];
  const relu = last.op === "relu";
  if (relu) at = last.inputs[0];
  const sum = body[at];
  const hasBias = sum.op === "add";
  if (!relu && !hasBias) return undefined;
  if (body.length !== (hasBias ? 3 : 1) + Number(relu)) return undefined;
  const operands = hasBias ? sum.inputs.map((input) => body[input]) : [sum];
  const accesses = operands.map((operand) => (operand.op === "load" ? operand.access : undefined));
  const outputs = accesses.find((access) => access?.buffer === kernel.y.buffer && isWhole(access, extents));
  const bias = accesses.find((access) => access !== outputs);
  if (!outputs || (hasBias && !bias)) return undefined;
  const laneStride = bias && biasLaneStride(kernel, bias, extents);
  if (bias && laneStride === undefined) return undefined;
  return {
    ...kernel,
    y: { ...kernel.y, buffer: store.access.buffer },
    ...(bias && { bias: { buffer: bias.buffer, laneStride: laneStride! } }),
    relu,
  };
}

/** Elements from the bias of one lane to the next; undefined where it is no vector over the filters. */
function biasLaneStride(
  { lanes, sizes }: ConvolutionKernel,
  { offset, strides }: Access,
  extents: readonly number[],
): number | undefined {
  const { filters } = sizes;
  const isVector = offset === 0 && extents.at(-1) === filters && (strides.at(-1) === 1 || filters === 1);
  if (!isVector) return undefined;
  const around = strides.slice(0, -1).filter((_, d) => extents[d] > 1);
  if (around.every((stride) => stride === 0)) return 0;
  const isPerLane = lanes > 1 && extents[0] === lanes && around.slice(1).every((stride) => stride === 0);
  return isPerLane && strides[0] === filters ? filters : undefined;
}

/** Whether an access walks a buffer from its first element to its last. */
const isWhole = ({ offset, strides }: Access, extents: readonly number[]): boolean =>
  offset === 0 && stridesOf(extents).every((stride, d) => extents[d] === 1 || stride === strides[d]);

/** Greatest elements and their places, from the same windows: one pass stores both. */
function joinPools(kernels: readonly Kernel[], isOwn: (slot: number) => boolean): Kernel[] {
  const result = [...kernels];
  for (const [i, kernel] of kernels.entries()) {
    if (kernel.kind !== "pool" || kernel.mode !== "max") continue;
    const twin = kernels
      .slice(i + 1)
      .find((other): other is PoolKernel => other.kind === "pool" && areTwins(kernel, other));
    const added = twin && (twin.target ?? twin.index!);
    if (!twin || !isOwn(added!)) continue;
    const [from, to] = [result.indexOf(kernel), result.indexOf(twin)];
    if (from < 0 || to < 0 || writtenBetween(result, from, to, kernel.source)) continue;
    result[from] = { ...twin, ...kernel, name: `${kernel.name} ${twin.name}` };
    result.splice(to, 1);
  }
  return result;
}

/** Whether one finds the greatest elements of the windows whose places the other finds. */
const areTwins = (a: PoolKernel, b: PoolKernel): boolean =>
  b.mode === "max" &&
  a.source === b.source &&
  (a.target === undefined) !== (b.target === undefined) &&
  (a.index === undefined) !== (b.index === undefined) &&
  sameShape(windowOf(a), windowOf(b));

const windowOf = ({ attributes: { size, stride, padding } }: PoolKernel): number[] => [
  ...size,
  ...stride,
  ...padding.flat(),
];

const writtenBetween = (kernels: readonly Kernel[], from: number, to: number, slot: number): boolean =>
  kernels.slice(from + 1, to).some((kernel) => kernelEffects(kernel).writes.includes(slot));
