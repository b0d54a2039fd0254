/**
 * Running a study: what is missing in the store is trained, task by task, by whoever executes tasks. Results go
 * from the executing thread straight into the store; only progress comes back.
 */
import { cpus } from "node:os";
import type { Backend } from "../compile/backend.js";
import type { Dataset } from "../learn/datasets/dataset.js";
import { type RunWriter, runId, type Store, type Study as StoredStudyHandle } from "../runs/index.js";
import { trainLanes } from "../train/index.js";
import type { Study } from "./study.js";
import {
  configurationsOf,
  isDeterministic,
  laneTraining,
  recordOf,
  type Task,
  tasksFor,
  totalSteps,
} from "./tasks.js";
import { slalomVersion } from "./version.js";

/** Trains tasks: in this thread (`inThread`), or in worker threads. */
export interface Executor {
  /** As `slalom doctor` prints the backend. */
  readonly backendDescription: string;
  /** Tasks that it trains at a time. */
  readonly workers: number;
  /** Trains all tasks; rejects at the first that fails to train at all. Ends early when the signal says so. */
  execute(study: Study, tasks: readonly Task[], hooks: ExecutionHooks): Promise<void>;
}

export interface ExecutionHooks {
  readonly store: Store;
  readonly signal?: AbortSignal;
  readonly onProgress: (event: TaskProgress) => void;
}

/** How far one task is; `task` counts in the list that was given. */
export interface TaskProgress {
  readonly task: number;
  readonly step: number;
  /** The last loss of each run that still trains, by id. */
  readonly losses: Readonly<Record<string, number>>;
  /** Set for the runs that ended since the last report. */
  readonly ended: readonly { readonly run: string; readonly status: string }[];
}

export interface StudyProgress {
  readonly runsTotal: number;
  /** With those stored before. */
  readonly runsDone: number;
  readonly runsStoredBefore: number;
  readonly diverged: number;
  /** Sum over runs of the share of their steps that is done, 0 to `runsTotal`. */
  readonly work: number;
  readonly elapsedS: number;
  /** Estimated from the work done so far; undefined at the start. */
  readonly secondsLeft: number | undefined;
  /** Updates of all lanes together, per second. */
  readonly stepsPerSecond: number;
  /** Tasks being trained now. */
  readonly running: readonly {
    readonly label: string;
    readonly seed: number;
    readonly lanes: number;
    readonly step: number;
    readonly steps: number;
    readonly bestLoss: number;
  }[];
}

export interface RunStudyOptions {
  readonly store: Store;
  readonly executor: Executor;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: StudyProgress) => void;
  /** "continue" (default) trains what a stored study of the same question lacks; "refuse" if one is stored. */
  readonly ifExists?: "continue" | "refuse";
}

export interface StudyOutcome {
  /** The study's folder. */
  readonly folder: string;
  readonly status: "completed" | "interrupted";
  readonly runsTotal: number;
  readonly runsTrained: number;
  readonly runsStoredBefore: number;
  readonly elapsedS: number;
  /** Versions that differ from those that the stored part was made with. */
  readonly versionChanges: readonly string[];
}

/** Trains every run of the study that the store lacks. Errors: those of the store, of the data, of training. */
export async function runStudy(study: Study, options: RunStudyOptions): Promise<StudyOutcome> {
  const { store, executor, signal } = options;
  const started = performance.now();
  const dataset = await study.problem.dataset?.load();
  const deterministic = isDeterministic(study, dataset);
  const versions = {
    slalom: slalomVersion(),
    node: process.version,
    backend: executor.backendDescription,
    cpu: cpus()[0]?.model ?? "unknown",
  };
  const stored = store.createStudy(recordOf(study, versions, deterministic), {
    ifExists: options.ifExists ?? "continue",
  });
  const all = configurationsOf(study, dataset, stored.record.seeds);
  const missing = new Set(stored.missing(all.map(({ configuration }) => configuration)));
  const tasks = tasksFor(
    all.filter(({ configuration }) => missing.has(configuration)),
    { workers: executor.workers, maxLanes: laneLimit(study, dataset) },
  );
  const progress = new ProgressTally(
    all.length,
    all.length - missing.size,
    tasks,
    totalSteps(study, dataset),
  );
  await executor.execute(study, tasks, {
    store,
    ...(signal && { signal }),
    onProgress: (event) => {
      progress.see(event);
      options.onProgress?.(progress.report((performance.now() - started) / 1000));
    },
  });
  return {
    folder: stored.folder,
    status: signal?.aborted ? "interrupted" : "completed",
    runsTotal: all.length,
    runsTrained: progress.ended,
    runsStoredBefore: all.length - missing.size,
    elapsedS: (performance.now() - started) / 1000,
    versionChanges: stored.versionChanges,
  };
}

/** Executes tasks one after another in the calling thread. */
export const inThread = (backend: Backend): Executor => ({
  backendDescription: backend.description,
  workers: 1,
  async execute(study, tasks, { store, signal, onProgress }) {
    for (const [i, task] of tasks.entries()) {
      if (signal?.aborted) return;
      await executeTask(study, task, {
        backend,
        store,
        ...(signal && { signal }),
        onProgress: (event) => onProgress({ ...event, task: i }),
      });
    }
  },
});

export interface ExecuteTaskOptions {
  readonly backend: Backend;
  readonly store: Store;
  readonly signal?: AbortSignal;
  readonly onProgress: (event: Omit<TaskProgress, "task">) => void;
}

/** Trains one task and writes its runs into the stored study. */
export async function executeTask(
  study: Study,
  task: Task,
  { backend, store, signal, onProgress }: ExecuteTaskOptions,
): Promise<void> {
  const stored: StoredStudyHandle = store.openStudy(study.name);
  const dataset = await study.problem.dataset?.load();
  const ids = task.configurations.map(runId);
  const writers: (RunWriter | undefined)[] = task.configurations.map((configuration) =>
    stored.createRun(configuration),
  );
  const ended: { run: string; status: string }[] = [];
  try {
    await trainLanes(
      laneTraining(study, dataset, task),
      backend,
      {
        rows: (lane, rows) => writers[lane]?.append(rows),
        finish: (lane, outcome) => {
          writers[lane]?.finish(outcome);
          writers[lane] = undefined;
          ended.push({ run: ids[lane], status: outcome.status });
        },
      },
      {
        ...(signal && { signal }),
        onProgress: ({ step, losses }) =>
          onProgress({
            step,
            losses: Object.fromEntries([...losses].map(([lane, loss]) => [ids[lane], loss])),
            ended: ended.splice(0),
          }),
      },
    );
  } catch (error) {
    for (const writer of writers) writer?.fail(error);
    throw error;
  }
  onProgress({ step: 0, losses: {}, ended: ended.splice(0) });
}

/**
 * Lanes of one program. More make larger matrix products; what limits them is the cache that a lane's
 * parameters, gradients and slots live in between steps.
 */
function laneLimit(study: Study, dataset: Dataset | undefined): number {
  const numbers = Object.values(study.problem.build(dataset).parameters).reduce(
    (sum, { shape }) => sum + shape.reduce((size, extent) => size * extent, 1),
    0,
  );
  return Math.max(1, Math.min(64, Math.floor(lanesMemory / (numbers * 4))));
}

/** Bytes of parameters that the lanes of one program may have together. */
const lanesMemory = 8 << 20;

/** Adds up the progress of tasks. */
class ProgressTally {
  ended = 0;
  private diverged = 0;
  private readonly done: number[];
  private readonly living: number[];
  private readonly current = new Map<number, TaskProgress>();
  private laneSteps = 0;

  constructor(
    private readonly runsTotal: number,
    private readonly storedBefore: number,
    private readonly tasks: readonly Task[],
    private readonly steps: number,
  ) {
    this.done = tasks.map(() => 0);
    this.living = tasks.map((task) => task.configurations.length);
  }

  see(event: TaskProgress): void {
    const { task, step, ended } = event;
    this.ended += ended.length;
    this.diverged += ended.filter(({ status }) => status === "diverged").length;
    this.laneSteps += Math.max(0, step - this.done[task]) * this.living[task];
    this.done[task] = Math.max(step, this.done[task]);
    this.living[task] -= ended.length;
    if (this.living[task] > 0) this.current.set(task, event);
    else this.current.delete(task);
  }

  report(elapsedS: number): StudyProgress {
    // Ended runs count whole, whether they went all the way or diverged.
    const work = this.tasks.reduce(
      (sum, { configurations }, i) =>
        sum + configurations.length - this.living[i] + (this.living[i] * this.done[i]) / this.steps,
      0,
    );
    const left = this.runsTotal - this.storedBefore - work;
    return {
      runsTotal: this.runsTotal,
      runsDone: this.storedBefore + this.ended,
      runsStoredBefore: this.storedBefore,
      diverged: this.diverged,
      work: this.storedBefore + work,
      elapsedS,
      secondsLeft: work > 0 ? (elapsedS * left) / work : undefined,
      stepsPerSecond: elapsedS > 0 ? this.laneSteps / elapsedS : 0,
      running: [...this.current.values()].map(({ task, step, losses }) => {
        const [first] = this.tasks[task].configurations;
        const values = Object.values(losses).filter(Number.isFinite);
        return {
          label: first.label ?? first.optimizer,
          seed: this.tasks[task].seed,
          lanes: this.living[task],
          step,
          steps: this.steps,
          bestLoss: values.length > 0 ? Math.min(...values) : Number.NaN,
        };
      }),
    };
  }
}
