/**
 * How threads share the results of a reduction. With a folded innermost dimension the threads of a result are neighbours
 * ("rows"); else neighbours work on neighbouring results ("columns"). Either way neighbouring threads read neighbouring
 * elements.
 */
import { sizeOf } from "../../../base/shape.js";
import type { LoopKernel } from "../../../compile/plan.js";
import { chooseLanes } from "./body.js";
import { blockThreads, type Memory } from "./part.js";

export interface FoldMapping {
  readonly layout: "rows" | "columns";
  readonly lanes: number;
  /** Results, or lanes of them, that a block works on, and threads for each: together a block's threads. */
  readonly across: number;
  readonly depth: number;
  /** Blocks for each result, and the iterations of each. */
  readonly slices: number;
  readonly sliceSteps: number;
  /** Iterations of results and of folded dimensions, lanes being one. */
  readonly keptSteps: number;
  readonly foldedSteps: number;
}

/** Blocks that fill any device of today. */
const wantedBlocks = 512;
/** Iterations of a thread below which more blocks cost more than they save. */
const leastIterations = 8;

export const keptOf = ({ extents, reduced }: LoopKernel): number[] => extents.filter((_, d) => !reduced[d]);
const foldedOf = ({ extents, reduced }: LoopKernel): number[] => extents.filter((_, d) => reduced[d]);

export function chooseFoldMapping(kernel: LoopKernel, memory: Memory): FoldMapping {
  const layout = kernel.reduced.at(-1) !== false ? "rows" : "columns";
  const lanes = chooseLanes(kernel, memory);
  const keptSteps = sizeOf(keptOf(kernel)) / (layout === "columns" ? lanes : 1);
  const foldedSteps = sizeOf(foldedOf(kernel)) / (layout === "rows" ? lanes : 1);
  const depth =
    layout === "rows"
      ? depthOfRows(keptSteps, foldedSteps)
      : Math.min(powerFrom(foldedSteps), blockThreads / Math.min(32, powerFrom(keptSteps)));
  const across = blockThreads / depth;
  const most = Math.min(
    wantedBlocks / Math.ceil(keptSteps / across),
    foldedSteps / (depth * leastIterations),
  );
  const sliceSteps = Math.ceil(foldedSteps / Math.max(1, Math.floor(most)));
  const slices = foldedSteps === 0 ? 1 : Math.ceil(foldedSteps / sliceSteps);
  return { layout, lanes, across, depth, slices, sliceSteps, keptSteps, foldedSteps };
}

/** The same with one block for each result. */
export const undivided = (mapping: FoldMapping): FoldMapping => ({
  ...mapping,
  slices: 1,
  sliceSteps: mapping.foldedSteps,
});

/** Threads for each result: a part of a warp, a warp, or a block. */
function depthOfRows(keptSteps: number, foldedSteps: number): number {
  if (foldedSteps <= 32) return powerFrom(foldedSteps);
  return foldedSteps <= 256 || keptSteps >= 1024 ? 32 : blockThreads;
}

/** The least power of two that is not below `count`, up to a block's threads. */
const powerFrom = (count: number): number =>
  Math.min(blockThreads, 2 ** Math.ceil(Math.log2(Math.max(1, count))));
