/**
 * Exercise 3: more epochs and validation data for a higher test accuracy. A convolutional network of 3,274,634
 * parameters on MNIST, Adam with learning rate 1e-4, batch 50, 30 epochs, 10 seeds. Validation after every epoch; the
 * test images are looked at once, with the parameters of the last epoch and with those of the best on validation.
 *
 *     slalom run exercises/ex3-cnn/study.ts
 */
import { adam, convNet, mnist, study } from "slalom";

export default study({
  name: "ex3-cnn",
  title: "Exercise 3: a convolutional network on MNIST, 30 epochs",
  problem: mnist({ model: convNet() }),
  optimizers: [adam({ lr: 1e-4 })],
  seeds: 10,
  epochs: 30,
  batchSize: 50,
  test: "end",
  trainMetrics: true,
  keepModel: true,
  targets: [0.98, 0.99, 0.992].map((value) => ({ metric: "validationAccuracy", value })),
});
