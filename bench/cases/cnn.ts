/** Case 5: exercise 3's CNN with dropout and Adam: a step, ranks, no system library, an evaluation. */
import type { BenchCase } from "../case.js";
import { allCores, comparison } from "../comparison.js";
import { findLauncher } from "../launcher.js";
import type { ContestantSpec, Workload } from "../specification.js";
import { absentCase } from "./allReduce.js";

const chunkSteps = 20;

const workload: Workload = { workload: "cnn", optimizer: "adam", batch: 50, settings: { lr: 1e-4 } };

export const cnn = comparison({
  id: "cnn",
  title: "One Adam step of the CNN of exercise 3 (3,274,634 parameters) on MNIST, batch 50",
  workload,
  ours: [
    { library: "slalom", form: `one run shared by ${allCores} ranks`, threads: allCores, chunkSteps },
    { library: "slalom", form: "one run on one core", threads: 1, chunkSteps },
    { library: "slalom", form: `${allCores} runs, one a core`, threads: 1, copies: allCores, chunkSteps },
    { library: "slalom", form: "one core, no library", threads: 1, gemm: "wasm", chunkSteps },
  ],
  peers: [
    { library: "torch", form: "eager", threads: allCores, chunkSteps },
    { library: "torch", form: "channels-last", threads: allCores, chunkSteps },
    { library: "torch", form: "channels-last", threads: 1, chunkSteps },
    { library: "torch", form: "compiled", threads: allCores, chunkSteps },
    { library: "jax", form: "scan", threads: allCores, chunkSteps },
  ],
  goals: [
    { library: "torch", atLeast: 1.8 },
    { library: "jax", atLeast: 5 },
  ],
  floorGoal: 0.7,
  // The first losses of a network that starts with sigma 0.1 spread widely.
  tolerance: 0.5,
  notes: ["A convolution counts in the floor as the matrix product that it is."],
});

/** Two ranks against one run on one core, each rank with as large a part of the batch as that run has. */
function ranksCase(id: string, perRank: number, atLeast: number): BenchCase {
  const runOf = (threads: number, form: string): ContestantSpec => ({
    ...{ library: "slalom", form, threads, chunkSteps },
    batch: threads * perRank,
  });
  const alone = `one run on one core, batch ${perRank}`;
  return comparison({
    id,
    title: `The CNN of exercise 3 on two ranks, ${perRank} examples of the batch a rank: time for an example`,
    workload,
    unit: "example",
    ours: [runOf(2, `one run shared by 2 ranks, batch ${2 * perRank}`), runOf(1, alone)],
    peers: [],
    goals: [{ library: "slalom", form: alone, atLeast }],
    tolerance: 0.5,
  });
}

const float32Form = `float32, ${allCores} ranks`;

export const cnnBfloat16 = comparison({
  id: "cnn-bfloat16",
  title: "One Adam step of the CNN of exercise 3 on MNIST, batch 50; products in bfloat16",
  workload,
  ours: [
    {
      ...{ library: "slalom", form: `bfloat16, ${allCores} ranks`, threads: allCores, chunkSteps },
      precision: "bfloat16",
    },
    { library: "slalom", form: "bfloat16, one core", threads: 1, chunkSteps, precision: "bfloat16" },
    { library: "slalom", form: float32Form, threads: allCores, chunkSteps },
  ],
  peers: [
    { library: "torch", form: "channels-last", threads: allCores, chunkSteps, precision: "bfloat16" },
    { library: "torch", form: "compiled", threads: allCores, chunkSteps, precision: "bfloat16" },
  ],
  goals: [
    { library: "slalom", form: float32Form, atLeast: 1 },
    { library: "torch", atLeast: 1 },
  ],
  tolerance: 0.5,
  notes: ["PyTorch's is autocast to bfloat16: weights in float32, products and convolutions in bfloat16."],
});

const twoProcesses = { library: "slalom", threads: 1, processes: 2, chunkSteps, batch: 100 } as const;
const wholeUpdates = "the same, each making all updates";
const onOneCore = "one run in one process on one core, batch 50";

/** Two processes against one, each with as large a part of the batch as that one has. */
const cnnTogether = comparison({
  id: "cnn-processes",
  title: "The CNN of exercise 3 in two processes, 50 examples of the batch a process: time for an example",
  workload,
  unit: "example",
  ours: [
    { ...twoProcesses, form: "one run shared by 2 processes, batch 100" },
    { ...twoProcesses, form: wholeUpdates, divideUpdates: false },
    { library: "slalom", form: onOneCore, threads: 1, chunkSteps, batch: 50 },
  ],
  peers: [],
  // An efficiency of 0.85.
  goals: [{ library: "slalom", form: onOneCore, atLeast: 1.7 }],
  tolerance: 0.5,
});

export const cnnProcesses: BenchCase = {
  ...cnnTogether,
  async run(options) {
    const launcher = findLauncher();
    return "absent" in launcher ? absentCase(cnnTogether, launcher.absent) : cnnTogether.run(options);
  },
};

export const cnnRanks = ranksCase("cnn-ranks", 50, 1.85);
export const cnnRanksSmall = ranksCase("cnn-ranks-25", 25, 1.7);

const libraryForm = "oneDNN or CBLAS, one core";

export const cnnWasm = comparison({
  id: "cnn-wasm",
  title: "One Adam step of the CNN of exercise 3 on MNIST, batch 50; no system library",
  workload,
  ours: [
    { library: "slalom", form: "WebAssembly, one core", threads: 1, gemm: "wasm", chunkSteps: 5 },
    { library: "slalom", form: libraryForm, threads: 1, chunkSteps: 5 },
  ],
  peers: [
    { library: "tfjs", form: "cpu", threads: 1, chunkSteps: 1, chunks: 1 },
    { library: "jaxjs", form: "wasm", threads: 1, chunkSteps: 1, chunks: 1 },
  ],
  goals: [
    { library: "tfjs", atLeast: 50 },
    { library: "jaxjs", atLeast: 50 },
    { library: "slalom", form: libraryForm, within: 8 },
  ],
  mostRounds: 3,
  // The loss of one step of a network that starts with sigma 0.1 says little.
  tolerance: Number.POSITIVE_INFINITY,
  notes: [
    "A sample of a peer is one step: they take seconds to minutes. TensorFlow.js's `wasm` backend has no gradient of convolutions.",
  ],
});

export const cnnEvaluation = comparison({
  id: "cnn-evaluation",
  title: "Evaluating the CNN of exercise 3 on MNIST's 10,000 test images: loss and accuracy",
  workload: { ...workload, evaluates: "test" },
  unit: "evaluation",
  ours: [
    { library: "slalom", form: `${allCores} ranks`, threads: allCores },
    { library: "slalom", form: "one core", threads: 1 },
  ],
  peers: [],
  goals: [{ what: "10,000 images in less than a second", underS: 1 }],
  tolerance: 1e-3,
});
