/** Loops that fold nothing: each thread computes a few neighbouring elements, and others a whole grid further on. */
import { sizeOf } from "../../../base/shape.js";
import type { LoopKernel } from "../../../compile/plan.js";
import { bodyCode, bufferAddresses, chooseLanes, drawsIn, isWide } from "./body.js";
import { indexTypes, indicesFrom, titleOf } from "./nest.js";
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
  const body = [
    ...indicesFrom("t", dimensions, types),
    bodyCode({ kernel, memory, lanes, types, variables }, () => ""),
  ].join("\n");
  const first = `${types.unsigned} t = block * ${blockThreads}u + threadIdx.x`;
  const loop =
    blocks * blockThreads >= steps
      ? block(`if (const ${first}; t < ${steps}u)`, body)
      : block(`for (${first}; t < ${steps}u; t += ${blocks * blockThreads}u)`, body);
  return {
    title: titleOf(kernel),
    code: [...bufferAddresses(kernel, memory), loop].join("\n"),
    blocks,
    sharedBytes: 0,
    libraries: drawsIn(kernel) ? ["random"] : [],
  };
}
