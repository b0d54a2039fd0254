/** Running a study: what is missing in the store is trained, task by task, by whoever executes tasks. */
import { cpus } from "node:os";
import type { Dataset } from "../learn/datasets/dataset.js";
import type { Store, Study as StoredStudyHandle, Versions } from "../runs/index.js";
import { type AvailableMemory, availableMemory } from "./availableMemory.js";
import { checkMemory } from "./checkMemory.js";
import { continuedTasks, findCheckpoints, removeLeftovers } from "./checkpoints.js";
import type { Executor } from "./executor.js";
import { fittingTasks, type StudyMemory } from "./memory.js";
import { ProgressTally, type StudyProgress } from "./progress.js";
import { runsOfShare, type Share, withCheckpoints } from "./shares.js";
import type { Study } from "./study.js";
import {
  checkMetrics,
  configurationsOf,
  isDeterministic,
  recordOf,
  type StudyRun,
  tasksFor,
  totalSteps,
} from "./tasks.js";
import { slalomVersion } from "./version.js";

export interface RunStudyOptions {
  readonly store: Store;
  readonly executor: Executor;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: StudyProgress) => void;
  /** Told what training takes in memory, once it is known to fit and before it begins; not where nothing is missing. */
  readonly onPlanned?: (memory: StudyMemory) => void;
  /** How much memory there is; by default what the system says. */
  readonly available?: AvailableMemory;
  /** "continue" (default) trains what a stored study of the same question lacks; "refuse" if one is stored. */
  readonly ifExists?: "continue" | "refuse";
  /** Which of the runs; by default all. */
  readonly share?: Share;
}

export interface StudyOutcome {
  /** The study's folder. */
  readonly folder: string;
  /** "interrupted" where the signal ended it before every run had a result. */
  readonly status: "completed" | "interrupted";
  /** Runs of the study, or of the share that was asked for. */
  readonly runsTotal: number;
  /** Runs that got their result now. */
  readonly runsTrained: number;
  readonly runsStoredBefore: number;
  readonly elapsedS: number;
  /** Versions that differ from those that the stored part was made with. */
  readonly versionChanges: readonly string[];
}

/**
 * Trains every run of the study that the store lacks.
 * @throws SlalomError "store" for another study of this name, "data" for broken data, "option" for a target or early
 * stopping by a metric that the study does not measure, "device" with a table for too little memory; and what the
 * executor rejects with
 */
export async function runStudy(study: Study, options: RunStudyOptions): Promise<StudyOutcome> {
  const { store, executor, signal, share, available = availableMemory() } = options;
  const started = performance.now();
  const elapsedS = (): number => (performance.now() - started) / 1000;
  const dataset = await study.problem.dataset?.load();
  checkMetrics(study, dataset);
  const stored = storedStudy(study, dataset, options);
  const all = configurationsOf(study, dataset, stored.record.seeds, executor.backend.name);
  // Checkpoints first: a run in one that is gone a moment later has its result by then, so nobody repeats it.
  const found = findCheckpoints(stored, all);
  const { runs: own, checkpoints } = share
    ? withCheckpoints(all, found, share)
    : { runs: all, checkpoints: found };
  const missing = new Set(stored.missing(own.map(({ configuration }) => configuration)));
  const continued = continuedTasks(checkpoints, missing);
  const covered = new Set(continued.flatMap(({ configurations }) => configurations));
  const fresh = own.filter(({ configuration }) => missing.has(configuration) && !covered.has(configuration));
  const { workers, memories, backend } = executor;
  const { tasks, memory } = fittingTasks(
    study,
    dataset,
    (maxLanes) => [...continued, ...tasksFor(fresh, { workers, maxLanes })],
    { workers, ...(memories !== undefined && { memories }), backend, available },
  );
  if (memory) {
    checkMemory(study, memory);
    options.onPlanned?.(memory);
  }
  const storedBefore = own.length - missing.size;
  const tally = new ProgressTally({ total: own.length, storedBefore }, tasks, totalSteps(study, dataset));
  await executor.execute(study, tasks, {
    store,
    ...(signal && { signal }),
    onProgress: (event) => {
      tally.see(event);
      options.onProgress?.(tally.report(elapsedS()));
    },
  });
  // Beside other shares they may be what is being written now.
  if (!share && tally.trained === missing.size) removeLeftovers(stored.checkpointFolder);
  return {
    folder: stored.folder,
    status: signal?.aborted && tally.trained < missing.size ? "interrupted" : "completed",
    runsTotal: own.length,
    runsTrained: tally.trained,
    runsStoredBefore: storedBefore,
    elapsedS: elapsedS(),
    versionChanges: stored.versionChanges,
  };
}

/** The study's runs, or those of a share, and which of them the store lacks. */
export interface PlannedRuns {
  readonly all: readonly StudyRun[];
  readonly missing: readonly StudyRun[];
}

/**
 * What `runStudy` would train on the backend of this name; nothing is made or changed.
 * @throws SlalomError as `runStudy` does before it trains
 */
export async function plannedRuns(
  study: Study,
  { store, backend, share }: Pick<RunStudyOptions, "store" | "share"> & { readonly backend: string },
): Promise<PlannedRuns> {
  const dataset = await study.problem.dataset?.load();
  checkMetrics(study, dataset);
  const record = recordOf(study, versionsWith(backend), isDeterministic(study, dataset));
  const stored = store.sameStudy(record);
  const runs = configurationsOf(study, dataset, record.seeds, backend);
  const all = share ? runsOfShare(runs, share) : runs;
  const missing = new Set(
    stored
      ? stored.missing(all.map(({ configuration }) => configuration))
      : all.map((run) => run.configuration),
  );
  return { all, missing: all.filter(({ configuration }) => missing.has(configuration)) };
}

function storedStudy(
  study: Study,
  dataset: Dataset | undefined,
  { store, executor, ifExists = "continue" }: RunStudyOptions,
): StoredStudyHandle {
  const versions = versionsWith(executor.backend.description);
  return store.createStudy(recordOf(study, versions, isDeterministic(study, dataset)), { ifExists });
}

const versionsWith = (backend: string): Versions => ({
  slalom: slalomVersion(),
  node: process.version,
  backend,
  cpu: cpus()[0]?.model ?? "unknown",
});
