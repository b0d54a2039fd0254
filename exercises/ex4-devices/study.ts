/**
 * Exercise 4: one training on several devices. The network of exercise 3 with batches of 50, 500 and 5,000 images: what
 * ranks gain, what a larger batch costs in epochs, and what the learning rate has to do with it.
 *
 *     slalom scale exercises/ex4-devices/study.ts --ranks 1,2 --batch 50,500,5000
 */
import { adam, convNet, mnist, study } from "slalom";

export default study({
  name: "ex4-devices",
  title: "Exercise 4: a convolutional network on several devices",
  problem: mnist({ model: convNet() }),
  optimizers: [adam({ lr: 1e-4 })],
  seeds: 1,
  epochs: 10,
  batchSize: 50,
});
