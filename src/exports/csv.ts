/** A study as tables for any other program: its rows, or a line for each run. CSV as RFC 4180 has it, lines ended by "\n". */
import type { RunSummary, StoredRun, StoredStudy, Target } from "../runs/index.js";
import { metricsOf, rowsOf } from "./rows.js";
import { optimizerOf, settingNames, settingsOf } from "./settings.js";

/** An absent value is an empty cell. */
export type Cell = string | number | undefined;

/** A table, line after line, so that not all of it must be in memory. */
export interface Table {
  readonly columns: readonly string[];
  readonly lines: Iterable<readonly Cell[]>;
}

/**
 * All rows of a study, one line a measured step: run, optimizer, settings, seed, step, epoch, timeS, metrics. Settings
 * that a run does not have, and metrics that were not measured at a step, are empty.
 * @param runs those wanted; default: all
 */
export function rowsTable(study: StoredStudy, runs: readonly StoredRun[] = study.runs): Table {
  const metrics = metricsOf(runs);
  const settings = settingNames(runs);
  const position = ["step", "epoch", "timeS"];
  const taken = [...runColumns, ...position];
  const settingColumns = distinct(settings, "setting", taken);
  function* lines(): Generator<readonly Cell[]> {
    for (const run of runs) {
      const known = runCells(run, settings);
      for (const { step, epoch, timeS, values } of rowsOf(run, metrics))
        yield [...known, step, epoch, timeS, ...values];
    }
  }
  return {
    columns: [
      ...withSettings(settingColumns),
      ...position,
      ...distinct(metrics, "metric", [...taken, ...settings]),
    ],
    lines: lines(),
  };
}

/**
 * One line a run: run, optimizer, settings, seed, status, steps, epochs and seconds done, the last and the best value of
 * each metric, when targets were reached, what diverged, what failed. Of an unfinished run there is the status alone.
 * @param runs those wanted; default: all
 */
export function summariesTable({ runs: all, record }: StoredStudy, runs: readonly StoredRun[] = all): Table {
  const summaries = runs.flatMap(({ summary }) => summary ?? []);
  const settings = settingNames(runs);
  const [final, best] = (["final", "best"] as const).map((part) => [
    ...new Set(summaries.flatMap((summary) => Object.keys(summary[part]))),
  ]);
  const endColumns = [
    "status",
    "stepsDone",
    "epochsDone",
    "timeS",
    ...final.map((metric) => `final.${metric}`),
    ...best.flatMap((metric) => [`best.${metric}`, `best.${metric}.step`]),
    ...record.targets.flatMap((target) => targetFields.map((field) => `${targetName(target)}.${field}`)),
    ...divergenceFields.map((field) => `divergence.${field}`),
    "error",
  ];
  const endCells = (summary: RunSummary): Cell[] => [
    summary.stepsDone,
    summary.epochsDone,
    summary.timeS,
    ...final.map((metric) => summary.final[metric]),
    ...best.flatMap((metric) => [summary.best[metric]?.value, summary.best[metric]?.step]),
    ...summary.targets.flatMap((target) => targetFields.map((field) => target[field] ?? undefined)),
    ...divergenceFields.map((field) => summary.divergence?.[field]),
    summary.error,
  ];
  const columns = [
    ...withSettings(distinct(settings, "setting", [...runColumns, ...endColumns])),
    ...endColumns,
  ];
  return {
    columns,
    lines: runs.map((run) => {
      const known = [...runCells(run, settings), run.status, ...(run.summary ? endCells(run.summary) : [])];
      return columns.map((_, i) => known[i]);
    }),
  };
}

/** The table as text, piece by piece, its header first. */
export function* csvOf({ columns, lines }: Table): Generator<string> {
  let text = csvLine(columns);
  for (const line of lines) {
    text += csvLine(line);
    if (text.length < pieceLength) continue;
    yield text;
    text = "";
  }
  yield text;
}

/** Characters that are written at a time. */
const pieceLength = 2 ** 20;

const targetFields = ["step", "epoch", "timeS"] as const;
const divergenceFields = ["step", "quantity", "value", "lastFiniteLoss"] as const;

/** "target.validationAccuracy>=0.92". */
const targetName = ({ metric, value, direction }: Target): string =>
  `target.${metric}${direction === "below" ? "<=" : ">="}${value}`;

/** What says which run it is; its settings stand before the seed. */
const runColumns = ["run", "optimizer", "seed"];
const withSettings = (settings: readonly string[]): string[] => ["run", "optimizer", ...settings, "seed"];

function runCells({ id, configuration }: StoredRun, settings: readonly string[]): Cell[] {
  const own = settingsOf(configuration);
  return [id, optimizerOf(configuration), ...settings.map((name) => own[name]), configuration.seed];
}

/** `names`, with `kind` in front of one that is taken: a study may have a setting that is called "step". */
const distinct = (names: readonly string[], kind: string, taken: readonly string[]): string[] =>
  names.map((name) => (taken.includes(name) ? `${kind}.${name}` : name));

const csvLine = (cells: readonly Cell[]): string => `${cells.map(csvCell).join(",")}\n`;

/** Numbers with all their digits; "NaN" and "Infinity" as they are. */
function csvCell(cell: Cell): string {
  if (cell === undefined) return "";
  if (typeof cell === "number") return Object.is(cell, -0) ? "-0" : String(cell);
  return /[",\r\n]|^\s|\s$/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell;
}
