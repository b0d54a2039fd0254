/**
 * Checkpoints of tasks: one file for the lanes of one program, <study>/checkpoints/<group>.safetensors, replaced whole.
 * It stands until every run of the task has its result.
 */
import { createHash } from "node:crypto";
import { closeSync, existsSync, fsyncSync, openSync, readdirSync, rmSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { SlalomError } from "../base/errors.js";
import {
  decode,
  encode,
  firstDifference,
  type RunConfiguration,
  readSafetensors,
  runId,
  type Study as StoredStudyHandle,
  writeSafetensors,
} from "../runs/index.js";
import type { LoopSnapshot } from "../train/index.js";
import type { StudyRun, Task } from "./tasks.js";

/** The layout that this version writes. */
const checkpointFormat = "1";

/** What a checkpoint says of its runs: their ids by lane, and which of them still trained. */
export interface CheckpointHead {
  readonly path: string;
  readonly step: number;
  readonly runs: readonly string[];
  /** What each of them is, in the same order. */
  readonly configurations?: readonly RunConfiguration[];
  /** Numbers of the lanes that had ended. */
  readonly ended: readonly number[];
}

/** The file of the task's lanes. */
export function checkpointPath(folder: string, configurations: readonly RunConfiguration[]): string {
  const ids = configurations.map(runId).join("\n");
  return join(folder, `${createHash("sha256").update(ids).digest("hex").slice(0, 16)}.safetensors`);
}

/** Replaces the task's checkpoint; the one before stays whole until this one is on the device. */
export function saveCheckpoint(path: string, task: Task, { tensors, ...loop }: LoopSnapshot): void {
  const said = {
    format: checkpointFormat,
    runs: JSON.stringify(task.configurations.map(runId)),
    configurations: encode(task.configurations),
    loop: encode(loop),
  };
  const metadata = { ...said, checksum: checksumOf(tensors, said) };
  writeSafetensors(path, { tensors, metadata }, asideOf(path));
  flushFolder(dirname(path));
}

/** When every run of the task has its result. */
export function removeCheckpoint(path: string): void {
  rmSync(path, { force: true });
  rmSync(asideOf(path), { force: true });
}

/**
 * When every run of the study has its result: removes what a process was writing when it was killed. Its runs may have
 * been divided into other tasks since, which write to other files.
 */
export function removeLeftovers(folder: string): void {
  for (const name of namesIn(folder))
    if (name.endsWith(asideEnding)) rmSync(join(folder, name), { force: true });
}

const asideEnding = ".aside";

const asideOf = (path: string): string => join(dirname(path), `.${basename(path)}${asideEnding}`);

/** SHA-256 of everything that a checkpoint says: a disk may change a bit and leave the form whole. */
function checksumOf(
  tensors: LoopSnapshot["tensors"],
  said: Readonly<Record<string, string | undefined>>,
): string {
  const hash = createHash("sha256");
  for (const [name, { dtype, shape, data }] of Object.entries(tensors)) {
    hash.update(JSON.stringify([name, dtype, shape]));
    hash.update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  }
  const { checksum: _own, ...rest } = said;
  return hash.update(JSON.stringify(Object.entries(rest))).digest("hex");
}

/** @throws SlalomError "store" for a file that is broken, damaged or of a newer version */
export function loadCheckpoint(path: string): { head: CheckpointHead; snapshot: LoopSnapshot } {
  const { tensors, metadata } = readSafetensors(path);
  if (metadata.format !== checkpointFormat || metadata.runs === undefined || metadata.loop === undefined) {
    throw new SlalomError(
      "store",
      `${path} is no checkpoint of this version (format ${metadata.format ?? "absent"}; expected ${checkpointFormat}). Delete it, and its runs begin anew.`,
    );
  }
  if (metadata.checksum !== undefined && metadata.checksum !== checksumOf(tensors, metadata)) {
    throw new SlalomError(
      "store",
      `${path} is damaged: what it holds does not match its checksum. Restore it from a copy, or delete it, and its runs begin anew.`,
    );
  }
  const loop = decode(metadata.loop) as Omit<LoopSnapshot, "tensors">;
  const runs = JSON.parse(metadata.runs) as string[];
  const living = new Set(loop.lanes.map(({ number }) => number));
  const ended = runs.map((_, lane) => lane).filter((lane) => !living.has(lane));
  const configurations = metadata.configurations && (decode(metadata.configurations) as RunConfiguration[]);
  return {
    head: { path, step: loop.step, runs, ...(configurations && { configurations }), ended },
    snapshot: { ...loop, tensors },
  };
}

/** A checkpoint with the study's runs that trained in it, by lane. */
export interface FoundCheckpoint {
  readonly head: CheckpointHead;
  readonly runs: readonly StudyRun[];
}

/**
 * The checkpoints of these runs; those of another backend's runs are left to it.
 * @throws SlalomError "store" for a checkpoint of runs that the study does not have, with the first difference
 */
export function findCheckpoints(stored: StoredStudyHandle, all: readonly StudyRun[]): FoundCheckpoint[] {
  const byId = new Map(all.map((run) => [runId(run.configuration), run]));
  return checkpointFiles(stored.checkpointFolder).flatMap((path) => {
    const head = headIfThere(path);
    if (!head) return [];
    const runs = head.runs.flatMap((id) => byId.get(id) ?? []);
    if (runs.length === head.runs.length) return [{ head, runs }];
    const here = all.map(({ configuration }) => configuration);
    checkForeign(head, here);
    return [];
  });
}

/** Tasks that go on from checkpoints. One serves if all runs that trained in it are missing; one that serves nobody is removed. */
export function continuedTasks(
  checkpoints: readonly FoundCheckpoint[],
  missing: ReadonlySet<RunConfiguration>,
): Task[] {
  return checkpoints.flatMap(({ head: { path, step, ended }, runs }) => {
    const isEnded = new Set(ended);
    if (!runs.every((run, lane) => isEnded.has(lane) || missing.has(run.configuration))) {
      removeCheckpoint(path);
      return [];
    }
    const [{ choice, configuration }] = runs;
    return [
      {
        choice,
        seed: configuration.seed,
        configurations: runs.map((run) => run.configuration),
        checkpoint: { path, step, ended },
      },
    ];
  });
}

/** Undefined where another process has given its runs their results meanwhile, and removed it. */
function headIfThere(path: string): CheckpointHead | undefined {
  try {
    return loadCheckpoint(path).head;
  } catch (error) {
    if (existsSync(path)) throw error;
    return undefined;
  }
}

/** Throws unless the checkpoint is of runs of this study on another backend. */
function checkForeign(
  { path, runs, configurations = [] }: CheckpointHead,
  here: readonly RunConfiguration[],
): void {
  const known = new Set(here.map(runId));
  const lane = runs.findIndex((id) => !known.has(id));
  const there = configurations[lane];
  const differenceTo = (one: RunConfiguration) => firstDifference({ ...there, backend: one.backend }, one);
  if (there && here.some((one) => differenceTo(one) === undefined)) return;
  const isAlike = (one: RunConfiguration): boolean =>
    one.optimizer === there.optimizer &&
    one.seed === there.seed &&
    encode(one.hyperparameters) === encode(there.hyperparameters);
  const difference = there && differenceTo(here.find(isAlike) ?? here[0]);
  const named = difference
    ? `${difference.path} is ${difference.left} there and ${difference.right} here`
    : `it has the run ${runs[lane]}, which is not here`;
  throw new SlalomError(
    "store",
    `${path} is a checkpoint of another study: ${named}. Move it to where it belongs, or delete it.`,
  );
}

const checkpointFiles = (folder: string): string[] =>
  namesIn(folder)
    .filter((name) => name.endsWith(".safetensors"))
    .map((name) => join(folder, name));

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder).sort();
  } catch {
    // No folder: nothing was interrupted.
    return [];
  }
}

/** Brings a renamed file's name to the device; some systems have no way to. */
function flushFolder(folder: string): void {
  try {
    const handle = openSync(folder, "r");
    try {
      fsyncSync(handle);
    } finally {
      closeSync(handle);
    }
  } catch {
    // The file itself is flushed; only its name may be the old one after a power loss.
  }
}
