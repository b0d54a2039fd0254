/**
 * An epoch at each size of batch, to see where the time of a training goes: every run keeps a ledger.
 *
 *     slalom run exercises/ex4-devices/trainings.ts --ranks 2 --workers 1
 */
import { study } from "slalom";
import course from "./study.js";

export const batchSizes = [50, 500, 5000];

export default batchSizes.map((batchSize) =>
  study({
    name: `ex4-batch-${batchSize}`,
    title: `Exercise 4: an epoch with batches of ${batchSize.toLocaleString("en")}`,
    problem: course.problem,
    optimizers: course.optimizers,
    seeds: 1,
    epochs: 1,
    batchSize,
  }),
);
