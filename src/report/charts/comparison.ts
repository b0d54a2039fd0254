/** Settings side by side as dots with intervals: each optimizer at its best, or settings of one's own. */
import { type ComparisonColumn, type ComparisonValue, comparisonFigure } from "../../figures/index.js";
import { interval, timeToTarget } from "../../lab/statistics/index.js";
import type { Target } from "../../runs/index.js";
import type { SettingResult, StudyAnalysis } from "../analysis.js";
import { type Criterion, targetReached, targetsByWeight, valueIn } from "../criteria.js";
import { capitalised, counted, integer, isAccuracy, targetInWords } from "../words.js";
import { type Chart, optimizerColours } from "./chart.js";

export function comparisonChart(
  analysis: StudyAnalysis,
  options: {
    readonly id: string;
    readonly title: string;
    readonly settings: readonly SettingResult[];
    readonly caption: string;
  },
): Chart | undefined {
  const { settings } = options;
  if (settings.length === 0) return undefined;
  const columns = columnsOf(analysis, settings);
  const rows = settings.map((setting) => ({
    label: setting.optimizer,
    setting: setting.shortWords === "" ? undefined : setting.shortWords,
    category: setting.optimizer,
    values: columns.map((column) => column.value(setting)),
  }));
  return {
    id: options.id,
    section: "comparison",
    title: options.title,
    caption: `${options.caption} ${noteOf(analysis, settings, columns)}`.trim(),
    draw: (text) =>
      comparisonFigure({
        rows,
        columns: columns.map(({ value: _value, ...column }) => column),
        colours: optimizerColours(analysis),
        ...text,
      }),
  };
}

interface Column extends ComparisonColumn {
  readonly kind: "value" | "time";
  value(setting: SettingResult): ComparisonValue;
}

/** What is compared, then what chose or how fast: two columns have room. */
function columnsOf(analysis: StudyAnalysis, settings: readonly SettingResult[]): Column[] {
  const { report, select, fallback, study } = analysis;
  const columns = [valueColumn(report, settings)];
  const times = targetsByWeight(study, analysis);
  const timed = times
    .map((target) => timeColumn(analysis, target, settings))
    .find((column) => column !== undefined);
  if (report.target !== undefined) columns.push(valueColumn(fallback, settings));
  else if (timed !== undefined) columns.push(timed);
  else if (select.metric !== report.metric) columns.push(valueColumn(select, settings));
  return columns;
}

function valueColumn(criterion: Criterion, settings: readonly SettingResult[]): Column {
  const isShare = isAccuracy(criterion.metric) && criterion.kind === "value";
  const share = isShare ? 100 : 1;
  const finite = settings
    .flatMap(({ runs }) => runs.map((run) => valueIn(run, criterion)))
    .filter(Number.isFinite);
  const isWide = Math.max(...finite) > 5 * Math.min(...finite) && finite.every((value) => value > 0);
  return {
    kind: "value",
    label: `${capitalised(criterion.words)}${isShare ? " (%)" : ""}`,
    scale: isWide ? "log" : "linear",
    better: criterion.better,
    format: (value) => criterion.format(value / share).replace(/ %$/, ""),
    value: ({ runs, diverged }) => {
      if (diverged.length > 0) return divergedValue(diverged.length, runs.length);
      const values = runs.map((run) => valueIn(run, criterion));
      if (!values.every(Number.isFinite)) return { note: "not reached" };
      const { estimate, low, high } = interval(values);
      return {
        value: share * estimate,
        ...(Number.isFinite(low) && { lower: share * low, upper: share * high }),
      };
    },
  };
}

/** Median and quartiles over seeds; undefined where none of the settings got there. */
function timeColumn(
  { position }: StudyAnalysis,
  target: Target,
  settings: readonly SettingResult[],
): Column | undefined {
  const spreadOf = ({ runs }: SettingResult) => {
    const never = { step: null, epoch: null, timeS: null };
    const time = timeToTarget(
      runs.map(({ status, summary }) =>
        status === "completed" ? (targetReached(summary?.targets ?? [], target) ?? never) : never,
      ),
    );
    return position === "epoch" ? time?.epochs : time?.steps;
  };
  if (!settings.some((setting) => Number.isFinite(spreadOf(setting)?.median))) return undefined;
  return {
    kind: "time",
    label: `${position === "epoch" ? "Epochs" : "Steps"} to ${targetInWords(target)}`,
    scale: position === "epoch" ? "linear" : "log",
    better: "lower",
    format: (value) => (Number.isInteger(value) ? integer(value) : value.toFixed(1)),
    value: (setting) => {
      if (setting.diverged.length > 0) return divergedValue(setting.diverged.length, setting.runs.length);
      const spread = spreadOf(setting);
      if (spread === undefined || !Number.isFinite(spread.median)) return { note: "not reached" };
      const { median, lowerQuartile, upperQuartile } = spread;
      return {
        value: median,
        ...(setting.runs.length > 1 &&
          Number.isFinite(upperQuartile) && { lower: lowerQuartile, upper: upperQuartile }),
      };
    },
  };
}

const divergedValue = (diverged: number, runs: number): ComparisonValue => ({
  outcome: "diverged",
  note: diverged === runs ? "diverged" : `${diverged} of ${runs} diverged`,
});

function noteOf(
  analysis: StudyAnalysis,
  settings: readonly SettingResult[],
  columns: readonly Column[],
): string {
  if (analysis.isDeterministic)
    return "Same start and batches: the seed has no effect, so there is no interval.";
  const seeds = Math.max(...settings.map(({ runs }) => runs.length));
  if (seeds === 1) return "One seed: the data say nothing of the spread.";
  const times = columns.some(({ kind }) => kind === "time") ? "; of times: medians and quartiles" : "";
  return `Means of ${counted(seeds, "seed")} with 95 % intervals${times}.`;
}
