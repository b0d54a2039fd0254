/** What a run has learned, as files beside its rows. */
import type { Backend } from "../compile/backend.js";
import type { Dataset } from "../learn/datasets/dataset.js";
import { writeModel, writePredictions } from "../runs/index.js";
import { type LearnedModel, predict } from "../train/index.js";
import type { Study } from "./study.js";

export interface StoreModelOptions {
  /** Of the run. */
  readonly folder: string;
  readonly run: string;
  readonly model: LearnedModel;
  readonly study: Study;
  readonly dataset: Dataset | undefined;
  readonly backend: Backend;
}

/** last.safetensors; where evaluations rank parameters best.safetensors; and what the better one says of the test split. */
export function storeModel({ folder, run, model, study, dataset, backend }: StoreModelOptions): void {
  const { problem, microBatch } = study;
  writeModel(folder, "last", { run, problem: problem.name, step: model.step, values: model.last });
  if (model.best)
    writeModel(folder, "best", {
      run,
      problem: problem.name,
      step: model.best.step,
      values: model.best.values,
    });
  if (!dataset?.test || dataset.classes === undefined) return;
  const values = model.best?.values ?? model.last;
  const { classes, probabilities } = predict({
    problem,
    dataset,
    split: "test",
    values,
    backend,
    ...(microBatch !== undefined && { microBatch }),
  });
  writePredictions(folder, {
    split: "test",
    labels: [...dataset.test.targets.data],
    classes,
    probabilities: probabilities.map((probability) => Number(probability.toPrecision(6))),
  });
}
