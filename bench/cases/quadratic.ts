/** Case 1: one gradient-descent step of exercise 1, float32, in runs of 1,000 steps from its start. */
import { allCores, comparison } from "../comparison.js";

export const quadratic = comparison({
  id: "quadratic",
  title: "One gradient-descent step of exercise 1 (two numbers, four points, float32; runs of 1,000 steps)",
  workload: { workload: "quadratic", optimizer: "sgd", settings: { lr: 0.01 } },
  ours: [{ library: "slalom", form: "one core", threads: 1 }],
  peers: [
    { library: "torch", form: "eager", threads: 1 },
    { library: "torch", form: "compiled", threads: 1 },
    { library: "jax", form: "scan", threads: 1 },
    { library: "jax", form: "scan", threads: allCores },
  ],
  goals: [
    { library: "torch", form: "eager", atLeast: 100 },
    { library: "jax", atLeast: 1 },
  ],
  tolerance: 1e-4,
  notes: [
    "Bound by the latency of a dozen dependent operations: neither arithmetic nor bandwidth gives a floor.",
  ],
});
