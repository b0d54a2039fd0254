/** How many ranks should share a training: a model of the step from what this machine was just measured at. */
import { probeGemm } from "../backends/cpu/gemm/index.js";
import { cpuBackend } from "../backends/cpu/index.js";
import { explainPlan, type Peaks } from "../compile/explain.js";
import { type Program, planProgram } from "../compile/index.js";
import { planForRank } from "../compile/planForRank.js";
import { add, allReduceSum, variable } from "../graph/index.js";
import type { Study } from "../lab/index.js";
import { laneTraining } from "../lab/tasks.js";
import { accumulateEntry, laneProgram, stepEntry } from "../train/index.js";

export interface RankPrediction {
  readonly best: number;
  /** Predicted time of a step on one rank over that on the best number. */
  readonly speedup: number;
}

/** A gain below this is within what the model can't see. */
const worthwhile = 1.2;

/**
 * The number of ranks up to `most` that divides the batch, its micro-batches too, and has the shortest predicted step: of rank 0's kernels,
 * each bound by arithmetic or traffic, and of its barriers. A second of measuring.
 */
export async function predictRanks(study: Study, most: number): Promise<RankPrediction> {
  const dataset = await study.problem.dataset?.load();
  if (!dataset) return { best: 1, speedup: 1 };
  const sizes = [study.batchSize, study.microBatch];
  const task = { choice: 0, seed: 0, configurations: [] };
  // Whole batches of one rank tell no noise, and it is next to nothing of a step.
  const training = { ...laneTraining(study, dataset, task), gradientNoise: false };
  const peaks = measuredPeaks();
  const predictedS = async (ranks: number): Promise<number> => {
    const { program, partsAt } = laneProgram(training, 1, ranks);
    const { entries } = explainPlan(planForRank(planProgram(program), 0), peaks);
    // The entries that a step runs, and how often.
    const runs = new Map([
      [stepEntry, 1],
      [accumulateEntry, partsAt?.(0) ?? 0],
    ]);
    const total = (of: (entry: (typeof entries)[number]) => number): number =>
      entries.reduce((sum, entry) => sum + (runs.get(entry.name) ?? 0) * of(entry), 0);
    const barriers = total(({ kernels }) => kernels.filter(({ kind }) => kind === "barrier").length);
    return total((entry) => entry.predictedS) + (barriers === 0 ? 0 : barriers * (await barrierS(ranks)));
  };
  const alone = await predictedS(1);
  let prediction: RankPrediction = { best: 1, speedup: 1 };
  for (let ranks = 2; ranks <= most; ranks++) {
    if (sizes.some((size) => typeof size === "number" && size % ranks !== 0)) continue;
    const speedup = alone / (await predictedS(ranks));
    if (speedup > Math.max(worthwhile, prediction.speedup)) prediction = { best: ranks, speedup };
  }
  return prediction;
}

/** What one thread of this machine reaches, in half a second of measuring; loops about what our own products do. */
export function measuredPeaks(): Peaks {
  const { libraries, bandwidthGBs } = probeGemm();
  const best = (rates: readonly { gflops: number }[]): number =>
    Math.max(...rates.map(({ gflops }) => gflops));
  const own = libraries.find(({ name }) => name === "wasm") ?? libraries[libraries.length - 1];
  return { gemmGflops: best(libraries[0].rates), loopGflops: best(own.rates), bandwidthGBs };
}

/** Seconds of one barrier between ranks that have nothing else to do: the median of some runs. */
async function barrierS(ranks: number): Promise<number> {
  const steps = 2000;
  const n = variable("n", []);
  const program: Program = {
    name: "barriers",
    variables: { n },
    entries: { step: { updates: { n: allReduceSum(add(n, 1)) }, traces: {} } },
    traceCapacity: steps,
    ranks,
  };
  const barriers = planProgram(program).entries.step.kernels.filter(({ kind }) => kind === "barrier").length;
  const backend = cpuBackend({ gemm: "wasm", ranks });
  try {
    const executable = backend.compile(program);
    const times = Array.from({ length: 7 }, () => {
      const started = performance.now();
      executable.run("step", steps);
      return (performance.now() - started) / 1000;
    });
    return times.sort((a, b) => a - b)[3] / steps / barriers;
  } finally {
    await backend.close();
  }
}
