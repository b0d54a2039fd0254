/**
 * What a study takes in memory, told before anything is trained: how many lanes share a program, what each worker needs,
 * and whether the machine has it.
 */
import { bytesOf } from "../base/dtype.js";
import { sizeOf } from "../base/shape.js";
import type { Backend } from "../compile/backend.js";
import { planProgram } from "../compile/planProgram.js";
import { type Dataset, splitNames } from "../learn/datasets/dataset.js";
import { compactionWidth } from "../train/compaction.js";
import { laneProgram, programBytes } from "../train/index.js";
import type { AvailableMemory } from "./availableMemory.js";
import type { Study } from "./study.js";
import { laneTraining, type Task } from "./tasks.js";

/** Of one worker. */
export interface MemoryPart {
  readonly what: string;
  readonly bytes: number;
}

/** The most that a study's training takes at a time. */
export interface StudyMemory {
  /** Workers that have something to do. */
  readonly workers: number;
  /** Threads or GPUs that share each program. */
  readonly ranks: number;
  /** Of the largest program; more of them, `wantedLanes`, would train faster where there is the memory. */
  readonly lanes: number;
  readonly wantedLanes: number;
  /** Whether programs are in a device's memory, and take none of the machine's. */
  readonly onDevice: boolean;
  /** Memories that the programs of all workers are divided among. */
  readonly memories: number;
  /** The largest program, in one memory. */
  readonly program: readonly MemoryPart[];
  readonly programBytes: number;
  /** The most that a program can have; of a device's memory, a worker's share. */
  readonly mostProgramBytes: number;
  /** Why no more; empty where there is no limit. */
  readonly programLimit: string;
  /** The data set in the program, and as it was loaded. */
  readonly programDataBytes: number;
  readonly loadedDataBytes: number;
  /** What a worker takes beside its program. */
  readonly beside: readonly MemoryPart[];
  readonly workerBytes: number;
  readonly totalBytes: number;
  readonly available: AvailableMemory;
  /** The entry that needs the most for activations and gradients. */
  readonly widestEntry: string;
}

/** Who trains, and how much memory there is. */
export interface MemoryOptions {
  readonly workers: number;
  /** Memories of devices that their programs are divided among; default 1. */
  readonly memories?: number;
  readonly backend: Pick<Backend, "ranks" | "processes" | "planOf" | "memoryOf">;
  readonly available: AvailableMemory;
}

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
 * The tasks that `tasksWith` makes for at most so many lanes a program, with the most lanes that fit into memory; one
 * lane where not even that does. Beside them what they take; nothing where there are no tasks.
 */
export function fittingTasks(
  study: Study,
  dataset: Dataset | undefined,
  tasksWith: (maxLanes: number) => Task[],
  options: MemoryOptions,
): { readonly tasks: Task[]; readonly memory?: StudyMemory } {
  let wantedLanes = 0;
  for (let maxLanes = laneLimit(study, dataset); ; ) {
    const tasks = tasksWith(maxLanes);
    if (tasks.length === 0) return { tasks };
    const memory = memoryOf(study, dataset, tasks, options);
    const widest = tasks.reduce(
      (most, task) => (task.checkpoint ? most : Math.max(most, task.configurations.length)),
      1,
    );
    wantedLanes ||= memory.lanes;
    if (fits(memory) || widest === 1) return { tasks, memory: { ...memory, wantedLanes } };
    maxLanes = Math.max(1, Math.min(widest - 1, Math.ceil(widest * shareThatFits(memory))));
  }
}

/**
 * The share of the lanes that fits: too many where more than the data is the same for any number of lanes, never too few.
 */
function shareThatFits({
  workers,
  available,
  workerBytes,
  programBytes: bytes,
  ...memory
}: StudyMemory): number {
  const { mostProgramBytes, programDataBytes, loadedDataBytes, onDevice } = memory;
  const workerDataBytes = loadedDataBytes + (onDevice ? 0 : programDataBytes);
  const forLanes = (limit: number, all: number, data: number): number => (limit - data) / (all - data);
  return Math.min(
    forLanes(available.bytes / workers, workerBytes, workerDataBytes),
    forLanes(mostProgramBytes, bytes, programDataBytes),
  );
}

export const fits = ({
  totalBytes,
  available,
  programBytes: bytes,
  mostProgramBytes,
}: StudyMemory): boolean => totalBytes <= available.bytes && bytes <= mostProgramBytes;

/** What training the tasks takes at most; at least one task. */
export function memoryOf(
  study: Study,
  dataset: Dataset | undefined,
  tasks: readonly Task[],
  { workers, memories = 1, backend, available }: MemoryOptions,
): StudyMemory {
  const stateBytes = (task: Task): number => bytesOfLanes(study, dataset, task);
  // Programs of one study differ in lanes and slots alone.
  const largest = tasks.reduce((most, task) => (stateBytes(task) > stateBytes(most) ? task : most));
  const lanes = largest.configurations.length;
  const training = laneTraining(study, dataset, largest);
  const { processes = 1 } = backend;
  const { program: ofLanes } = laneProgram(training, lanes, backend.ranks);
  const plan = backend.planOf?.(ofLanes) ?? planProgram(ofLanes, { processes });
  const {
    workspaceBytes = 0,
    mostBytes = Number.POSITIVE_INFINITY,
    limit = "",
    onDevice = false,
  } = backend.memoryOf?.(plan) ?? {};
  const bytes = programBytes(plan);
  const all = plan.arenaBytes + workspaceBytes;
  const keepsBest = study.keepModel || study.test === "end" || study.earlyStopping?.restore === "best";
  const best = keepsBest ? bytes.parameters : 0;
  const smaller = compactionWidth(lanes);
  const ofSmaller: MemoryPart = {
    what: `the program of ${smaller} lanes, once others ended`,
    bytes: smaller > 0 ? bytes.data + Math.ceil(((all - bytes.data) * smaller) / lanes) : 0,
  };
  const loadedDataBytes = datasetBytes(dataset);
  const program: MemoryPart[] = [
    { what: "parameters", bytes: bytes.parameters },
    { what: "slots of the optimizer", bytes: bytes.slots },
    { what: "sums of gradients", bytes: bytes.sums },
    { what: "data", bytes: bytes.data },
    { what: `activations, gradients ("${bytes.widestEntry}")`, bytes: bytes.temporaries },
    { what: "traces, constants", bytes: bytes.rest },
    { what: "workspaces of libraries", bytes: workspaceBytes },
    ...(onDevice ? [ofSmaller] : []),
  ];
  const beside: MemoryPart[] = [
    { what: "data as loaded", bytes: loadedDataBytes },
    { what: "best parameters so far", bytes: best },
    // Its numbers, and the file that is made of them.
    { what: "a checkpoint in the making", bytes: 2 * (bytes.remembered + best) },
    ...(onDevice ? [] : [ofSmaller]),
  ];
  const kept = beside.filter((part) => part.bytes > 0);
  const sumOf = (parts: readonly MemoryPart[]): number => parts.reduce((sum, part) => sum + part.bytes, 0);
  const programBytesInAll = sumOf(program);
  const workerBytes = (onDevice ? 0 : programBytesInAll) + sumOf(kept);
  const busy = Math.min(workers, tasks.length);
  return {
    workers: busy,
    ranks: backend.ranks ?? 1,
    lanes,
    wantedLanes: lanes,
    onDevice,
    memories: Math.min(memories, busy),
    program: program.filter((part) => part.bytes > 0),
    programBytes: programBytesInAll,
    mostProgramBytes: onDevice ? mostBytes / Math.ceil(busy / memories) : mostBytes,
    programLimit: limit,
    programDataBytes: bytes.data,
    loadedDataBytes,
    beside: kept,
    workerBytes,
    totalBytes: busy * workerBytes,
    available,
    widestEntry: bytes.widestEntry,
  };
}

const datasetBytes = (dataset: Dataset | undefined): number =>
  splitNames
    .flatMap((name) => dataset?.[name] ?? [])
    .reduce((sum, { inputs, targets }) => sum + inputs.data.byteLength + targets.data.byteLength, 0);

/** Parameters, gradients, averages and slots of the task's lanes: which of a study's programs is the largest. */
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
