/**
 * The plan as one rank runs it: accesses to the private buffers of every rank become buffers of their own, loops that
 * processes divide keep this process' part, those that store to shared memory this rank's share, and the rank's number is
 * a number.
 */
import { bytesOf } from "../base/dtype.js";
import { partOf } from "../base/parts.js";
import { sizeOf } from "../base/shape.js";
import { type Box, boxesOf } from "./boxes.js";
import { kernelEffects, type Place, withPlaces } from "./kernelEffects.js";
import type { GemmKernel, GemmOperand, Kernel, LoopKernel, Plan, PlanBuffer, PlanEntry } from "./plan.js";

/**
 * A plan without ranks: private buffers number `rank`'s, peers are buffers, and traces are rank 0's alone. Buffer
 * `b` of the whole plan is buffer `rank * plan.buffers.length + b` here.
 * @param rank a thread of this process
 * @param process this one's number
 */
export function planForRank(plan: Plan, rank: number, process = 0): Plan {
  if (plan.ranks * plan.processes === 1) return plan;
  const numberOfRank = process * plan.ranks + rank;
  const { buffers, privateBytes } = plan;
  const count = buffers.length;
  const numbered = (buffer: number, of = rank): number => of * count + buffer;
  const numberedPlace = <P extends Place>({ peer, ...place }: P): P =>
    ({ ...place, buffer: numbered(place.buffer, peer) }) as unknown as P;
  const entry = ({ kernels, traces, inParts }: PlanEntry): PlanEntry => ({
    kernels: kernels
      .flatMap((kernel) => partsOfProcess(kernel, { rank: process, size: plan.processes }))
      .flatMap((kernel) => shareOf(kernel, plan, rank))
      .map((share) => withPlaces(numberedRank(share, numberOfRank), numberedPlace)),
    ...(inParts && { inParts: inParts.map((buffer) => numbered(buffer)) }),
    traces:
      rank === 0
        ? traces.map((trace) => ({
            ...trace,
            source: numbered(trace.source),
            target: numbered(trace.target),
          }))
        : [],
  });
  return {
    ...plan,
    buffers: Array.from({ length: plan.ranks }, (_, of) =>
      buffers.map((buffer) => ({
        ...buffer,
        offset: buffer.offset + of * bytesToNext(buffer, privateBytes),
      })),
    ).flat(),
    constants: plan.constants.map(({ buffer, data }) => ({ buffer: numbered(buffer), data })),
    entries: Object.fromEntries(Object.entries(plan.entries).map(([name, e]) => [name, entry(e)])),
  };
}

/** Bytes from one rank's copy of a buffer to the next one's. */
function bytesToNext({ scope, shape, dtype }: PlanBuffer, privateBytes: number): number {
  return { shared: 0, private: privateBytes, stacked: sizeOf(shape) * bytesOf(dtype) }[scope];
}

/** What a process runs of a kernel: all of it, or its part of a loop. */
function partsOfProcess(
  kernel: Kernel,
  process: { readonly rank: number; readonly size: number },
): readonly Kernel[] {
  if (kernel.kind !== "loop" || !kernel.inParts) return [kernel];
  const { inParts: _divided, ...whole } = kernel;
  return boxesOf(kernel.extents, partOf(sizeOf(kernel.extents), process)).map((box) => inBox(whole, box));
}

/** Iterations below which sharing a loop costs more than it saves. */
const smallestShared = 4096;

/** What this rank runs of a kernel: all of it, a part of a loop, or nothing. */
function shareOf(kernel: Kernel, { buffers, ranks }: Plan, rank: number): Kernel[] {
  if (kernel.kind === "gemm" && kernel.divided) return partOfProduct(kernel, kernel.divided, ranks, rank);
  const storesShared = kernelEffects(kernel).writes.some((buffer) => buffers[buffer].scope === "shared");
  if (!storesShared) return [kernel];
  const splits =
    kernel.kind === "loop" && kernel.reductions.length === 0 && sizeOf(kernel.extents) >= smallestShared;
  if (!splits) return rank === 0 ? [kernel] : [];
  const [long] = kernel.extents.flatMap((extent, d) => (extent >= longExtent(ranks) ? [d] : []));
  const dimension = long ?? kernel.extents.indexOf(Math.max(...kernel.extents));
  const [start, stop] = rangeOf(kernel.extents[dimension], ranks, rank);
  if (start === stop) return [];
  const first = kernel.extents.map((_, d) => (d === dimension ? start : 0));
  return [inBox(kernel, { first, extents: kernel.extents.with(dimension, stop - start) })];
}

const lineElements = 16;

/** An extent that ranks share about evenly, so that each has memory in one piece if it is an outer one. */
const longExtent = (ranks: number): number => 16 * lineElements * ranks;

/** The indices that are this rank's: whole cache lines of them, so that two ranks never store to the same one. */
function rangeOf(extent: number, ranks: number, rank: number): [start: number, stop: number] {
  const share = Math.ceil(extent / ranks / lineElements) * lineElements;
  return [Math.min(extent, rank * share), Math.min(extent, (rank + 1) * share)];
}

function partOfProduct(
  { divided: _all, ...kernel }: GemmKernel,
  divided: "rows" | "columns",
  ranks: number,
  rank: number,
): GemmKernel[] {
  const { m, n, a, b, c } = kernel;
  const [start, stop] = rangeOf(divided === "rows" ? m : n, ranks, rank);
  if (start === stop) return [];
  const moved = (operand: GemmOperand, elements: number): GemmOperand => ({
    ...operand,
    offset: operand.offset + elements,
  });
  const rowsOf = (operand: GemmOperand, isContiguous: boolean): GemmOperand =>
    moved(operand, start * (isContiguous ? 1 : operand.leading));
  return divided === "rows"
    ? [{ ...kernel, m: stop - start, a: rowsOf(a, a.transposed), c: rowsOf(c, false) }]
    : [{ ...kernel, n: stop - start, b: rowsOf(b, !b.transposed), c: rowsOf(c, true) }];
}

/** The iterations of a box. */
function inBox(kernel: LoopKernel, { first, extents }: Box): LoopKernel {
  const moved = <A extends { readonly offset: number; readonly strides: readonly number[] }>(
    access: A,
  ): A => ({
    ...access,
    offset: access.strides.reduce((at, stride, d) => at + first[d] * stride, access.offset),
  });
  return {
    ...kernel,
    extents,
    body: kernel.body.map((instruction) => {
      if (instruction.op === "index") return moved(instruction);
      return "access" in instruction ? { ...instruction, access: moved(instruction.access) } : instruction;
    }),
    stores: kernel.stores.map((store) => ({ ...store, access: moved(store.access) })),
  };
}

function numberedRank(kernel: Kernel, rank: number): Kernel {
  if (kernel.kind !== "loop") return kernel;
  return {
    ...kernel,
    body: kernel.body.map((instruction) => {
      if (instruction.op !== "index") return instruction;
      const { perRank = 0, ...index } = instruction;
      return { ...index, offset: index.offset + perRank * rank };
    }),
  };
}
