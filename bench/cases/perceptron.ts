/** Case 4: one Adam step of a perceptron with 512 hidden units on MNIST at batch 50. */
import { allCores, comparison } from "../comparison.js";

export const perceptron512 = comparison({
  id: "perceptron",
  title: "One Adam step of the perceptron 784-512-10 on MNIST, batch 50",
  workload: { workload: "perceptron", optimizer: "adam", batch: 50, settings: { lr: 0.001 } },
  ours: [
    { library: "slalom", form: `one run shared by ${allCores} ranks`, threads: allCores },
    { library: "slalom", form: "one run on one core", threads: 1 },
    { library: "slalom", form: `${allCores} runs, one a core`, threads: 1, copies: allCores },
  ],
  peers: [
    { library: "torch", form: "eager", threads: 1 },
    { library: "torch", form: "eager", threads: allCores },
    { library: "torch", form: "compiled", threads: allCores },
    { library: "jax", form: "scan", threads: 1 },
    { library: "jax", form: "scan", threads: allCores },
  ],
  goals: [
    { library: "torch", atLeast: 1.5 },
    { library: "jax", atLeast: 1 },
  ],
  tolerance: 0.1,
  notes: [
    `Ratios refer to one run shared by all cores. With ${allCores} runs at once a step is counted when any of them makes one.`,
  ],
});
