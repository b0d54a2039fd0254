/** How many examples a step takes: a batch, in parts one after another where it is accumulated, divided among ranks. */
import { SlalomError } from "../base/errors.js";
import type { BuiltProblem } from "../learn/problems/problem.js";
import { type LaneTraining, stepsPerEpoch } from "./configuration.js";

export interface BatchSizes {
  /** Examples of a batch; where that is the whole split it is filled up to what parts and ranks divide. */
  readonly batch: number;
  /** Examples of a part on all ranks; the batch's where it is taken whole. */
  readonly part: number;
  /** Examples of a part on one rank. */
  readonly own: number;
}

/** @throws SlalomError "option" where parts can't divide a batch, or ranks a part */
export function batchSizes(
  { batchSize, microBatch }: Pick<LaneTraining, "batchSize" | "microBatch">,
  count: number,
  ranks: number,
): BatchSizes {
  const filled = (size: number): number => Math.ceil(count / size) * size;
  const isWhole = batchSize === "full" || batchSize >= count;
  if (microBatch !== undefined && microBatch < (isWhole ? count : batchSize)) {
    requireMultiple(`a micro-batch of ${microBatch} examples on ${ranks} ranks`, {
      size: microBatch,
      of: ranks,
      remedy: "Take another micro-batch, or other ranks.",
    });
    const batch = isWhole ? filled(microBatch) : batchSize;
    requireMultiple(`a batch of ${batch} examples in micro-batches of ${microBatch}`, {
      size: batch,
      of: microBatch,
      remedy: "Take another batch size, or a micro-batch that divides it.",
    });
    return { batch, part: microBatch, own: microBatch / ranks };
  }
  const batch = isWhole ? filled(ranks) : batchSize;
  requireMultiple(`a batch of ${batch} examples on ${ranks} ranks`, {
    size: batch,
    of: ranks,
    remedy: "Take another batch size, or other ranks.",
  });
  return { batch, part: batch, own: batch / ranks };
}

/** Examples of the batch of a step: a last one may be short. */
export function examplesAt({ batch }: BatchSizes, count: number, step: number): number {
  const first = (step % stepsPerEpoch(count, batch)) * batch;
  return Math.min(batch, count - first);
}

/** Parts that the batch of a step is taken in: a short last batch has fewer. */
export const partsAt = (sizes: BatchSizes, count: number, step: number): number =>
  Math.ceil(examplesAt(sizes, count, step) / sizes.part);

/**
 * For a model that takes statistics of batches: throws where a rank would take them of no example, its share of the last
 * part being empty, or where those of all of a batch are asked for and it is taken in parts.
 * @throws SlalomError "option"
 */
export function checkStatistics(
  { state = {} }: BuiltProblem,
  { batch, part, own }: BatchSizes,
  { count, ranks }: { readonly count: number; readonly ranks: number },
): void {
  const specs = Object.entries(state);
  const [ofBatch] = specs.find(([, { follows }]) => follows === "batch") ?? [];
  if (ofBatch !== undefined && part < batch)
    throw new SlalomError(
      "option",
      `training: "${ofBatch}" follows from all of a batch, and a batch of ${batch} examples is taken in parts of ${part}, one after another; expected whole batches. Leave the micro-batch out, or normalise by parts (batchNorm without synchronized).`,
    );
  if (specs.every(([, { follows }]) => follows === "batch")) return;
  const rest = count % part;
  if (rest === 0 || rest > part - own) return;
  throw new SlalomError(
    "option",
    `training: the last batch has ${rest} examples of ${part}, which leaves one of ${ranks} ranks without any, and the model takes statistics of batches; expected examples for each. Take a size that divides ${count}, one rank, or statistics of all ranks (batchNorm with synchronized).`,
  );
}

function requireMultiple(
  what: string,
  { size, of, remedy }: { readonly size: number; readonly of: number; readonly remedy: string },
): void {
  if (size % of === 0) return;
  const below = Math.floor(size / of) * of;
  const possible = below === 0 ? `${of}` : `${below} or ${below + of}`;
  throw new SlalomError(
    "option",
    `training: ${what}; expected a multiple of ${of}, such as ${possible}. ${remedy}`,
  );
}
