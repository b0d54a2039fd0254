/** The tables of a study: the best setting of each optimizer, and every setting that was tried. */
import { type Interval, interval } from "../lab/statistics/index.js";
import type { StoredStudy } from "../runs/index.js";
import {
  analyse,
  type OptimizerResult,
  type ReportOptions,
  type SettingResult,
  type StudyAnalysis,
} from "./analysis.js";
import { type Criterion, valueIn } from "./criteria.js";
import { gapsOf, hasBatches, type SettingGap } from "./gaps.js";
import { stoppedEarly } from "./lengths.js";
import { numberCell, type ReportCell, type ReportColumn, type ReportTable, textCell } from "./table.js";
import { timeTable } from "./time.js";
import {
  capitalised,
  chosenValue,
  decadesInWords,
  duration,
  hyperparameterName,
  integer,
  metricInterval,
  settingInWords,
  targetInWords,
} from "./words.js";

/** "best", "targets", "optimum", "tuning" and "time": one row for each optimizer; "settings": one for each setting. Errors: as `analyse`. */
export const tablesOf = (study: StoredStudy, options: ReportOptions = {}): ReportTable[] =>
  tablesFrom(analyse(study, options));

export const tablesFrom = (analysis: StudyAnalysis): ReportTable[] => [
  bestTable(analysis),
  ...(analysis.study.record.targets.length > 0 ? [targetTable(analysis)] : []),
  ...(hasBatches(analysis) && gapsOf(analysis).length > 0 ? [optimumTable(analysis)] : []),
  tuningTable(analysis),
  ...timeTable(analysis),
  settingsTable(analysis),
];

function bestTable(analysis: StudyAnalysis): ReportTable {
  const { select, report, fallback } = analysis;
  const criteria = distinct([report, select, fallback]);
  return {
    id: "best",
    title: "Best settings",
    note: `Chosen by ${select.words}. ${spreadNote(analysis)}`,
    columns: [
      { label: "Optimizer" },
      { label: "Best setting" },
      ...criteria.map(
        ({ words }, i): ReportColumn => ({
          label: capitalised(words),
          align: "right",
          weight: i === 0 ? undefined : "detail",
        }),
      ),
    ],
    rows: inOrder(analysis).map(({ name, best }) => [
      textCell(name),
      textCell(best === undefined ? "none came to an end" : best.words || "the only one"),
      ...criteria.map((criterion) => valueCell(best, criterion)),
    ]),
  };
}

function tuningTable(analysis: StudyAnalysis): ReportTable {
  const { select, study } = analysis;
  return {
    id: "tuning",
    title: "Tuning",
    note: `The good range is of the learning rate: ${select.words} ${select.toleranceWords}, the other hyperparameters at their best. Time is that of training alone; runs that train side by side share the machine.`,
    columns: [
      { label: "Optimizer" },
      { label: "Good range", align: "right" },
      { label: "Settings tried", align: "right" },
      { label: "Diverged runs", align: "right" },
      ...(study.record.earlyStopping ? [{ label: "Stopped early", align: "right" } as const] : []),
      { label: "Time of a run at its best setting", align: "right" },
    ],
    rows: inOrder(analysis).map(({ name, best, settings }) => {
      const range = best?.criterion === select ? best.sensitivity?.range : undefined;
      const diverged = settings.reduce((sum, setting) => sum + setting.diverged.length, 0);
      return [
        textCell(name),
        numberCell(range?.decades, () => (range ? decadesInWords(range) : "")),
        numberCell(settings.length, integer),
        numberCell(diverged, integer),
        ...(study.record.earlyStopping
          ? [numberCell(stoppedEarly(settings.flatMap(({ runs }) => runs)).length, integer)]
          : []),
        numberCell(best && timeOf(best), duration),
      ];
    }),
  };
}

function targetTable(analysis: StudyAnalysis): ReportTable {
  const { targets } = analysis.study.record;
  const isInEpochs = analysis.position === "epoch";
  const columns: ReportColumn[] = [
    { label: "Optimizer" },
    ...targets.flatMap((target): ReportColumn[] => [
      { label: `${isInEpochs ? "Epochs" : "Steps"} to ${targetInWords(target)}`, align: "right" },
      { label: "Seconds", align: "right" },
      ...(analysis.isDeterministic ? [] : [{ label: "Seeds there", align: "right" } as const]),
    ]),
  ];
  const rows = inOrder(analysis).flatMap(({ name, best }): ReportCell[][] => {
    if (best === undefined) return [];
    const cells = targets.flatMap((_, i): ReportCell[] => {
      const time = best.targets[i]?.time;
      const count = (isInEpochs ? time?.epochs : time?.steps)?.median;
      return [
        timeCell(count, (value) => (Number.isInteger(value) ? integer(value) : value.toFixed(2))),
        timeCell(time?.seconds?.median, duration),
        ...(analysis.isDeterministic ? [] : [textCell(time ? `${time.reached} of ${time.runs}` : "–")]),
      ];
    });
    return [[textCell(name), ...cells]];
  });
  const median = analysis.isDeterministic
    ? ""
    : " Medians over seeds; a seed that never gets there counts as never.";
  return {
    id: "targets",
    title: "Targets",
    note: `When each target was first met, at the best settings.${median}`,
    columns,
    rows,
  };
}

/** For training on batches; elsewhere the training loss at the end tells the same. */
function optimumTable(analysis: StudyAnalysis): ReportTable {
  const gaps = gapsOf(analysis);
  const cell = ({ gap: { estimate, low, high } }: SettingGap): ReportCell => ({
    text: metricInterval("", estimate, low, high),
    sort: estimate,
  });
  return {
    id: "optimum",
    title: "Distance from the optimum",
    note: `What the training loss of the final parameters has above the least, ${analysis.problem!.optimum!.loss.toPrecision(5)}. ${spreadNote(analysis)}`,
    columns: [
      { label: "Optimizer" },
      { label: "Above the least loss at its best setting", align: "right" },
      { label: "Above it at the nearest", align: "right" },
      { label: "Nearest setting" },
    ],
    rows: inOrder(analysis).flatMap(({ name }): ReportCell[][] => {
      const own = gaps.find((one) => one.name === name);
      if (own === undefined) return [];
      return [[textCell(name), cell(own.best), cell(own.nearest), textCell(own.nearest.setting.words)]];
    }),
  };
}

function settingsTable(analysis: StudyAnalysis): ReportTable {
  const { select, report, fallback, optimizers } = analysis;
  const criteria = distinct([select, fallback, report]);
  const names = [...new Set(optimizers.flatMap(({ varied }) => varied))];
  const columns: ReportColumn[] = [
    { label: "Optimizer" },
    ...names.map((name): ReportColumn => ({ label: capitalised(hyperparameterName(name)), align: "right" })),
    ...criteria.map(({ words }): ReportColumn => ({ label: capitalised(words), align: "right" })),
    { label: "Runs", align: "right" },
    { label: "Outcome" },
  ];
  const rows = optimizers.flatMap((optimizer) =>
    optimizer.settings.map((setting): ReportCell[] => [
      textCell(optimizer.name),
      ...names.map((name) => numberCell(setting.hyperparameters[name], chosenValue)),
      ...criteria.map((criterion) => valueCell(setting, criterion)),
      numberCell(setting.runs.length, integer),
      textCell(outcomeOf(setting, optimizer)),
    ]),
  );
  return {
    id: "settings",
    title: "All settings",
    note: `${fixedNote(optimizers)}${spreadNote(analysis)}`,
    columns,
    rows,
  };
}

/** Best first, then those without a best setting. */
function inOrder({ optimizers, standings }: StudyAnalysis): OptimizerResult[] {
  const order = standings.standings.map(({ name }) => name);
  const place = ({ name }: OptimizerResult) => (order.includes(name) ? order.indexOf(name) : order.length);
  return [...optimizers].sort((a, b) => place(a) - place(b));
}

function valueCell(setting: SettingResult | undefined, criterion: Criterion): ReportCell {
  if (setting === undefined) return numberCell(undefined, String);
  if (setting.diverged.length > 0) return { text: "diverged", sort: Number.NaN };
  const values = setting.runs.map((run) => valueIn(run, criterion));
  if (!values.every(Number.isFinite)) return { text: "not reached", sort: Number.NaN };
  const found = interval(values);
  return { text: intervalInWords(found, criterion), sort: found.estimate };
}

function intervalInWords({ estimate, low, high }: Interval, criterion: Criterion): string {
  if (!Number.isFinite(low) || low === high) return criterion.format(estimate);
  if (criterion.kind === "steps")
    return `${integer(estimate)} (${integer(Math.max(0, low))} to ${integer(high)})`;
  return metricInterval(criterion.metric, estimate, low, high);
}

function timeCell(value: number | undefined, format: (value: number) => string): ReportCell {
  if (value === undefined) return numberCell(undefined, format);
  return Number.isFinite(value) ? numberCell(value, format) : { text: "never", sort: Number.NaN };
}

/** Where and in what it diverged, or that it came to its end and how, or that it is the best. */
function outcomeOf(setting: SettingResult, { best }: OptimizerResult): string {
  const { runs, diverged } = setting;
  if (diverged.length === 0) {
    const outcome = best !== undefined && best.runs === runs ? "best of its optimizer" : "completed";
    const stopped = stoppedEarly(runs).length;
    if (stopped === 0) return outcome;
    return `${outcome}, ${stopped === runs.length ? "" : `${stopped} of ${runs.length} seeds `}stopped early`;
  }
  const first = diverged
    .flatMap(({ summary }) => summary?.divergence ?? [])
    .sort((a, b) => a.step - b.step)[0];
  const where = first === undefined ? "" : `: ${first.quantity} at step ${integer(first.step)}`;
  return diverged.length === runs.length
    ? `diverged${where}`
    : `diverged on ${diverged.length} of ${runs.length} seeds${where}`;
}

/** Mean training time over the seeds. */
const timeOf = ({ runs }: SettingResult): number =>
  runs.reduce((sum, { summary }) => sum + (summary?.timeS ?? 0), 0) / runs.length;

function spreadNote({ isDeterministic, study }: StudyAnalysis): string {
  if (isDeterministic) return "The seed has no effect (same start, same batches), so there are no intervals.";
  return study.record.seeds.length === 1
    ? "One seed: there are no intervals."
    : "Values are means over seeds with 95 % intervals.";
}

/** What no setting varies: it stands here once instead of in every row. */
function fixedNote(optimizers: readonly OptimizerResult[]): string {
  const parts = optimizers.flatMap(({ name, varied, settings }) => {
    const names = Object.keys(settings[0].hyperparameters).filter((one) => !varied.includes(one));
    if (names.length === 0) return [];
    return [`${name}: ${settingInWords(settings[0].hyperparameters, { names })}`];
  });
  return parts.length === 0 ? "" : `The same in all settings: ${parts.join("; ")}. `;
}

const distinct = (criteria: readonly Criterion[]): Criterion[] =>
  criteria.filter((one, i) => criteria.findIndex((other) => other.words === one.words) === i);
