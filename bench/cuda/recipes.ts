/**
 * Short trainings that reach 99 % and 99.4 % of MNIST's test images, on the 50,000 training images alone: a small
 * convolutional network with batch normalisation, one cycle of the learning rate, no augmentation or shifts by a pixel.
 * Both as studies, which tell the epochs that they need; `npm run bench:cuda -- --only mnist` tells the seconds.
 *
 *     slalom run bench/cuda/recipes.ts
 */
import {
  activation,
  adam,
  affine,
  batchNorm,
  convolution,
  dense,
  flatten,
  heNormal,
  type Layer,
  layersModel,
  type Model,
  maxPool,
  mnist,
  oneCycle,
  type Problem,
  study,
} from "slalom";

/** A training as a whole: nothing of it is left to choose. */
export interface Recipe {
  readonly name: string;
  readonly title: string;
  /** The share of the test images that it is for. */
  readonly accuracy: number;
  readonly problem: Problem;
  readonly choice: ReturnType<typeof adam>;
  readonly batchSize: number;
  readonly epochs: number;
}

interface Network {
  readonly filters: readonly number[];
  readonly hidden: number;
}

/** Convolution 5 x 5, batch normalisation, ReLU, max-pool 2 for each number of filters; a dense layer likewise; dense. */
function network({ filters, hidden }: Network): Model {
  const activated = (): Layer[] => [batchNorm({ momentum: 0.8 }), activation("relu")];
  const options = { initializer: heNormal, bias: "none" } as const;
  return layersModel({
    name: "fast",
    title: `fast CNN ${[...filters, hidden].join("-")}`,
    takes: "images",
    options: { filters, hidden },
    layers: (outputs) => [
      ...filters.flatMap((count) => [
        convolution(count, { kernel: 5, padding: "same", ...options }),
        ...activated(),
        maxPool(2),
      ]),
      flatten(),
      dense(hidden, options),
      ...activated(),
      dense(outputs),
    ],
  });
}

const cycle = oneCycle({ rise: 0.25, startDivisor: 10, endDivisor: 100 });

export const recipes: readonly Recipe[] = [
  {
    name: "mnist-99",
    title: "99 % of MNIST",
    accuracy: 0.99,
    problem: mnist({ model: network({ filters: [16, 32], hidden: 64 }) }),
    choice: adam({ lr: 0.01, beta2: 0.99, schedule: cycle }),
    batchSize: 250,
    epochs: 2,
  },
  {
    name: "mnist-994",
    title: "99.4 % of MNIST",
    accuracy: 0.994,
    problem: mnist({ model: network({ filters: [24, 48], hidden: 128 }), augment: [affine({ shift: 2 })] }),
    choice: adam({ lr: 0.015, beta2: 0.99, schedule: cycle }),
    batchSize: 250,
    epochs: 8,
  },
];

export default recipes.map(({ name, title, accuracy, problem, choice, batchSize, epochs }) =>
  study({
    name: `fast-${name}`,
    title,
    problem,
    optimizers: [choice],
    seeds: 5,
    epochs,
    batchSize,
    evaluateEvery: { epochs: 0.5 },
    targets: [{ metric: "testAccuracy", value: accuracy }],
  }),
);
