/** Loops that fold nothing: each thread computes a few neighbouring elements, and others a whole grid further on. */
import { bytesOf } from "../../../base/dtype.js";
import { sizeOf } from "../../../base/shape.js";
import type { LoopKernel } from "../../../compile/plan.js";
import { bodyCode, bufferAddresses, chooseLanes, drawsIn, isWide } from "./body.js";
import { type Dimension, indexTypes, indicesFrom, titleOf } from "./nest.js";
import { block, blockThreads, type Memory, type Part } from "./part.js";

/** Blocks beyond these bring no more parallelism: threads go round instead. */
const mostBlocks = 2048;

/** @param kernel with merged dimensions, of which none is empty */
export function emitElements(kernel: LoopKernel, memory: Memory): Part {
  const lanes = chooseLanes(kernel, memory);
  const steps = sizeOf(kernel.extents) / lanes;
  const blocks = Math.min(Math.ceil(steps / blockThreads), mostBlocks);
  const types = indexTypes(isWide(kernel, memory));
  const variables = kernel.extents.map((_, d) => `i${d}`);
  const dimensions = kernel.extents.map((extent, d) => {
    const step = d === kernel.extents.length - 1 ? lanes : 1;
    return { variable: variables[d], steps: extent / step, step };
  });
  const across = transposedDimension(kernel);
  const tiled = across === undefined ? undefined : tileOf(kernel, memory, dimensions, across);
  const body = [
    ...indicesFrom("t", tiled ? tiled.dimensions : dimensions, types),
    ...(tiled ? tiled.sums.map((sum) => `const ${types.signed} ${sum};`) : []),
    bodyCode({ kernel, memory, lanes, types, variables }, () => ""),
  ].join("\n");
  const first = `${types.unsigned} t = ${blocks === 1 ? "thread" : `block * ${blockThreads}u + threadIdx.x`}`;
  const loop =
    blocks * blockThreads >= steps
      ? block(`if (const ${first}; t < ${steps}u)`, body)
      : block(`for (${first}; t < ${steps}u; t += ${blocks * blockThreads}u)`, body);
  return {
    title: titleOf(kernel),
    code: [...bufferAddresses(kernel, memory), loop].join("\n"),
    blocks,
    ...(blocks === 1 && { threads: steps }),
    sharedBytes: 0,
    libraries: drawsIn(kernel) ? ["random"] : [],
    computes: kernel,
  };
}

/** A dimension along which something is read that lies contiguous there, and not along the innermost one. */
function transposedDimension({ body, extents }: LoopKernel): number | undefined {
  for (const instruction of body) {
    if (instruction.op !== "load") continue;
    const { strides } = instruction.access;
    const d = strides.indexOf(1);
    if (d >= 0 && d < extents.length - 1 && strides.at(-1)! > 1) return d;
  }
  return undefined;
}

/** What memory moves at a time: reading less of it wastes the rest. */
const sectorBytes = 32;

/**
 * Steps in an order in which the threads of a warp cover a rectangle of the innermost dimension and the one that is read
 * transposed, whole sectors of both; undefined where their extents do not divide into such.
 */
function tileOf(
  { extents, stores }: LoopKernel,
  { buffers }: Memory,
  dimensions: readonly Dimension[],
  across: number,
): { readonly dimensions: Dimension[]; readonly sums: string[] } | undefined {
  const last = extents.length - 1;
  const bytes = bytesOf(buffers[stores[0].access.buffer].dtype);
  const [inner, outer] = [dimensions[last], dimensions[across]];
  const width = Math.max(1, sectorBytes / (inner.step * bytes));
  const height = 32 / width;
  if (inner.steps % width !== 0 || outer.steps % height !== 0) return undefined;
  const split = ({ variable, steps, step }: Dimension, count: number): [Dimension, Dimension] => [
    { variable: `${variable}Tile`, steps: steps / count, step: step * count },
    { variable: `${variable}InTile`, steps: count, step },
  ];
  const [innerTile, innerRest] = split(inner, width);
  const [outerTile, outerRest] = split(outer, height);
  return {
    dimensions: [
      ...dimensions.slice(0, last).map((dimension, d) => (d === across ? outerTile : dimension)),
      innerTile,
      outerRest,
      innerRest,
    ],
    sums: [inner, outer].map(({ variable }) => `${variable} = ${variable}Tile + ${variable}InTile`),
  };
}
