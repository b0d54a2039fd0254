/** Parts that one launch runs side by side, each on blocks of its own; those of a sequence on the same one, in levels. */
import type { Launch } from "../commands.js";
import { block, blocksAtOnce, blockThreads, indented, type Part } from "./part.js";

export interface EmittedLaunch extends Launch {
  /** What its blocks do, those of the first part first. */
  readonly parts: readonly LaunchPart[];
}

export interface LaunchPart extends Pick<Part, "title" | "blocks" | "computes"> {
  /** It is done by the block of the part before it. */
  readonly shares: boolean;
}

/** Parts in levels, one after another, each of as many blocks. */
export type PartSequence = readonly (readonly Part[])[];

/** The launch, and the functions that it needs in the source, its own one last. */
export function emitLaunch(
  kernel: string,
  sequences: readonly PartSequence[],
): { readonly launch: EmittedLaunch; readonly functions: readonly string[] } {
  const parts = sequences.flat(2);
  const nameOf = (part: Part): string =>
    parts.length === 1 ? `${kernel}_part` : `${kernel}_part${parts.indexOf(part)}`;
  const functions = parts.map((part) => {
    const parameters = "unsigned char* arena, unsigned block, unsigned thread, unsigned* step";
    const head = `__device__ __forceinline__ void ${nameOf(part)}(${parameters})`;
    return `// ${part.title}\n${block(head, part.code)}\n`;
  });
  let before = 0;
  const branches = sequences.map((sequence, i) => {
    const own = before === 0 ? "blockIdx.x" : `blockIdx.x - ${before}u`;
    before += sequence[0][0].blocks;
    const code = sequenceCode(sequence, nameOf, own);
    return i === sequences.length - 1 ? code : block(`if (blockIdx.x < ${before}u)`, `${code}\nreturn;`);
  });
  const parameters = "unsigned char* arena, unsigned int* step";
  const head = `extern "C" __global__ void __launch_bounds__(${blockThreads}, ${blocksAtOnce}) ${kernel}(${parameters})`;
  return {
    launch: {
      kind: "launch",
      kernel,
      grid: before,
      block: blockThreads,
      sharedBytes: Math.max(...parts.map(({ sharedBytes }) => sharedBytes)),
      parts: sequences.flatMap((sequence) =>
        sequence.flat().map(({ title, blocks, computes }, i) => ({
          title,
          blocks,
          shares: i > 0,
          ...(computes && { computes }),
        })),
      ),
    },
    functions: [...functions, `${head} {\n${indented(branches.join("\n"))}\n}\n`],
  };
}

/** Calls of all parts. What threads of a block wrote before they met all of them see afterwards. */
function sequenceCode(sequence: PartSequence, nameOf: (part: Part) => string, own: string): string {
  const call = (part: Part, thread: string): string => `${nameOf(part)}(arena, ${own}, ${thread}, step);`;
  if (sequence.flat().length === 1) return call(sequence[0][0], "threadIdx.x");
  const levels = sequence.map((level) => {
    let next = 0;
    // Parts of few threads wait for memory side by side, each on warps of its own.
    const calls = level.map((part) => {
      if (part.threads === undefined) return call(part, "threadIdx.x");
      const threads = Math.ceil(part.threads / warpThreads) * warpThreads;
      const first = next + threads > blockThreads ? 0 : next;
      next = first + threads;
      return `if (threadIdx.x >= ${first}u && threadIdx.x < ${next}u) ${call(part, `threadIdx.x - ${first}u`)}`;
    });
    return calls.join("\n");
  });
  return levels.join("\n__syncthreads();\n");
}

const warpThreads = 32;
