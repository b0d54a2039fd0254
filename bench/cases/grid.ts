/** Case 3: the whole grid of exercise 2: 34 settings x 5 seeds, with the evaluations after each epoch. */
import { allCores, comparison } from "../comparison.js";
import type { GridGroup, Workload } from "../specification.js";

const grid: readonly GridGroup[] = [
  { optimizer: "sgd", lanes: [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10].map((lr) => ({ lr })) },
  {
    optimizer: "momentum",
    lanes: [0.001, 0.01, 0.05, 0.1].flatMap((lr) =>
      [0.1, 0.3, 0.6, 0.9].map((momentum) => ({ lr, momentum })),
    ),
  },
  {
    optimizer: "adam",
    lanes: [1e-5, 2.5e-5, 5e-5, 1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 5e-3].map((lr) => ({ lr })),
  },
];

/** All runs of the exercise. */
export const gridWorkload: Workload = { workload: "grid", batch: 100, grid, seeds: 5 };

/** Epochs of a sample, where 30 take too long. */
const shortEpochs = 5;

export const exercise2 = comparison({
  id: "grid",
  title: "The grid of exercise 2: 34 settings x 5 seeds, batch 100, evaluated on 20,000 images every epoch",
  workload: gridWorkload,
  ours: [{ library: "slalom", form: "slalom run", threads: allCores, chunks: shortEpochs }],
  peers: [
    { library: "torch", form: "eager", threads: 1, chunks: 1 },
    { library: "torch", form: "eager", threads: allCores, chunks: 1 },
    { library: "torch", form: "eager, one process a core", threads: 1, copies: allCores, chunks: 1 },
    { library: "torch", form: "vmap", threads: allCores, chunks: 1 },
    { library: "jax", form: "vmap", threads: allCores, chunks: shortEpochs },
    { library: "jax", form: "vmap, one process a core", threads: 1, copies: allCores, chunks: shortEpochs },
  ],
  goals: [
    { library: "torch", form: "eager", atLeast: 8 },
    { library: "jax", atLeast: 1 },
  ],
  floorGoal: 0.5,
  chunks: ({ full }) => (full ? 30 : undefined),
  tolerance: 0.05,
  notes: [
    `A step is one update of one run. Slalom and JAX are measured over ${shortEpochs} epochs and PyTorch over 1, all over 30 with --full. An epoch costs every peer the same, while Slalom's start, compilation and files then count ${30 / shortEpochs} times too heavily; nothing is taken off for that.`,
  ],
});
