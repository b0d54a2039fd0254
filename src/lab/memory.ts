/** What a study takes in memory: how many lanes share a program, and whether the machine can hold all workers. */
import { totalmem } from "node:os";
import { bytesOf } from "../base/dtype.js";
import { SlalomError } from "../base/errors.js";
import { sizeOf } from "../base/shape.js";
import { type Dataset, splitNames } from "../learn/datasets/dataset.js";
import type { Study } from "./study.js";
import type { Task } from "./tasks.js";

/**
 * Lanes of one program. More make larger matrix products; what limits them is the cache that a lane's
 * parameters, gradients and slots live in between steps.
 */
export function laneLimit(study: Study, dataset: Dataset | undefined): number {
  const numbers = parameterShapes(study, dataset).reduce((sum, shape) => sum + sizeOf(shape), 0);
  return Math.max(1, Math.min(mostLanes, Math.floor(lanesMemory / (numbers * 4))));
}

const mostLanes = 64;
/** Bytes of parameters that the lanes of one program may have together. */
const lanesMemory = 8 << 20;

/**
 * Throws "device" where the machine can't hold what the workers need at the least: each has the data twice, as loaded
 * and in its program, and for every lane parameters, gradients and their sums, slots and averages.
 */
export function checkMemory(
  study: Study,
  dataset: Dataset | undefined,
  tasks: readonly Task[],
  { workers, availableBytes = machineBytes() }: { workers: number; availableBytes?: number },
): void {
  const busy = Math.min(workers, tasks.length);
  const dataBytes = 2 * datasetBytes(dataset);
  const laneBytes = tasks.reduce((most, task) => Math.max(most, bytesOfLanes(study, dataset, task)), 0);
  const needed = busy * (dataBytes + laneBytes);
  if (needed <= availableBytes) return;
  throw new SlalomError(
    "device",
    `study "${study.name}": ${busy} worker${busy === 1 ? "" : "s"} need at least ${gibibytes(needed)} GiB (each ${gibibytes(dataBytes)} for data and ${gibibytes(laneBytes)} for lanes), and the machine has ${gibibytes(availableBytes)}. Use fewer workers, less data or a smaller model.`,
  );
}

/** What the machine has, or less where the process may use less of it. */
function machineBytes(): number {
  const limit = process.constrainedMemory?.() ?? 0;
  return limit > 0 ? Math.min(totalmem(), limit) : totalmem();
}

const datasetBytes = (dataset: Dataset | undefined): number =>
  splitNames
    .flatMap((name) => dataset?.[name] ?? [])
    .reduce((sum, { inputs, targets }) => sum + inputs.data.byteLength + targets.data.byteLength, 0);

function bytesOfLanes(study: Study, dataset: Dataset | undefined, task: Task): number {
  const { dtype } = study;
  const { optimizer, average } = study.optimizers[task.choice];
  const copies = 2 + (average ? 1 : 0) + (study.microBatch === undefined ? 0 : 1);
  const oneLane = parameterShapes(study, dataset).reduce((sum, shape) => {
    const slots = Object.values(optimizer.slots({ shape, dtype }));
    const slotBytes = slots.reduce((bytes, slot) => bytes + sizeOf(slot.shape) * bytesOf(slot.dtype), 0);
    return sum + copies * sizeOf(shape) * bytesOf(dtype) + slotBytes;
  }, 0);
  return task.configurations.length * oneLane;
}

const parameterShapes = (study: Study, dataset: Dataset | undefined): (readonly number[])[] =>
  Object.values(study.problem.build(dataset).parameters).map(({ shape }) => shape);

const gibibytes = (bytes: number): string => (bytes / 2 ** 30).toPrecision(2);
