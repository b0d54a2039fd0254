/** What ranks sum in each step: loss, metrics, gradients. */
import { bytesOf } from "../base/dtype.js";
import { sizeOf } from "../base/shape.js";
import type { Program } from "../compile/program.js";
import { topologicalOrder } from "../graph/traverse.js";
import { laneProgram, stepEntry } from "../train/index.js";
import { rankTraining } from "./rankTraining.js";
import type { Study } from "./study.js";

export interface Summed {
  readonly tensors: number;
  readonly bytes: number;
}

/** The sums over ranks of a step of the program, before they are fused into anything. */
export function summedIn({ entries }: Program): Summed {
  const { updates, traces } = entries[stepEntry];
  const sums = topologicalOrder([...Object.values(updates), ...Object.values(traces)]).filter(
    ({ op }) => op === "allReduceSum",
  );
  return {
    tensors: sums.length,
    bytes: sums.reduce((total, { shape, dtype }) => total + sizeOf(shape) * bytesOf(dtype), 0),
  };
}

/**
 * The same for the study's first optimizer, whatever the ranks and the batch.
 * @throws SlalomError "option" for a study without batches
 */
export async function summedPerStep(study: Study): Promise<Summed> {
  const { training } = await rankTraining("forecast", { ...study, batchSize: 2 }, { backend: "cpu" });
  return summedIn(laneProgram(training, 1, 2).program);
}
