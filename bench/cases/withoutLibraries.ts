/** Case 5: no system library at all: WebAssembly products against the two engines that JavaScript has. */
import type { BenchCase } from "../case.js";
import { allCores, comparison } from "../comparison.js";
import type { Workload } from "../specification.js";

const caseFor = (id: string, title: string, workload: Workload, chunkSteps: number): BenchCase =>
  comparison({
    id,
    title: `${title}; no system library`,
    workload,
    ours: [{ library: "slalom", form: "WebAssembly products, one core", threads: 1, gemm: "wasm" }],
    peers: [
      { library: "tfjs", form: "wasm", threads: allCores, chunkSteps },
      { library: "jaxjs", form: "wasm", threads: 1, chunkSteps },
    ],
    goals: [
      { library: "tfjs", atLeast: 3 },
      { library: "jaxjs", atLeast: 1 },
    ],
    // Their first chunk is a part of an epoch, Slalom's a whole one.
    tolerance: Number.POSITIVE_INFINITY,
  });

export const wasmSoftmaxSgd = caseFor(
  "wasm-softmax-sgd",
  "One softmax-regression step on MNIST, batch 100, gradient descent",
  { workload: "softmax", optimizer: "sgd", batch: 100, settings: { lr: 0.1 } },
  50,
);
export const wasmSoftmaxAdam = caseFor(
  "wasm-softmax-adam",
  "One softmax-regression step on MNIST, batch 100, Adam",
  { workload: "softmax", optimizer: "adam", batch: 100, settings: { lr: 0.001 } },
  50,
);
export const wasmPerceptron = caseFor(
  "wasm-perceptron",
  "One Adam step of the perceptron 784-512-10 on MNIST, batch 50",
  { workload: "perceptron", optimizer: "adam", batch: 50, settings: { lr: 0.001 } },
  5,
);
