/** A small study and its configurations, for the tests of the store and of what reads it. */
import type { RunConfiguration, StudyRecord } from "../../src/runs/index.js";

export const studyRecord = (changes: Partial<StudyRecord>): StudyRecord => ({
  name: "example",
  problem: "linear-regression",
  optimizers: [{ optimizer: "momentum", hyperparameters: { lr: [0.01, 0.1], momentum: [0.6] } }],
  seeds: [0, 1, 2],
  steps: 100,
  targets: [{ metric: "trainLoss", value: 0.5, direction: "below" }],
  versions: { slalom: "0.1.0", node: "20.0.0", backend: "reference", cpu: "a processor" },
  created: "2025-01-01T00:00:00.000Z",
  ...changes,
});

export const configuration = (changes: Partial<RunConfiguration>): RunConfiguration => ({
  problem: "linear-regression",
  optimizer: "momentum",
  hyperparameters: { lr: 0.01, momentum: 0.6 },
  seed: 0,
  steps: 100,
  shuffle: true,
  dtype: "float32",
  backend: "reference",
  ...changes,
});
