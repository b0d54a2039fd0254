/** The end of a step: what is traced goes to its place among the steps of the run, and the step is counted. */
import { bytesOf } from "../../../base/dtype.js";
import type { PlanBuffer, PlanEntry } from "../../../compile/plan.js";
import { cType } from "./cTypes.js";
import { addressOf, block, blockThreads, type Part } from "./part.js";

/** Elements beyond which a trace is copied by many blocks. */
const largeTrace = 8192;

interface Trace {
  readonly name: string;
  readonly type: string;
  readonly source: PlanBuffer;
  readonly target: PlanBuffer;
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
      elements: bytes / bytesOf(buffers[source].dtype),
    }));
}

/** Copies of traces that one block would take long for; they count nothing. */
export function emitLargeTraces(entry: PlanEntry, buffers: readonly PlanBuffer[]): Part[] {
  return tracesOf(entry, buffers)
    .filter(({ elements }) => elements > largeTrace)
    .map((trace) => ({
      title: `trace ${trace.name}`,
      code: block(
        `if (const unsigned long long t = block * ${blockThreads}ull + threadIdx.x; t < ${trace.elements}ull)`,
        copyOf(trace, "t"),
      ),
      blocks: Math.ceil(trace.elements / blockThreads),
      sharedBytes: 0,
      libraries: [],
    }));
}

/** All other traces by one block, all of whose threads read the step's number before one counts it. */
export function emitEnd(entry: PlanEntry, buffers: readonly PlanBuffer[]): Part {
  const traces = tracesOf(entry, buffers).filter(({ elements }) => elements <= largeTrace);
  let start = 0;
  const copies = traces.map((trace) => {
    const first = start;
    start += trace.elements;
    const isIt = `t >= ${first} && t < ${start}`;
    return block(`if (${isIt})`, copyOf(trace, first === 0 ? "t" : `(t - ${first})`));
  });
  return {
    title: "end of the step",
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
