/** LeNet-5. LeCun, Bottou, Bengio, Haffner: "Gradient-based learning applied to document recognition", 1998. */
import { activation, averagePool, convolution, dense, flatten, sequential } from "../layers/index.js";
import type { Model } from "./model.js";

/**
 * Convolution 5x5x6, tanh, mean-pool 2; convolution 5x5x16, tanh, mean-pool 2; dense 120, tanh; dense 84, tanh; dense.
 * The first convolution is padded, which gives images of 28 x 28 the 32 x 32 of the paper; 61,706 parameters for MNIST.
 *
 * Differs from the paper as has become usual: each filter of the second convolution sees all channels, pooling has no
 * weights, and the last layer is dense with cross-entropy in place of distances to drawn letters.
 */
export const lenet5 = (): Model => ({
  name: "lenet5",
  title: "LeNet-5",
  options: {},
  takes: "images",
  build: (exampleShape, outputs) =>
    sequential([
      convolution(6, { kernel: 5, padding: "same" }),
      activation("tanh"),
      averagePool(2),
      convolution(16, { kernel: 5 }),
      activation("tanh"),
      averagePool(2),
      flatten(),
      dense(120),
      activation("tanh"),
      dense(84),
      activation("tanh"),
      dense(outputs),
    ]).build(exampleShape),
});
