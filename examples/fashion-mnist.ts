/**
 * LeNet-5 on clothes: a published data set, standardized by its training images, mirrored at random in training. The test
 * split is looked at once, at the end. The data come with Debian's package dataset-fashion-mnist, or by the first line:
 *
 *     slalom fetch fashion-mnist
 *     slalom run examples/fashion-mnist.ts
 */
import { adam, classificationProblem, fashionMnist, flip, lenet5, momentum, study } from "slalom";

const clothes = fashionMnist({
  trainCount: 4_000,
  validationCount: 1_000,
  testCount: 1_000,
  standardize: "channel",
});

export default study({
  name: "fashion-mnist",
  problem: classificationProblem({ dataset: clothes, model: lenet5(), augment: [flip()] }),
  optimizers: [momentum({ lr: [0.01, 0.03], momentum: 0.9 }), adam({ lr: [0.001, 0.003] })],
  epochs: 3,
  batchSize: 50,
  test: "end",
  targets: [{ metric: "validationAccuracy", value: 0.75 }],
});
