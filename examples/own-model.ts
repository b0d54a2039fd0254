/**
 * A model of one's own: a layer written by hand (features of the distance to learned centres), then a dense one.
 *
 *     slalom run examples/own-model.ts
 */
import {
  activation,
  adam,
  blobs,
  classificationProblem,
  dense,
  exp,
  type Layer,
  layersModel,
  neg,
  normal,
  reshape,
  square,
  study,
  sub,
  sum,
} from "slalom";

/** y_k = exp(-|x - c_k|^2): one output for each centre c_k, a parameter. */
const radialFeatures = (centres: number): Layer => ({
  name: "radial",
  build: ([size]) => ({
    parameters: {
      centres: {
        shape: [centres, size],
        initial: (key) => normal(1)(key, [centres, size], { in: size, out: centres }),
      },
    },
    output: [centres],
    apply: (parameters, x) => {
      const differences = sub(reshape(x, [-1, 1, size]), parameters.centres); // (batch, centres, size)
      return exp(neg(sum(square(differences), { axis: -1 })));
    },
  }),
});

const radial = layersModel({
  name: "radial",
  title: "radial features",
  layers: (outputs) => [radialFeatures(16), dense(outputs)],
});
const narrow = layersModel({
  name: "narrow",
  layers: (outputs) => [dense(8), activation("tanh"), dense(outputs)],
});

export default [radial, narrow].map((model) =>
  study({
    name: `own-model-${model.name}`,
    problem: classificationProblem({ dataset: blobs({ separation: 2, classes: 6, count: 600 }), model }),
    optimizers: [adam({ lr: [0.003, 0.01, 0.03, 0.1, 0.3] })],
    seeds: 3,
    epochs: 20,
    batchSize: 24,
  }),
);
