/** What `run`, `train` and `tour` share: studies trained by worker threads into a store, under the user's eyes. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  availableMemory,
  memoryLine,
  runStudy,
  type Share,
  type Study,
  type StudyOutcome,
} from "../lab/index.js";
import type { BackendChoice } from "../launch/backendChoice.js";
import { followWorld } from "../launch/backends.js";
import type { StudySource } from "../launch/studySource.js";
import { coreCount, openWorkers, type Workers } from "../launch/threads.js";
import { worldOf } from "../launch/world.js";
import { counted, duration } from "../report/words.js";
import { loadStudy, openStore, type StoredStudy } from "../runs/index.js";
import { exitCodes } from "./exit.js";
import { listenForInterrupt, type Signal } from "./interrupt.js";
import type { Output } from "./output.js";
import { type ProgressView, progressView } from "./progress.js";
import { statusCounts } from "./results.js";

export interface TrainingOptions {
  /** Folder of the run store. */
  readonly out: string;
  readonly backend: BackendChoice;
  /** Threads or GPUs that share each training; "auto": as many threads as are predicted to be the fastest. Default 1. */
  readonly ranks?: number | "auto";
  /** By default as many as there are cores, or named GPUs, for their ranks, as far as there are runs for them. */
  readonly workers?: number;
  /** Deletes what is stored of the studies first. */
  readonly fresh?: boolean;
  /** Which runs of each study; by default all. */
  readonly share?: Share;
  /** Says what is trained, on standard error; progress is shown in any case. */
  readonly announce: boolean;
  /** Told of each study when it is trained or interrupted, before the next begins. */
  readonly onTrained?: (trained: TrainedStudy) => void;
}

export interface StudyToTrain {
  readonly study: Study;
  readonly source: StudySource;
}

export interface TrainedStudy {
  readonly study: Study;
  readonly outcome: StudyOutcome;
  readonly stored: StoredStudy;
}

/** What training came to, and with which code the process ends where a signal cut it short. */
export interface Training {
  readonly trained: readonly TrainedStudy[];
  readonly interruptedCode: number;
  /** The signal, where there was one. */
  readonly interruptedBy: Signal | undefined;
}

/** Trains the studies one after another; after a signal the rest are left out. */
export async function trainStudies(
  studies: readonly StudyToTrain[],
  options: TrainingOptions,
  output: Output,
): Promise<Training> {
  const store = openStore(options.out);
  if (options.fresh) {
    for (const { study } of studies) if (store.has(study.name)) store.removeStudy(study.name);
  }
  const trained: TrainedStudy[] = [];
  const all = studies.map(({ study }) => study);
  const { ranks, reason } = await chosenRanks(all, options);
  const world = worldOf(process.env);
  const workers = await openWorkers({
    backend: { ...options.backend, ...(ranks !== undefined && { ranks }), ...(world && { world }) },
    ...(options.workers !== undefined && { count: options.workers }),
    useful: usefulWorkers(all),
  });
  const { ranks: together = 1 } = workers.backend;
  const isChosen = ranks !== undefined || options.workers !== undefined || world !== undefined;
  const hint =
    options.backend.backend === "cuda" && together > 1 && !isChosen && Math.max(...all.map(runCount)) > 1
      ? ", each run on all of them (--ranks 1: a run on each)"
      : "";
  if (!options.announce && reason !== "") output.note(`${workers.backend.description}${reason}`);
  let view: ProgressView | undefined;
  const interrupt = listenForInterrupt(() => view?.stopping());
  try {
    for (const [i, { study, source }] of studies.entries()) {
      if (interrupt.signal.aborted) break;
      if (options.announce) {
        const { description } = workers.backend;
        const text = announcement(study, `${description}${reason}${hint}`, workers, output);
        output.note(i === 0 ? text : `\n${text}`);
      }
      view = progressView(study.name, output);
      const { show, end } = view;
      try {
        const outcome = await runStudy(study, {
          store,
          executor: workers.executorFor(source),
          signal: interrupt.signal,
          ...(options.share && { share: options.share }),
          available: availableMemory({ environment: process.env }),
          ...(options.announce && {
            onPlanned: (memory) => output.note(output.noteStyle.dim(memoryLine(memory))),
          }),
          onProgress: show,
        });
        trained.push({ study, outcome, stored: loadStudy(outcome.folder) });
      } finally {
        end();
      }
      options.onTrained?.(trained[i]);
    }
  } finally {
    interrupt.release();
    await workers.close();
  }
  return { trained, interruptedCode: interrupt.exitCode(), interruptedBy: interrupt.received() };
}

/**
 * Of several processes that were started together, all but the first: trains what that one tells, and gives the exit
 * code. Undefined for the first, and for a process that is alone.
 */
export async function followIfTold(
  backend: BackendChoice,
  ranks?: number | "auto",
): Promise<number | undefined> {
  const world = worldOf(process.env);
  if (world === undefined || world.rank === 0) return undefined;
  await followWorld(
    { ...backend, ...(ranks !== undefined && { ranks: ranks === "auto" ? 1 : ranks }) },
    world,
  );
  return exitCodes.success;
}

/** A folder for a store that nobody asked to keep, removed when `use` is done. */
export async function withTemporaryStore<T>(use: (root: string) => Promise<T>): Promise<T> {
  const root = mkdtempSync(join(tmpdir(), "slalom-"));
  try {
    return await use(root);
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}

/** "71 of 71 runs trained in 1.2 s", with what was stored before and what is left. */
export function outcomeLine({ outcome, stored }: TrainedStudy): string {
  const { runsTotal, runsStoredBefore, elapsedS, status } = outcome;
  const { completed = 0, diverged = 0 } = statusCounts(stored.runs);
  const divergedText = diverged > 0 ? `; ${diverged} of ${runsTotal} diverged` : "";
  if (runsStoredBefore === runsTotal)
    return `All ${counted(runsTotal, "run")} are stored already: nothing to train${divergedText}.`;
  const trained = completed + diverged - runsStoredBefore;
  const before = runsStoredBefore > 0 ? `, ${runsStoredBefore} were stored before` : "";
  const verb = status === "interrupted" ? "Interrupted: trained" : "Trained";
  return `${verb} ${trained} of ${counted(runsTotal, "run")} in ${duration(elapsedS)}${before}${divergedText}.`;
}

/**
 * A worker for each run of the largest study; and one for work that is done before a second would be ready: a worker
 * starts within about 0.3 s, in which it makes a hundred thousand steps without data.
 */
export function usefulWorkers(studies: readonly Study[]): number {
  const isSmall = (study: Study): boolean =>
    study.problem.dataset === undefined && runCount(study) * (study.steps ?? 0) <= smallSteps;
  return studies.every(isSmall) ? 1 : Math.max(...studies.map(runCount));
}

const smallSteps = 100_000;

/** Independent runs need no meeting: ranks are for studies that leave cores without a run. */
async function chosenRanks(
  studies: readonly Study[],
  { ranks, backend, workers = 1 }: TrainingOptions,
): Promise<{ ranks: number | undefined; reason: string }> {
  if (ranks !== "auto") return { ranks, reason: "" };
  const cores = Math.floor(coreCount() / workers);
  const isSpread =
    worldOf(process.env) !== undefined || studies.some((study) => runCount(study) >= coreCount());
  if (backend.backend !== "cpu" || cores < 2 || isSpread) return { ranks: 1, reason: "" };
  const { predictRanks } = await import("../launch/rankChoice.js");
  const { best, speedup } = await predictRanks(studies[0], cores);
  const reason =
    best === 1
      ? ", 1 rank (more are predicted no faster)"
      : ` (predicted ${speedup.toFixed(1)} times one rank)`;
  return { ranks: best, reason };
}

const runCount = ({ optimizers, seeds }: Study): number =>
  seeds.length *
  optimizers.reduce(
    (sum, { settings }) =>
      sum + Object.values(settings).reduce((product, values) => product * values.length, 1),
    0,
  );

function announcement(
  study: Study,
  backend: string,
  { count, gpus }: Pick<Workers, "count" | "gpus">,
  { noteStyle }: Output,
): string {
  const { title, optimizers, seeds, epochs, steps } = study;
  const parts = [
    counted(runCount(study), "run"),
    counted(optimizers.length, "optimizer"),
    counted(seeds.length, "seed"),
    epochs === undefined ? counted(steps!, "step") : counted(epochs, "epoch"),
    backend,
    `${counted(count, "worker")}${gpus.length > 0 ? ` on GPUs ${gpus.join(", ")}` : ""}`,
  ];
  return `${noteStyle.bold(title)}\n${noteStyle.dim(parts.join(" · "))}`;
}
