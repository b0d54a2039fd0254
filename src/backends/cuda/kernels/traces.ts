/** The end of a step: what is traced goes to its place among the steps of the run, and the step is counted. */
import { bytesOf } from "../../../base/dtype.js";
import type { PlanBuffer, PlanEntry } from "../../../compile/plan.js";
import { cType } from "./cTypes.js";
import { addressOf, block, blockThreads, type Part, type Stage } from "./part.js";

/** Title of the part that counts the step. */
export const endTitle = "end of the step";

/** Elements beyond which a trace is copied by many blocks. */
const largeTrace = 8192;

interface Trace {
  readonly name: string;
  readonly type: string;
  readonly source: PlanBuffer;
  readonly target: PlanBuffer;
  /** Their numbers. */
  readonly from: number;
  readonly to: number;
  readonly elements: number;
}

function tracesOf(entry: PlanEntry, buffers: readonly PlanBuffer[]): Trace[] {
  return entry.traces
    .filter(({ bytes }) => bytes > 0)
    .map(({ name, source, target, bytes }) => ({
      name,
      type: cType[buffers[source].dtype],
      source: buffers[source],
      target: buffers[target],
      from: source,
      to: target,
      elements: bytes / bytesOf(buffers[source].dtype),
    }));
}

/** What ends a step: large traces, each by many blocks; behind them all others, and the step is counted. */
export function emitEnd(entry: PlanEntry, buffers: readonly PlanBuffer[]): Stage[] {
  const { traces } = entry;
  const large = tracesOf(entry, buffers).filter(({ elements }) => elements > largeTrace);
  return [
    ...large.map((trace) => ({
      parts: [copiedByBlocks(trace)],
      reads: [trace.from],
      writes: [trace.to],
    })),
    {
      parts: [counted(entry, buffers)],
      reads: traces.map(({ source }) => source),
      // What is copied by others too: whoever copies reads the number of the step before it is counted.
      writes: traces.map(({ target }) => target),
    },
  ];
}

const copiedByBlocks = (trace: Trace): Part => ({
  title: `trace ${trace.name}`,
  code: block(
    `if (const unsigned long long t = block * ${blockThreads}ull + threadIdx.x; t < ${trace.elements}ull)`,
    copyOf(trace, "t"),
  ),
  blocks: Math.ceil(trace.elements / blockThreads),
  sharedBytes: 0,
  libraries: [],
});

/** By one block, all of whose threads read the step's number before one counts it. */
function counted(entry: PlanEntry, buffers: readonly PlanBuffer[]): Part {
  const traces = tracesOf(entry, buffers).filter(({ elements }) => elements <= largeTrace);
  let start = 0;
  const copies = traces.map((trace) => {
    const first = start;
    start += trace.elements;
    const isIt = `t >= ${first} && t < ${start}`;
    return block(`if (${isIt})`, copyOf(trace, first === 0 ? "t" : `(t - ${first})`));
  });
  return {
    title: endTitle,
    code: [
      ...(start > 0
        ? [block(`for (int t = threadIdx.x; t < ${start}; t += ${blockThreads})`, copies.join("\n"))]
        : []),
      "__syncthreads();",
      "if (threadIdx.x == 0) ++*step;",
    ].join("\n"),
    blocks: 1,
    sharedBytes: 0,
    libraries: [],
  };
}

const copyOf = ({ type, source, target, elements }: Trace, element: string): string => {
  const to = `*step * ${elements}ull + ${element}`;
  return `${addressOf(target, type)}[${to}] = ${addressOf(source, type)}[${element}];`;
};
