/**
 * scatterAdd: a first stage clears the target and links updates that have the same index; a second adds each chain up.
 * Linking looks at all pairs of updates, count^2 comparisons; adding reads each update once.
 */
import type { ScatterAddKernel } from "../../../compile/plan.js";
import { cType } from "./cTypes.js";
import { addressOf, block, blockThreads, type Memory, type Part, type Stage } from "./part.js";

export function emitScatterAdd(kernel: ScatterAddKernel, memory: Memory): Stage[] {
  const { dtype, outer, count, extent, inner, name } = kernel;
  const elements = outer * extent * inner;
  if (elements === 0) return [];
  const type = cType[dtype];
  const address = (buffer: number, of: string): string => addressOf(memory.buffers[buffer], of);
  const target = `${type}* const target = ${address(kernel.target, type)};`;
  const each = (total: number, body: string): Pick<Part, "code" | "blocks"> => ({
    code: block(
      `if (const unsigned long long t = block * ${blockThreads}ull + threadIdx.x; t < ${total}ull)`,
      body,
    ),
    blocks: Math.ceil(total / blockThreads),
  });
  const clearing = each(elements, "target[t] = 0;");
  const clear: Part = {
    ...clearing,
    title: `${name}, clear`,
    code: `${target}\n${clearing.code}`,
    sharedBytes: 0,
    libraries: [],
  };
  if (count === 0) return [{ parts: [clear], reads: [], writes: [kernel.target] }];

  const [next, isFirst] = [0, 1].map(() => memory.scratch("int32", count));
  const indices = `const int* const indices = ${address(kernel.indices, "const int")};`;
  const chains = [
    `int* const next = ${address(next, "int")};`,
    `int* const isFirst = ${address(isFirst, "int")};`,
  ];
  const link: Part = {
    title: `${name}, link ${count}`,
    code: [
      indices,
      ...chains,
      `linkUpdates<${blockThreads}>(indices, block * ${blockThreads} + threadIdx.x, ${count}, ${extent}, next, isFirst);`,
    ].join("\n"),
    blocks: Math.ceil(count / blockThreads),
    sharedBytes: blockThreads * 4,
    libraries: ["folds", "scatter"],
  };
  const adding = each(
    outer * count * inner,
    [
      `const int i = t % ${inner}u, n = t / ${inner}u % ${count}u;`,
      `const long long o = t / ${inner * count}u;`,
      `if (isFirst[n])`,
      `  target[(o * ${extent} + clampIndex(indices[n], ${extent})) * ${inner} + i] =`,
      `    chainSum(updates, next, o, n, i, ${count}, ${inner});`,
    ].join("\n"),
  );
  const add: Part = {
    ...adding,
    title: `${name} ${outer}x${count}x${inner} into ${extent}`,
    code: [
      target,
      indices,
      `const ${type}* const updates = ${address(kernel.updates, `const ${type}`)};`,
      ...chains,
      adding.code,
    ].join("\n"),
    sharedBytes: 0,
    libraries: ["folds", "scatter"],
    computes: kernel,
  };
  return [
    { parts: [clear, link], reads: [kernel.indices], writes: [kernel.target, next, isFirst] },
    { parts: [add], reads: [kernel.updates, kernel.indices, next, isFirst], writes: [kernel.target] },
  ];
}
