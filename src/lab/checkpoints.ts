/**
 * Checkpoints of tasks: one file for the lanes of one program, <study>/checkpoints/<group>.safetensors, replaced whole.
 * It stands until every run of the task has its result.
 */
import { createHash } from "node:crypto";
import { closeSync, fsyncSync, openSync, readdirSync, rmSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { SlalomError } from "../base/errors.js";
import {
  decode,
  encode,
  type RunConfiguration,
  readSafetensors,
  runId,
  type Study as StoredStudyHandle,
  writeSafetensors,
} from "../runs/index.js";
import type { LoopSnapshot } from "../train/index.js";
import type { Task } from "./tasks.js";

/** The layout that this version writes. */
const checkpointFormat = "1";

/** What a checkpoint says of its runs: their ids by lane, and which of them still trained. */
export interface CheckpointHead {
  readonly path: string;
  readonly step: number;
  readonly runs: readonly string[];
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
  writeSafetensors(
    path,
    {
      tensors,
      metadata: {
        format: checkpointFormat,
        runs: JSON.stringify(task.configurations.map(runId)),
        loop: encode(loop),
      },
    },
    asideOf(path),
  );
  flushFolder(dirname(path));
}

/** When every run of the task has its result. */
export function removeCheckpoint(path: string): void {
  rmSync(path, { force: true });
  rmSync(asideOf(path), { force: true });
}

const asideOf = (path: string): string => join(dirname(path), `.${basename(path)}.aside`);

/** @throws SlalomError "store" for a file that is broken or of a newer version */
export function loadCheckpoint(path: string): { head: CheckpointHead; snapshot: LoopSnapshot } {
  const { tensors, metadata } = readSafetensors(path);
  if (metadata.format !== checkpointFormat || metadata.runs === undefined || metadata.loop === undefined) {
    throw new SlalomError(
      "store",
      `${path} is no checkpoint of this version (format ${metadata.format ?? "absent"}; expected ${checkpointFormat}). Delete it, and its runs begin anew.`,
    );
  }
  const loop = decode(metadata.loop) as Omit<LoopSnapshot, "tensors">;
  const runs = JSON.parse(metadata.runs) as string[];
  const living = new Set(loop.lanes.map(({ number }) => number));
  const ended = runs.map((_, lane) => lane).filter((lane) => !living.has(lane));
  return { head: { path, step: loop.step, runs, ended }, snapshot: { ...loop, tensors } };
}

/**
 * Tasks that go on from the study's checkpoints, and the runs that are left for others. A checkpoint serves if all runs
 * that trained in it are missing; one that serves nobody is removed.
 */
export function checkpointedTasks(
  stored: StoredStudyHandle,
  all: readonly { readonly choice: number; readonly configuration: RunConfiguration }[],
  missing: ReadonlySet<RunConfiguration>,
): Task[] {
  const byId = new Map(all.map((run) => [runId(run.configuration), run]));
  return checkpointFiles(stored.checkpointFolder).flatMap((path) => {
    const { head } = loadCheckpoint(path);
    const runs = head.runs.map((id) => byId.get(id));
    const isEnded = new Set(head.ended);
    const serves = runs.every((run, lane) => run && (isEnded.has(lane) || missing.has(run.configuration)));
    if (!serves) {
      removeCheckpoint(path);
      return [];
    }
    const present = runs.map((run) => run!);
    const { choice, configuration } = present[0];
    return [
      {
        choice,
        seed: configuration.seed,
        configurations: present.map((run) => run.configuration),
        checkpoint: { path, step: head.step, ended: head.ended },
      },
    ];
  });
}

function checkpointFiles(folder: string): string[] {
  try {
    return readdirSync(folder)
      .filter((name) => name.endsWith(".safetensors"))
      .sort()
      .map((name) => join(folder, name));
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
