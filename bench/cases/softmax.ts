/** Case 2: one softmax-regression step on MNIST at batch 100, a single run. */
import type { BenchCase } from "../case.js";
import { allCores, comparison } from "../comparison.js";

const caseFor = (optimizer: "sgd" | "adam", lr: number): BenchCase =>
  comparison({
    id: `softmax-${optimizer}`,
    title: `One softmax-regression step on MNIST, batch 100, ${optimizer === "sgd" ? "gradient descent" : "Adam"}`,
    workload: { workload: "softmax", optimizer, batch: 100, settings: { lr } },
    ours: [{ library: "slalom", form: "one core", threads: 1 }],
    peers: [
      { library: "torch", form: "eager", threads: 1 },
      { library: "torch", form: "eager", threads: allCores },
      { library: "torch", form: "compiled", threads: 1 },
      { library: "torch", form: "compiled", threads: allCores },
      { library: "jax", form: "scan", threads: 1 },
      { library: "jax", form: "scan", threads: allCores },
    ],
    goals: [
      { library: "torch", atLeast: 2 },
      { library: "jax", atLeast: 1 },
    ],
    tolerance: 0.02,
  });

export const softmaxSgd = caseFor("sgd", 0.1);
export const softmaxAdam = caseFor("adam", 0.001);
