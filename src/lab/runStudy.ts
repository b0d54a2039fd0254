/** Running a study: what is missing in the store is trained, task by task, by whoever executes tasks. */
import { cpus } from "node:os";
import type { Dataset } from "../learn/datasets/dataset.js";
import type { Store, Study as StoredStudyHandle } from "../runs/index.js";
import { type AvailableMemory, availableMemory } from "./availableMemory.js";
import { checkpointedTasks, removeLeftovers } from "./checkpoints.js";
import type { Executor } from "./executor.js";
import { checkMemory, fittingTasks, type StudyMemory } from "./memory.js";
import { ProgressTally, type StudyProgress } from "./progress.js";
import type { Study } from "./study.js";
import { checkMetrics, configurationsOf, isDeterministic, recordOf, tasksFor, totalSteps } from "./tasks.js";
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
}

export interface StudyOutcome {
  /** The study's folder. */
  readonly folder: string;
  /** "interrupted" where the signal ended it before every run had a result. */
  readonly status: "completed" | "interrupted";
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
  const { store, executor, signal, available = availableMemory() } = options;
  const started = performance.now();
  const elapsedS = (): number => (performance.now() - started) / 1000;
  const dataset = await study.problem.dataset?.load();
  checkMetrics(study, dataset);
  const stored = storedStudy(study, dataset, options);
  const all = configurationsOf(study, dataset, stored.record.seeds, executor.backend.name);
  const missing = new Set(stored.missing(all.map(({ configuration }) => configuration)));
  const continued = checkpointedTasks(stored, all, missing);
  const covered = new Set(continued.flatMap(({ configurations }) => configurations));
  const fresh = all.filter(({ configuration }) => missing.has(configuration) && !covered.has(configuration));
  const { workers, backend } = executor;
  const { tasks, memory } = fittingTasks(
    study,
    dataset,
    (maxLanes) => [...continued, ...tasksFor(fresh, { workers, maxLanes })],
    { workers, backend, available },
  );
  if (memory) {
    checkMemory(study, memory);
    options.onPlanned?.(memory);
  }
  const storedBefore = all.length - missing.size;
  const tally = new ProgressTally({ total: all.length, storedBefore }, tasks, totalSteps(study, dataset));
  await executor.execute(study, tasks, {
    store,
    ...(signal && { signal }),
    onProgress: (event) => {
      tally.see(event);
      options.onProgress?.(tally.report(elapsedS()));
    },
  });
  if (tally.trained === missing.size) removeLeftovers(stored.checkpointFolder);
  return {
    folder: stored.folder,
    status: signal?.aborted && tally.trained < missing.size ? "interrupted" : "completed",
    runsTotal: all.length,
    runsTrained: tally.trained,
    runsStoredBefore: storedBefore,
    elapsedS: elapsedS(),
    versionChanges: stored.versionChanges,
  };
}

function storedStudy(
  study: Study,
  dataset: Dataset | undefined,
  { store, executor, ifExists = "continue" }: RunStudyOptions,
): StoredStudyHandle {
  const versions = {
    slalom: slalomVersion(),
    node: process.version,
    backend: executor.backend.description,
    cpu: cpus()[0]?.model ?? "unknown",
  };
  return store.createStudy(recordOf(study, versions, isDeterministic(study, dataset)), { ifExists });
}
