/** The link between the ranks of a backend, from all-reduces of two sizes. */
import { SlalomError } from "../base/errors.js";
import type { Backend } from "../compile/backend.js";
import type { Program } from "../compile/program.js";
import { allReduceSum, mul, variable } from "../graph/index.js";
import { type Link, linkFrom } from "./links.js";

/** float32 elements of the large array: larger than caches, as gradients are that cost time. */
const largeElements = 2 ** 22;

/**
 * Measures sums over the ranks of an array of one element and of 16 MiB; what the same arrays take without a sum, on one
 * rank, is taken off. Where processes have several threads or GPUs each, that is one link for all of them.
 * @throws SlalomError "device" for a backend of one rank
 */
export function measuredLink(backend: Backend): Link {
  const { ranks = 1, description } = backend;
  if (ranks === 1) {
    throw new SlalomError(
      "device",
      "link: the backend has 1 rank; expected several: there is no link to measure. Ask for --ranks 2, or name one, such as --link infiniband.",
    );
  }
  const sumS = (elements: number, steps: number): number =>
    secondsOf(backend, { elements, steps, ranks }) - secondsOf(backend, { elements, steps, ranks: 1 });
  const times = { smallS: sumS(1, 500), largeS: sumS(largeElements, 2), bytes: 4 * largeElements };
  return linkFrom(times, ranks, description);
}

interface Sum {
  readonly elements: number;
  readonly steps: number;
  readonly ranks: number;
}

/** Seconds of a step that writes an array, and sums it over the ranks where there are several: the median of some runs. */
function secondsOf(backend: Backend, { elements, steps, ranks }: Sum): number {
  const array = variable("array", [elements]);
  const share = variable("share", []);
  const part = mul(array, share);
  const program: Program = {
    name: "sums over ranks",
    variables: { array, share },
    entries: { step: { updates: { array: ranks > 1 ? allReduceSum(part) : part }, traces: {} } },
    traceCapacity: steps,
    ranks,
  };
  const executable = backend.compile(program);
  try {
    executable.write("array", new Float32Array(elements).fill(1));
    executable.write("share", [1 / ranks]);
    executable.run("step", steps);
    const times = Array.from({ length: 7 }, () => {
      const started = performance.now();
      executable.run("step", steps);
      return (performance.now() - started) / 1000 / steps;
    });
    return times.sort((a, b) => a - b)[3];
  } finally {
    executable.release();
  }
}
