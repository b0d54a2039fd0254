/**
 * Exercise 2 in short, on all of MNIST: every optimizer over a coarse grid, three seeds, three epochs. It shows the
 * shape of the answer within a minute; `study.ts` gives it with evidence.
 *
 *     slalom run exercises/ex2-mnist/short.ts
 */
import { adam, mnist, momentum, sgd, softmaxRegression, study } from "slalom";

export default study({
  name: "ex2-mnist-short",
  title: "Exercise 2 in short: optimizers on MNIST",
  problem: mnist({ model: softmaxRegression() }),
  optimizers: [
    sgd({ lr: [0.001, 0.01, 0.1, 0.5, 1, 10] }),
    momentum({ lr: [0.01, 0.1, 0.3], momentum: [0.6, 0.9] }),
    adam({ lr: [1e-5, 1e-4, 5e-4, 1e-3, 5e-3, 0.05] }),
  ],
  seeds: 3,
  epochs: 3,
  batchSize: 100,
  targets: [0.9, 0.92].map((value) => ({ metric: "validationAccuracy", value })),
});
