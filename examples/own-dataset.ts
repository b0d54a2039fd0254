/**
 * A data set of one's own from arrays: points in the plane, inside or outside of a ring. Files are read the same way
 * with `csvDataset`, `npzDataset` and `idxDataset`.
 *
 *     slalom run examples/own-dataset.ts
 *     slalom export examples/own-dataset.ts --format onnx --to ring.onnx
 */
import { adam, classification, classificationProblem, momentum, perceptron, sourceOf, study } from "slalom";

/** A grid of points rather than random ones: each worker thread loads this file, and all must see the same data. */
const inputs: number[][] = [];
const targets: number[] = [];
for (let i = 0; i < 24; i++) {
  for (let j = 0; j < 24; j++) {
    const [x, y] = [i / 11.5 - 1, j / 11.5 - 1];
    inputs.push([x, y]);
    targets.push(Math.abs(Math.hypot(x, y) - 0.6) < 0.2 ? 1 : 0);
  }
}

const ring = classification({
  name: "ring",
  title: "Points in a ring",
  inputs,
  targets,
  classes: ["outside", "inside"],
  split: { validation: 0.25, shuffleSeed: 1 },
});

export default study({
  name: "own-dataset",
  problem: classificationProblem({ dataset: sourceOf(ring), model: perceptron({ hidden: [32] }) }),
  optimizers: [momentum({ lr: [0.01, 0.03, 0.1, 0.3] }), adam({ lr: [0.003, 0.01, 0.03, 0.1] })],
  seeds: 3,
  epochs: 30,
  batchSize: 32,
  keepModel: true,
  targets: [{ metric: "validationAccuracy", value: 0.9 }],
});
