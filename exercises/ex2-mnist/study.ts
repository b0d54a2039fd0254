/**
 * Exercise 2: gradient descent, momentum and Adam on MNIST: how fast each converges, which learning rates are
 * best, and how much they matter. Softmax regression from zero, batch 100, 30 epochs, 5 seeds.
 *
 *     slalom run exercises/ex2-mnist/study.ts
 */
import { adam, logspace, mnist, momentum, perceptron, sgd, softmaxRegression, study } from "slalom";

const softmax = mnist({ model: softmaxRegression() });
const targets = [0.9, 0.92, 0.925].map((value) => ({ metric: "validationAccuracy", value }));

/** The grid of the course: 34 settings. */
const grid = [
  sgd({ lr: [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10] }),
  momentum({ lr: [0.001, 0.01, 0.05, 0.1], momentum: [0.1, 0.3, 0.6, 0.9] }),
  adam({ lr: [1e-5, 2.5e-5, 5e-5, 1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 5e-3] }),
];

const shuffled = study({
  name: "ex2-mnist",
  title: "Exercise 2: optimizers on MNIST",
  problem: softmax,
  optimizers: grid,
  seeds: 5,
  epochs: 30,
  batchSize: 100,
  targets,
});

/** As the course ran it: every epoch in the data set's own order. From zero, nothing is random then. */
const unshuffled = study({
  name: "ex2-mnist-unshuffled",
  title: "Exercise 2 as the course ran it: batches in the data set's own order",
  problem: softmax,
  optimizers: grid,
  epochs: 30,
  batchSize: 100,
  shuffle: false,
  targets,
});

/** Finer and equal budgets: 17 settings for each optimizer. */
const fine = study({
  name: "ex2-mnist-fine",
  title: "Exercise 2: finer grids, equal budgets",
  problem: softmax,
  optimizers: [
    sgd({ lr: logspace(1e-3, 10, 17) }),
    momentum({ lr: logspace(1e-4, 1, 17), momentum: 0.9 }),
    adam({ lr: logspace(1e-5, 1e-1, 17) }),
  ],
  seeds: 5,
  epochs: 30,
  batchSize: 100,
  targets,
});

/** The same comparison where the loss is not convex. */
const hidden = study({
  name: "ex2-mnist-perceptron",
  title: "Exercise 2: optimizers on a perceptron with one hidden layer",
  problem: mnist({ model: perceptron({ hidden: [128] }) }),
  optimizers: [
    sgd({ lr: [0.01, 0.03, 0.1, 0.3, 1] }),
    momentum({ lr: [0.001, 0.003, 0.01, 0.03, 0.1], momentum: 0.9 }),
    adam({ lr: [1e-4, 3e-4, 1e-3, 3e-3, 1e-2] }),
  ],
  seeds: 3,
  epochs: 15,
  batchSize: 100,
  targets: [0.97, 0.975].map((value) => ({ metric: "validationAccuracy", value })),
});

export default [shuffled, unshuffled, fine, hidden];
