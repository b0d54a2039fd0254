/** Case 5: one Adam step of exercise 3's CNN at batch 50, dropout on, all cores. */
import { allCores, comparison } from "../comparison.js";

const chunkSteps = 20;

export const cnn = comparison({
  id: "cnn",
  title: "One Adam step of the CNN of exercise 3 (3,274,634 parameters) on MNIST, batch 50",
  workload: { workload: "cnn", optimizer: "adam", batch: 50, settings: { lr: 1e-4 } },
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
