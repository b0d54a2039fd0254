/**
 * Loops that fold dimensions. Several threads share each result and combine theirs in an order that never changes, through
 * shuffles or shared memory; where there are few results, several blocks share each, leave their parts in scratch memory,
 * and a second stage folds those. No atomic addition: equal inputs give equal bits.
 *
 * With a folded innermost dimension the threads of a result are neighbours ("rows"); else neighbours work on neighbouring
 * results ("columns"). Either way neighbouring threads read neighbouring elements.
 */
import type { DType } from "../../../base/dtype.js";
import { sizeOf, stridesOf } from "../../../base/shape.js";
import type { Combine, LoopKernel } from "../../../compile/plan.js";
import { bodyCode, bufferAddresses, chooseLanes, drawsIn, eachLane, isWide, storeOfLanes } from "./body.js";
import { cType, literal } from "./cTypes.js";
import { type Dimension, indexTypes, indicesFrom, mergedNest, position, titleOf } from "./nest.js";
import { addressOf, block, blockThreads, type Memory, type Part, type Stage } from "./part.js";

interface Mapping {
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
/** Instructions of an iteration up to which several are begun together, so that their loads are under way at once. */
const lightBody = 64;
/** Iterations of a thread below which more blocks cost more than they save. */
const leastIterations = 8;

/** @param kernel with merged dimensions */
export function emitReductions(kernel: LoopKernel, memory: Memory): Stage[] {
  if (sizeOf(keptOf(kernel)) === 0) return [];
  const mapping = chooseMapping(kernel, memory);
  if (mapping.slices === 1) return [[emitFold(kernel, memory, mapping)]];
  const results = sizeOf(keptOf(kernel));
  const parts = kernel.reductions.map(({ value }) =>
    memory.scratch(kernel.body[value].dtype, mapping.slices * results),
  );
  const second = mergedNest(foldOfParts(kernel, parts, mapping.slices));
  return [
    [emitFold(kernel, memory, mapping, parts)],
    [emitFold(second, memory, { ...chooseMapping(second, memory), ...oneSlice(second) })],
  ];
}

const keptOf = ({ extents, reduced }: LoopKernel): number[] => extents.filter((_, d) => !reduced[d]);
const foldedOf = ({ extents, reduced }: LoopKernel): number[] => extents.filter((_, d) => reduced[d]);

function chooseMapping(kernel: LoopKernel, memory: Memory): Mapping {
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

/** Threads for each result: a part of a warp, a warp, or a block. */
function depthOfRows(keptSteps: number, foldedSteps: number): number {
  if (foldedSteps <= 32) return powerFrom(foldedSteps);
  return foldedSteps <= 256 || keptSteps >= 1024 ? 32 : blockThreads;
}

/** The least power of two that is not below `count`, up to a block's threads. */
const powerFrom = (count: number): number =>
  Math.min(blockThreads, 2 ** Math.ceil(Math.log2(Math.max(1, count))));

const oneSlice = (kernel: LoopKernel): Pick<Mapping, "slices" | "sliceSteps"> => ({
  slices: 1,
  sliceSteps: sizeOf(foldedOf(kernel)),
});

/** The kernel that folds what blocks left: [slices, results] for each reduction. */
function foldOfParts(kernel: LoopKernel, parts: readonly number[], slices: number): LoopKernel {
  const kept = keptOf(kernel);
  const isKept = (_: unknown, d: number): boolean => !kernel.reduced[d];
  const results = sizeOf(kept);
  return {
    kind: "loop",
    name: `${kernel.name}, parts`,
    extents: [slices, ...kept],
    reduced: [true, ...kept.map(() => false)],
    body: kernel.reductions.map(({ value }, r) => ({
      op: "load",
      dtype: kernel.body[value].dtype,
      access: { buffer: parts[r], offset: 0, strides: [results, ...stridesOf(kept)] },
    })),
    stores: [],
    reductions: kernel.reductions.map(({ combine, access }, r) => ({
      value: r,
      combine,
      access: { ...access, strides: [0, ...access.strides.filter(isKept)] },
    })),
  };
}

const combines: { readonly [C in Combine]: string } = { sum: "Sum", max: "Greatest", min: "Least" };

/** Shuffles know no bytes. */
const accumulatorType = (dtype: DType): string => (dtype === "uint8" ? "int" : cType[dtype]);

function identityOf(combine: Combine, dtype: DType): string {
  if (combine === "sum") return literal(dtype, 0);
  const sign = combine === "max" ? -1 : 1;
  if (dtype === "uint8") return combine === "max" ? "0" : "255";
  return literal(dtype, dtype === "int32" ? (sign < 0 ? -(2 ** 31) : 2 ** 31 - 1) : sign * Infinity);
}

/** @param parts buffers that take the results of blocks instead of the reductions' own */
function emitFold(kernel: LoopKernel, memory: Memory, mapping: Mapping, parts?: readonly number[]): Part {
  const { layout, lanes, across, depth, slices, sliceSteps, keptSteps, foldedSteps } = mapping;
  const types = indexTypes(isWide(kernel, memory));
  const u = types.unsigned;
  const isRows = layout === "rows";
  const keptBlocks = Math.ceil(keptSteps / across);
  const variables = kernel.extents.map((_, d) => `i${d}`);
  const last = kernel.extents.length - 1;
  const dimensions = kernel.extents.map((extent, d): Dimension => {
    const step = d === last ? lanes : 1;
    return { variable: variables[d], steps: extent / step, step };
  });
  const [kept, folded] = [false, true].map((isFolded) =>
    dimensions.filter((_, d) => kernel.reduced[d] === isFolded),
  );
  const reductions = kernel.reductions.map(({ combine, value, access }, r) => {
    const { dtype } = kernel.body[value];
    const lane = (index: string): string => (lanes === 1 ? `a${r}` : `a${r}.at[${index}]`);
    return { combine: combines[combine], dtype, access, lane, identity: identityOf(combine, dtype), r };
  });

  const start = reductions.map(({ dtype, identity, r, lane }) => {
    const type = accumulatorType(dtype);
    if (lanes === 1) return `${type} a${r} = ${identity};`;
    return `Lanes<${type}, ${lanes}> a${r};\n${eachLane(lanes, `${lane("lane")} = ${identity};`)}`;
  });
  const body = bodyCode({ kernel, memory, lanes, types, variables }, (r, value, index) => {
    const { combine, dtype, lane } = reductions[r];
    return `${lane(index)} = ${combine}::of(${lane(index)}, (${accumulatorType(dtype)})${value});`;
  });
  const own = isRows ? `threadIdx.x % ${depth}u` : `threadIdx.x / ${across}u`;
  const end =
    slices === 1 ? `${foldedSteps}u` : `min(slice * ${sliceSteps}u + ${sliceSteps}u, (${u})${foldedSteps}u)`;
  const loop =
    foldedSteps === 0
      ? []
      : [
          `const ${u} end = ${end};`,
          `#pragma unroll ${kernel.body.length * lanes <= lightBody ? 4 : 1}`,
          block(
            `for (${u} r = slice * ${sliceSteps}u + ${own}; r < end; r += ${depth}u)`,
            [...indicesFrom("r", folded, types), body].join("\n"),
          ),
        ];

  // Lanes are parts of one result, or results of their own.
  const resultLanes = isRows ? 1 : lanes;
  const combined = reductions.flatMap(({ combine, lane, r, dtype }) => {
    const fold = (value: string): string => {
      if (depth === 1) return value;
      if (!isRows) return `foldColumns<${combine}, ${across}, ${depth}>(${value})`;
      return depth === blockThreads
        ? `foldBlock<${combine}, ${blockThreads}>(${value})`
        : `foldNeighbours<${combine}, ${depth}>(${value})`;
    };
    if (resultLanes > 1)
      return depth === 1 ? [] : [eachLane(lanes, `${lane("lane")} = ${fold(lane("lane"))};`)];
    const whole = Array.from({ length: lanes }, (_, i) => lane(`${i}`)).reduce(
      (a, b) => `${combine}::of(${a}, ${b})`,
    );
    return [`const ${accumulatorType(dtype)} result${r} = ${fold(whole)};`];
  });
  const results = sizeOf(keptOf(kernel));
  const store = reductions.map(({ access, dtype, r, lane }) => {
    const buffer = parts ? parts[r] : access.buffer;
    const at = parts
      ? `slice * (${u})${results}u + k${resultLanes === 1 ? "" : ` * ${lanes}u`}`
      : position(access.offset, access.strides, variables);
    if (resultLanes === 1) return `b${buffer}[${at}] = (${cType[dtype]})result${r};`;
    const name = dtype === "uint8" ? `stored${r}` : `a${r}`;
    const stored = `Lanes<${cType[dtype]}, ${lanes}> stored${r};\n${eachLane(
      lanes,
      `stored${r}.at[lane] = (${cType[dtype]})${lane("lane")};`,
    )}\n`;
    const target = parts ? { buffer, offset: 0, strides: [1] } : access;
    return `${name === `a${r}` ? "" : stored}${storeOfLanes(target, lanes, name, at)}`;
  });
  const isFirst =
    depth === 1 ? "" : isRows ? ` && threadIdx.x % ${depth}u == 0` : ` && threadIdx.x < ${across}u`;
  const scratchAddresses = (parts ?? []).map((buffer) => {
    const type = cType[memory.buffers[buffer].dtype];
    return `${type}* const b${buffer} = ${addressOf(memory.buffers[buffer], type)};`;
  });

  return {
    title: titleOf(kernel),
    code: [
      ...bufferAddresses(parts ? { ...kernel, reductions: [] } : kernel, memory),
      ...scratchAddresses,
      `const ${u} slice = ${slices === 1 ? "0" : `block / ${keptBlocks}u`};`,
      `const ${u} k = ${slices === 1 ? "block" : `block % ${keptBlocks}u`} * ${across}u + ${
        isRows ? `threadIdx.x / ${depth}u` : `threadIdx.x % ${across}u`
      };`,
      `const bool isInside = k < ${keptSteps}u;`,
      ...indicesFrom("k", kept, types),
      ...start,
      ...(loop.length > 0 ? [block("if (isInside)", loop.join("\n"))] : []),
      ...combined,
      block(`if (isInside${isFirst})`, store.join("\n")),
    ].join("\n"),
    blocks: keptBlocks * slices,
    sharedBytes: depth > 32 || (!isRows && depth > 1) ? blockThreads * 8 : 0,
    libraries: ["folds", ...(drawsIn(kernel) ? (["random"] as const) : [])],
  };
}
