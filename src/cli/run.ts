/** `slalom run`: trains what a study's store lacks, then summarises, draws and says where everything is. */
import { join } from "node:path";
import { SlalomError, unknownName } from "../base/errors.js";
import { plannedRuns, type Share } from "../lab/index.js";
import type { BackendChoice } from "../launch/backendChoice.js";
import { requeueJob } from "../launch/slurm/commands.js";
import { loadStudies, type StudyOverrides, sourcesOf } from "../launch/studySource.js";
import { timeLine } from "../report/index.js";
import { counted } from "../report/words.js";
import { openStore } from "../runs/index.js";
import { wrapped } from "./columns.js";
import { exitCodes } from "./exit.js";
import type { Output } from "./output.js";
import { report } from "./reporting.js";
import { runResult, studyResult } from "./results.js";
import {
  followIfTold,
  outcomeLine,
  type StudyToTrain,
  type TrainedStudy,
  trainStudies,
  withTemporaryStore,
} from "./training.js";

export interface RunOptions {
  readonly overrides: StudyOverrides;
  readonly out: string;
  readonly workers?: number;
  readonly ranks?: number | "auto";
  readonly fresh: boolean;
  readonly figures: boolean;
  readonly rows: boolean;
  readonly backend: BackendChoice;
  /** Of several studies in the file, the one of this name. */
  readonly only?: string;
  readonly share?: Share;
  /** Puts the job of Slurm that it runs in back into the queue when its time is over. */
  readonly requeue: boolean;
  /** Says what would be trained, and does nothing. */
  readonly dryRun: boolean;
}

/** The studies of the file that are asked for, with where each comes from. */
export async function studiesToRun(
  path: string,
  { overrides, only }: Pick<RunOptions, "overrides" | "only">,
): Promise<StudyToTrain[]> {
  const studies = await loadStudies(path, overrides);
  const sources = sourcesOf(path, studies, overrides);
  const entries = studies.map((study, i) => ({ study, source: sources[i] }));
  const chosen = entries.filter(({ study }) => only === undefined || study.name === only);
  if (chosen.length > 0) return chosen;
  throw unknownName(
    `study of ${path}`,
    only ?? "",
    studies.map(({ name }) => name),
  );
}

export async function runStudies(path: string, options: RunOptions, output: Output): Promise<number> {
  const { out, workers, ranks, fresh, backend, rows, share } = options;
  if (options.dryRun) return foretell(await studiesToRun(path, options), options, output);
  const followed = await followIfTold(backend, ranks);
  if (followed !== undefined) return followed;
  const job = options.requeue ? presentJob() : undefined;
  const entries = await studiesToRun(path, options);
  const isDry = backend.backend === "null";
  const { SLURM_JOB_ID: within } = process.env;
  if (within && !isDry && !fresh) {
    const { awaitOthers } = await import("./awaitOthers.js");
    for (const { study } of entries) await awaitOthers(join(out, study.name), within, output);
  }
  const runIn = async (root: string): Promise<number> => {
    const told: Told[] = [];
    const { trained, interruptedCode, interruptedBy } = await trainStudies(
      entries,
      {
        out: root,
        backend,
        ranks,
        ...(workers !== undefined && { workers }),
        fresh,
        ...(share && { share }),
        announce: true,
        onTrained: (one) => {
          if (!isDry) told.push(tell(one, { figures: options.figures, rows, share }, output));
        },
      },
      output,
    );
    if (isDry) return dryRun(trained, interruptedCode, output);
    const interrupted = trained.length < entries.length || trained.some(isInterrupted);
    output.result({
      status: interrupted ? "interrupted" : "completed",
      studies: told.map(({ study }) => study),
      runs: told.flatMap(({ runs }) => runs),
    });
    if (!interrupted) return exitCodes.success;
    const same = fresh ? "the same command without --fresh" : "the same command";
    output.note(`Everything is kept in ${root}; ${same} goes on from there.`);
    // A scheduler that preempts queues the job again by itself, and one that cancels it must not be contradicted.
    if (job !== undefined && interruptedBy === "SIGUSR2") output.note(requeueJob(job));
    return interruptedCode;
  };
  // Its zeros must never stand beside results.
  return isDry ? withTemporaryStore(runIn) : runIn(out);
}

const isInterrupted = ({ outcome }: TrainedStudy): boolean => outcome.status === "interrupted";

/** A study and its runs, for --json. */
export interface Told {
  readonly study: object;
  readonly runs: readonly object[];
}

/** Prints what came out of a study and returns it. */
export function tell(
  trained: TrainedStudy,
  {
    figures,
    rows = false,
    share,
  }: { readonly figures: boolean; readonly rows?: boolean; readonly share?: Share },
  output: Output,
): Told {
  const { study, stored, outcome } = trained;
  output.note(outcomeLine(trained));
  const time = outcome.runsTrained > 0 ? timeLine(stored.runs) : undefined;
  if (time !== undefined) output.note(output.noteStyle.dim(wrapped(time, output.width)));
  output.note("");
  for (const change of outcome.versionChanges)
    output.note(`Some runs were stored by another version: ${change}`);
  const isWhole = outcome.status === "completed" && !share;
  if (share)
    output.text(
      `Share ${share.number} of ${share.of}. When all are trained: slalom figures ${stored.folder}`,
    );
  const files = isWhole ? report(stored, { problem: study.problem, draw: figures }, output) : {};
  const { runsTotal, runsTrained, runsStoredBefore, elapsedS, status } = outcome;
  return {
    study: { ...studyResult(stored), status, runsTotal, runsTrained, runsStoredBefore, elapsedS, ...files },
    runs: stored.runs.map((run) => runResult(study.name, run, { rows })),
  };
}

function dryRun(trained: readonly TrainedStudy[], interruptedCode: number, output: Output): number {
  output.result({
    status: "compiled",
    studies: trained.map(({ study, outcome }) => ({
      name: study.name,
      runsTotal: outcome.runsTotal,
      elapsedS: outcome.elapsedS,
    })),
    runs: [],
  });
  for (const { study, outcome } of trained)
    output.text(
      `${study.name}: the programs of its ${outcome.runsTotal} runs compile; nothing was trained or stored.`,
    );
  return trained.some(isInterrupted) ? interruptedCode : exitCodes.success;
}

/** Id of the job of Slurm that this process is in. */
export function presentJob(): string {
  const job = process.env.SLURM_JOB_ID;
  if (job) return job;
  throw new SlalomError(
    "option",
    "--requeue: this is no job of Slurm (SLURM_JOB_ID is not set), and no other queue is known. Leave it out.",
  );
}

/** What a run would train. */
async function foretell(
  entries: readonly StudyToTrain[],
  { out, fresh, backend, share }: RunOptions,
  output: Output,
): Promise<number> {
  const store = openStore(out);
  const studies = [];
  for (const { study } of entries) {
    const planned = { store, backend: backend.backend, ...(share && { share }) };
    const { all, missing } = fresh
      ? await withTemporaryStore((root) => plannedRuns(study, { ...planned, store: openStore(root) }))
      : await plannedRuns(study, planned);
    studies.push({ name: study.name, runsTotal: all.length, runsMissing: missing.length });
    const of = share ? ` of share ${share.number} of ${share.of}` : "";
    output.text(`${study.name}: would train ${missing.length} of ${counted(all.length, "run")}${of}.`);
  }
  output.result({ status: "planned", studies });
  return exitCodes.success;
}
