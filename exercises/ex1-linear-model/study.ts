/**
 * Exercise 1: gradient descent, momentum and Adam on W x + b through four points, over many learning rates.
 * Sum of squared errors, all data at every step, 1,000 steps, float64: nothing is random.
 *
 *     slalom run exercises/ex1-linear-model/study.ts
 */
import { adam, linearRegression, linspace, logspace, momentum, sgd, study } from "slalom";

/** The learning rates of the course. */
const course = [1e-5, 5e-5, 1e-4, 5e-4, 1e-3, 5e-3, 1e-2];
const problem = linearRegression();
const targets = [1e-2, 1e-4, 1e-8].map((value) => ({ metric: "trainLoss", value }));

/** Every setting of the course, those at which gradient descent diverges, and some near the best. */
const rates = study({
  name: "ex1-linear-model",
  title: "Exercise 1: optimizers on a linear model",
  problem,
  optimizers: [
    sgd({ lr: [...course, 0.02, 0.025, 0.0294, 0.0299, 0.05, 0.1, 0.5, 1] }),
    momentum({ lr: [...course, 0.02, 0.0466, 0.06], momentum: [0.1, 0.3, 0.5835, 0.6, 0.9] }),
    adam({ lr: [...course, 0.05, 0.1, 0.2, 0.5, 1, 2] }),
  ],
  steps: 1000,
  dtype: "float64",
  targets,
  comparisons: [
    {
      id: "course",
      title: "At the settings of the course",
      settings: [
        { optimizer: "sgd", hyperparameters: { lr: 0.01 } },
        { optimizer: "momentum", hyperparameters: { lr: 0.01, momentum: 0.6 } },
        { optimizer: "adam", hyperparameters: { lr: 0.05 } },
      ],
    },
  ],
});

/** The plane of learning rate and momentum, for the heat map with the boundary of stability. */
const plane = study({
  name: "ex1-momentum-plane",
  title: "Exercise 1: heavy ball over learning rate and momentum",
  problem,
  optimizers: [momentum({ lr: logspace(1e-3, 0.2, 24), momentum: linspace(0, 0.95, 20) })],
  steps: 1000,
  recordEvery: 1000,
  dtype: "float64",
  targets: [{ metric: "trainLoss", value: 1e-4 }],
});

export default [rates, plane];
