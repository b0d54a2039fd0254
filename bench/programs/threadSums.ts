/**
 * The sums of the gradients of exercise 3's CNN over two threads, or a copy of as many bytes by one, as often as each
 * line asks for.
 */
import { createInterface } from "node:readline";
import { cnnShapes } from "../cases/cnnShapes.js";
import {
  add,
  allReduceSum,
  CpuExecutable,
  cast,
  createSharedMemory,
  detectFeatures,
  Followers,
  iota,
  kernelEffects,
  MemoryPool,
  type Plan,
  planProgram,
  rank,
  reshape,
  selectConvolution,
  selectGemm,
  type Tensor,
  variable,
} from "../slalom.js";
import type { Sample } from "../specification.js";

const ranks = 2;

/** One argument: "sum" or "copy". */
export async function main([what]: readonly string[]): Promise<void> {
  const { check, run } = what === "sum" ? sums() : copies();
  process.stdout.write(`${JSON.stringify({ ready: true, check })}\n`);
  for await (const line of createInterface({ input: process.stdin })) {
    const steps = Number(line.split(" ")[1]);
    const start = performance.now();
    run(steps);
    const sample: Sample = { seconds: (performance.now() - start) / 1000, steps };
    process.stdout.write(`${JSON.stringify(sample)}\n`);
  }
  process.exit(0);
}

interface Work {
  /** The last element of what is summed or copied. */
  readonly check: number;
  readonly run: (times: number) => void;
}

/** Each thread has gradients in its own memory; all sums are in memory that both read. */
function sums(): Work {
  const variables = Object.fromEntries(cnnShapes.map((shape, i) => [`sum${i}`, variable(`sum${i}`, shape)]));
  const updates = Object.fromEntries(
    cnnShapes.map((shape, i): [string, Tensor] => {
      const count = shape.reduce((product, extent) => product * extent, 1);
      const own = add(iota([count], 0, "float32"), cast(rank(), "float32"));
      return [`sum${i}`, allReduceSum(reshape(own, shape))];
    }),
  );
  const plan = planProgram({
    name: "sums",
    variables,
    entries: { step: { updates, traces: {} } },
    traceCapacity: mostSteps,
    ranks,
  });
  const patienceMs = 120_000;
  const { library: gemm } = selectGemm({ library: "auto" });
  const features = detectFeatures();
  const executable = new CpuExecutable(inTwo(plan), mostSteps, {
    gemm,
    convolution: selectConvolution(gemm),
    features,
    memories: new MemoryPool(),
    followers: new Followers({ ranks, patienceMs, gemm: "auto", searchPaths: [], features }),
    patienceMs,
  });
  executable.run("gradients");
  executable.run("sums");
  return {
    check: executable.read(`sum${cnnShapes.length - 1}`).at(-1)!,
    run: (times) => executable.run("sums", times),
  };
}

const mostSteps = 1_000_000;

/** The step as an entry that computes gradients and one that sums them. */
function inTwo(plan: Plan): Plan {
  const { kernels } = plan.entries.step;
  const meeting = kernels.findIndex(({ kind }) => kind === "barrier");
  const storesSums = kernels.map((kernel) =>
    kernelEffects(kernel).writes.some((buffer) => plan.buffers[buffer].role === "state"),
  );
  if (meeting < 0 || storesSums.lastIndexOf(false, meeting - 1) !== meeting - 1)
    throw new Error("threadSums: the step does not sum behind its first meeting");
  return {
    ...plan,
    entries: {
      gradients: { kernels: kernels.slice(0, meeting + 1), traces: [] },
      sums: { kernels: kernels.slice(meeting + 1), traces: [] },
    },
  };
}

function copies(): Work {
  const count = cnnShapes.flatMap((shape) => shape.reduce((a, b) => a * b, 1)).reduce((a, b) => a + b, 0);
  const pages = Math.ceil((4 * count) / 65_536);
  const [from, to] = [1, 2].map((value) =>
    new Float32Array(createSharedMemory(pages).buffer, 0, count).fill(value),
  );
  to.set(from);
  return {
    check: to[count - 1],
    run(times) {
      for (let n = 0; n < times; n++) to.set(from);
    },
  };
}
