/**
 * Whoever trains the tasks of a study. Results go from the training thread straight into the store; only
 * progress comes back.
 */
import { basename } from "node:path";
import type { Backend } from "../compile/backend.js";
import type { Dataset } from "../learn/datasets/dataset.js";
import { makeFolderWithin, type RunWriter, runId, type Store, type TimeLedger } from "../runs/index.js";
import { Ledger, ledgerOfFailure, trainLanes } from "../train/index.js";
import { checkpointPath, loadCheckpoint, removeCheckpoint, saveCheckpoint } from "./checkpoints.js";
import type { TaskProgress } from "./progress.js";
import { storeModel } from "./storeModel.js";
import type { Study } from "./study.js";
import { laneTraining, type Task } from "./tasks.js";

/** Trains tasks: in this thread (`inThread`), or in worker threads. */
export interface Executor {
  /** Its name goes into every run, its description into the study; what it needs for a program is asked beforehand. */
  readonly backend: Omit<Backend, "compile">;
  /** Tasks that it trains at a time. */
  readonly workers: number;
  /** Memories of devices that the programs of its workers are divided among; default 1. */
  readonly memories?: number;
  /** Trains all tasks; rejects at the first that fails to train at all. Ends early when the signal says so. */
  execute(study: Study, tasks: readonly Task[], hooks: ExecutionHooks): Promise<void>;
}

export interface ExecutionHooks {
  readonly store: Store;
  readonly signal?: AbortSignal;
  readonly onProgress: (event: TaskProgress) => void;
}

/** Executes tasks one after another in the calling thread. */
export const inThread = (backend: Backend): Executor => ({
  backend,
  workers: 1,
  async execute(study, tasks, { store, signal, onProgress }) {
    let dataset: Dataset | undefined;
    for (const [i, task] of tasks.entries()) {
      if (signal?.aborted) return;
      const ledger = new Ledger();
      dataset ??= await ledger.until("input", loadedDataset(study));
      await executeTask(study, task, {
        backend,
        store,
        ledger,
        ...(dataset && { dataset }),
        ...(signal && { signal }),
        onProgress: (event) => onProgress({ ...event, task: i }),
      });
    }
  },
});

export interface ExecuteTaskOptions {
  readonly backend: Backend;
  readonly store: Store;
  /** The problem's, where it is loaded already. */
  readonly dataset?: Dataset;
  /** Of what led to this task; by default one that starts here. */
  readonly ledger?: Ledger;
  readonly signal?: AbortSignal;
  readonly onProgress: (event: Omit<TaskProgress, "task">) => void;
}

/** The problem's data; undefined where it has none. */
export const loadedDataset = async (study: Study): Promise<Dataset | undefined> =>
  study.problem.dataset?.load();

/** Trains one task and writes its runs into the stored study; where training fails, all of them end as failed. */
export async function executeTask(
  study: Study,
  task: Task,
  { backend, store, dataset: loaded, ledger = new Ledger(), signal, onProgress }: ExecuteTaskOptions,
): Promise<void> {
  const stored = store.openStudy(study.name);
  const dataset = loaded ?? (await ledger.until("input", loadedDataset(study)));
  const ids = task.configurations.map(runId);
  const writers = new Map<number, RunWriter>();
  let ended: { run: string; status: string }[] = [];
  const takeEnded = (): typeof ended => {
    const taken = ended;
    ended = [];
    return taken;
  };
  const path = task.checkpoint?.path ?? checkpointPath(stored.checkpointFolder, task.configurations);
  let from: ReturnType<typeof loadCheckpoint> | undefined;
  try {
    from = task.checkpoint && loadCheckpoint(task.checkpoint.path);
    for (const [lane, configuration] of task.configurations.entries()) {
      if (from?.head.ended.includes(lane)) continue;
      writers.set(
        lane,
        from ? stored.continueRun(configuration, from.head.step) : stored.createRun(configuration),
      );
    }
    await trainLanes(
      laneTraining(study, dataset, task),
      backend,
      {
        rows: (lane, rows) => writers.get(lane)?.append(rows),
        model: (lane, model) => {
          const folder = writers.get(lane)?.folder;
          if (folder !== undefined) storeModel({ folder, run: ids[lane], model, study, dataset, backend });
        },
        finish: (lane, outcome) => {
          writers.get(lane)?.finish(outcome);
          writers.delete(lane);
          ended.push({ run: ids[lane], status: outcome.status });
        },
      },
      {
        ledger,
        ...(signal && { signal }),
        ...(from && { from: { snapshot: from.snapshot, source: path } }),
        checkpoints: {
          every: study.checkpointEvery,
          save(snapshot) {
            // Rows first: a checkpoint counts on those of its past.
            for (const writer of writers.values()) writer.sync();
            makeFolderWithin(stored.folder, basename(stored.checkpointFolder));
            saveCheckpoint(path, task, snapshot);
          },
        },
        onProgress: ({ step, losses }) =>
          onProgress({
            step,
            losses: Object.fromEntries([...losses].map(([lane, loss]) => [ids[lane], loss])),
            ended: takeEnded(),
          }),
      },
    );
  } catch (error) {
    const fromStep = from?.head.step ?? 0;
    const spent = ledgerOfFailure(ledger, { lanes: task.configurations.length, fromStep });
    for (const writer of writers.values()) failQuietly(writer, error, spent);
    throw error;
  }
  if (!signal?.aborted) removeCheckpoint(path);
  onProgress({ step: 0, losses: {}, ended: takeEnded() });
}

/** Where the store itself is what failed, the error that says so counts, not that it can't be written there. */
function failQuietly(writer: RunWriter, error: unknown, spent: TimeLedger): void {
  try {
    writer.fail(error, spent);
  } catch {
    // The run stands as unfinished, and is trained again.
  }
}
