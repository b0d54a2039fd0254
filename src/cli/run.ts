/** `slalom run`: trains what a study's store lacks, then summarises, draws and says where everything is. */
import type { BackendChoice } from "../launch/backendChoice.js";
import { loadStudies, type StudyOverrides, sourcesOf } from "../launch/studySource.js";
import { exitCodes } from "./exit.js";
import type { Output } from "./output.js";
import { report } from "./reporting.js";
import { runResult, studyResult } from "./results.js";
import {
  followIfTold,
  outcomeLine,
  type TrainedStudy,
  trainStudies,
  withTemporaryStore,
} from "./training.js";

export interface RunOptions {
  readonly overrides: StudyOverrides;
  readonly out: string;
  readonly workers?: number;
  readonly ranks: number | "auto";
  readonly fresh: boolean;
  readonly figures: boolean;
  readonly rows: boolean;
  readonly backend: BackendChoice;
}

export async function runStudies(path: string, options: RunOptions, output: Output): Promise<number> {
  const { overrides, out, workers, ranks, fresh, backend, rows } = options;
  const followed = await followIfTold(backend, ranks);
  if (followed !== undefined) return followed;
  const studies = await loadStudies(path, overrides);
  const sources = sourcesOf(path, studies, overrides);
  const entries = studies.map((study, i) => ({ study, source: sources[i] }));
  const isDry = backend.backend === "null";
  const runIn = async (root: string): Promise<number> => {
    const told: Told[] = [];
    const { trained, interruptedCode } = await trainStudies(
      entries,
      {
        out: root,
        backend,
        ranks,
        ...(workers !== undefined && { workers }),
        fresh,
        announce: true,
        onTrained: (one) => {
          if (!isDry) told.push(tell(one, { figures: options.figures, rows }, output));
        },
      },
      output,
    );
    if (isDry) return dryRun(trained, interruptedCode, output);
    const interrupted = trained.length < studies.length || trained.some(isInterrupted);
    output.result({
      status: interrupted ? "interrupted" : "completed",
      studies: told.map(({ study }) => study),
      runs: told.flatMap(({ runs }) => runs),
    });
    if (!interrupted) return exitCodes.success;
    const same = fresh ? "the same command without --fresh" : "the same command";
    output.note(`Everything is kept in ${root}; ${same} goes on from there.`);
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
  { figures, rows = false }: { readonly figures: boolean; readonly rows?: boolean },
  output: Output,
): Told {
  const { study, stored, outcome } = trained;
  output.note(`${outcomeLine(trained)}\n`);
  for (const change of outcome.versionChanges)
    output.note(`Some runs were stored by another version: ${change}`);
  const isWhole = outcome.status === "completed";
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
