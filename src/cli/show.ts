/** `slalom show`: what a stored study found, and its runs. */
import { unknownName } from "../base/errors.js";
import { findRun } from "../exports/index.js";
import { ledgersOf, trainingTime } from "../report/index.js";
import { duration, metricName } from "../report/words.js";
import { type StoredRun, type StoredStudy, wholeLedgers } from "../runs/index.js";
import { columns } from "./columns.js";
import type { Output } from "./output.js";
import { report } from "./reporting.js";
import { runResult, studyResult } from "./results.js";
import { storedStudy } from "./storedStudies.js";
import { formatMetric } from "./train.js";

export interface ShowOptions {
  readonly out: string;
  /** Print every run as well. */
  readonly runs: boolean;
  /** Print where the time of each training went. */
  readonly time: boolean;
  readonly rows: boolean;
  /** Of all runs those of an optimizer, by its label or id, and the one of an id, or of how no other id begins. */
  readonly optimizer?: string;
  readonly run?: string;
}

export async function show(which: string, options: ShowOptions, output: Output): Promise<void> {
  const study = await storedStudy(which, options.out);
  const chosen = { ...study, runs: chosenRuns(study, options) };
  output.result({
    studies: [studyResult(study)],
    runs: chosen.runs.map((run) => runResult(study.record.name, run, { rows: options.rows })),
  });
  report(study, { draw: false }, output);
  if (options.runs) output.text(`\n${runTable(chosen, output)}`);
  if (options.time) output.text(`\n${timeTables(chosen, output)}`);
}

function chosenRuns(study: StoredStudy, { optimizer, run }: ShowOptions): readonly StoredRun[] {
  const runs = run === undefined ? study.runs : [findRun(study, run)];
  if (optimizer === undefined) return runs;
  const namesOf = ({ configuration }: StoredRun): string[] => [
    ...(configuration.label === undefined ? [] : [configuration.label]),
    configuration.optimizer,
  ];
  const all = [...new Set(study.runs.flatMap(namesOf))];
  if (!all.includes(optimizer)) throw unknownName(`optimizer of "${study.record.name}"`, optimizer, all);
  return runs.filter((one) => namesOf(one).includes(optimizer));
}

/** A table for each training; of the runs that trained side by side the last one to end names it. */
function timeTables({ runs, record }: StoredStudy, { style }: Output): string {
  const whole = new Set(wholeLedgers(ledgersOf(runs)));
  const tables = runs.flatMap(({ configuration, summary }) => {
    const ledger = summary?.ledger;
    if (!ledger || !whole.has(ledger)) return [];
    const { header, rows, notes } = trainingTime(ledger);
    const title = `${configuration.label ?? configuration.optimizer}, seed ${configuration.seed}`;
    const align = header.map((_, i) => (i === 0 ? "left" : "right"));
    return [[style.bold(title), columns(rows, { header, align, style }), ...notes].join("\n")];
  });
  if (tables.length > 0) return tables.join("\n\n");
  return `${record.name}: no run says where its time went; runs of earlier versions do not.`;
}

function runTable({ runs, record }: StoredStudy, { style }: Output): string {
  const hyperparameters = [
    ...new Set(record.optimizers.flatMap((grid) => Object.keys(grid.hyperparameters))),
  ].filter((name) => new Set(record.optimizers.flatMap((grid) => grid.hyperparameters[name] ?? [])).size > 1);
  const measured = new Set(runs.flatMap((run) => Object.keys(run.summary?.final ?? {})));
  const metrics = [
    "trainLoss",
    "validationLoss",
    "validationAccuracy",
    "testAccuracy",
    "gradientNoiseScale",
  ].filter((metric) => measured.has(metric));
  const rows = runs.map((run) => {
    const { configuration, summary } = run;
    return [
      configuration.label ?? configuration.optimizer,
      ...hyperparameters.map((name) => String(configuration.hyperparameters[name] ?? "")),
      String(configuration.seed),
      summary?.stoppedEarly ? "stopped early" : run.status,
      String(summary?.stepsDone ?? ""),
      ...metrics.map((metric) =>
        summary && metric in summary.final ? formatMetric(metric, summary.final[metric]) : "",
      ),
      summary ? duration(summary.timeS) : "",
    ];
  });
  const header = [
    "optimizer",
    ...hyperparameters,
    "seed",
    "status",
    "steps",
    ...metrics.map(metricName),
    "time",
  ];
  return columns(rows, {
    header,
    align: header.map((name) => (name === "optimizer" || name === "status" ? "left" : "right")),
    style,
  });
}
