/** What a run has learned and what it says of examples: files in the run's folder, written whole. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { HostTensor } from "../base/shape.js";
import { readRecord, writeWhole } from "./files.js";
import { encode } from "./json.js";
import { storeFormat } from "./records.js";
import { readSafetensors, writeSafetensors } from "./safetensors.js";

/** "last": as training ended. "best": as they were at the best evaluation on the validation split. */
export type WhichModel = "last" | "best";

export interface StoredModel {
  readonly run: string;
  readonly problem: string;
  /** Updates made. */
  readonly step: number;
  /** Parameters and states by name. */
  readonly values: Readonly<Record<string, HostTensor>>;
}

/** Predictions of a classifier, by example, in the split's order. */
export interface StoredPredictions {
  readonly split: string;
  readonly labels: readonly number[];
  readonly classes: readonly number[];
  /** Of the predicted class. */
  readonly probabilities: readonly number[];
}

const modelPath = (folder: string, which: WhichModel): string => join(folder, `${which}.safetensors`);

export const writeModel = (
  folder: string,
  which: WhichModel,
  { values, run, problem, step }: StoredModel,
): void =>
  writeSafetensors(modelPath(folder, which), {
    tensors: values,
    metadata: { run, problem, step: `${step}` },
  });

/** @throws SlalomError "store" where the run keeps no model or the file is broken */
export function readModel(folder: string, which: WhichModel): StoredModel {
  const { tensors, metadata } = readSafetensors(modelPath(folder, which));
  return { run: metadata.run, problem: metadata.problem, step: Number(metadata.step), values: tensors };
}

/** Whether the run keeps that model. */
export const hasModel = (folder: string, which: WhichModel): boolean => existsSync(modelPath(folder, which));

export const writePredictions = (folder: string, predictions: StoredPredictions): void =>
  writeWhole(join(folder, "predictions.json"), `${encode({ format: storeFormat, ...predictions })}\n`);

/** Undefined where the run keeps none. */
export const readPredictions = (folder: string): StoredPredictions | undefined =>
  readRecord<StoredPredictions>(
    join(folder, "predictions.json"),
    "Delete it; the run's other files are whole.",
  );
