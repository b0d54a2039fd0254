/** Convergence of one optimizer over its learning rates, and of the best settings side by side. */
import { type ConvergenceData, type ConvergenceSeries, convergenceFigure } from "../../figures/index.js";
import { slugOf, type Target } from "../../runs/index.js";
import { predictedLosses } from "../../theory/index.js";
import { type OptimizerResult, type SettingResult, type StudyAnalysis, settingName } from "../analysis.js";
import { hasMetric, type Position, settingSeries } from "../curves.js";
import {
  capitalised,
  chosenValue,
  counted,
  hyperparameterName,
  isAccuracy,
  listed,
  metricName,
  settingInWords,
  targetInWords,
} from "../words.js";
import { type Chart, lossScale, optimizerColours, seedsSentence } from "./chart.js";

/** Every learning rate of one optimizer, in facets where a second hyperparameter varies; none without rows. */
export function convergenceChart(
  analysis: StudyAnalysis,
  optimizer: OptimizerResult,
  metric: string,
): Chart | undefined {
  const [colour, facet] = optimizer.varied;
  const settings = drawnSettings(optimizer);
  const runs = settings.flatMap((setting) => setting.runs);
  if (!hasMetric(runs, metric)) return undefined;
  const facetValues = facet === undefined ? [undefined] : distinct(settings, facet);
  const panels = facetValues.map((value) => ({
    title: value === undefined ? undefined : `${hyperparameterName(facet)} ${chosenValue(value)}`,
    series: settings
      .filter(({ hyperparameters }) => value === undefined || hyperparameters[facet] === value)
      .flatMap((setting) => seriesOf(analysis, optimizer, setting, metric, colour))
      // In facets the names stand in one legend: the count of seeds would make two of one.
      .map((series) =>
        facet === undefined || series.value === undefined
          ? series
          : { ...series, label: chosenValue(series.value) },
      ),
  }));
  const all = panels.flatMap(({ series }) => series);
  const data: ConvergenceData = {
    panels,
    ...axesOf(analysis, metric, panels),
    colours:
      colour === undefined ? optimizerColours(analysis) : { by: "value", label: hyperparameterName(colour) },
  };
  return {
    id: `${slugOf(metricName(metric))}-${slugOf(optimizer.name)}`,
    section: "convergence",
    title: `${optimizer.name}: ${metricName(metric)}`,
    caption: [
      settingsSentence(optimizer, settings),
      divergenceSentence(settings),
      all.some(({ predicted }) => predicted) ? "Dotted: what the theory of quadratics predicts." : "",
      seedsSentence(runs, analysis),
    ]
      .filter((sentence) => sentence !== "")
      .join(" "),
    draw: (text) => convergenceFigure({ ...data, ...text }),
  };
}

/** Several settings side by side, one curve each, in the optimizers' colours. */
export function overlayChart(
  analysis: StudyAnalysis,
  options: {
    readonly id: string;
    readonly title: string;
    readonly settings: readonly SettingResult[];
    readonly metric: string;
    readonly caption: string;
  },
): Chart | undefined {
  const { id, title, settings, metric } = options;
  const runs = settings.flatMap((setting) => setting.runs);
  if (settings.length === 0 || !hasMetric(runs, metric)) return undefined;
  const series = settings.flatMap((setting) => {
    // Two settings of one optimizer need names of their own.
    const isAlone = settings.filter((other) => other.optimizer === setting.optimizer).length === 1;
    const label = isAlone ? setting.optimizer : settingName(setting);
    return settingSeries(setting.runs, metric, analysis.position, { label, category: label });
  });
  const data: ConvergenceData = {
    panels: [{ series }],
    ...axesOf(analysis, metric, [{ series }]),
    colours: optimizerColours(analysis),
  };
  return {
    id,
    section: "comparison",
    title,
    caption: `${options.caption} ${seedsSentence(runs, analysis)}`,
    draw: (text) => convergenceFigure({ ...data, ...text }),
  };
}

/** The settings that facets can show: those that agree with the best in all but the first two hyperparameters. */
function drawnSettings(optimizer: OptimizerResult): SettingResult[] {
  const [, facet, ...further] = optimizer.varied;
  const fixed = (optimizer.best ?? optimizer.settings[0]).hyperparameters;
  const settings = optimizer.settings.filter(({ hyperparameters }) =>
    further.every((name) => hyperparameters[name] === fixed[name]),
  );
  if (facet === undefined) return settings;
  const drawn = spreadOver(distinct(settings, facet), fixed[facet]);
  return settings.filter(({ hyperparameters }) => drawn.includes(hyperparameters[facet]));
}

/** At most nine of sorted values, the ends and `kept` among them: more facets would be too small to read. */
function spreadOver(values: readonly number[], kept: number): number[] {
  const most = 9;
  if (values.length <= most) return [...values];
  const picked = Array.from({ length: most }, (_, i) => Math.round((i * (values.length - 1)) / (most - 1)));
  const own = values.indexOf(kept);
  const nearest = picked.reduce((a, b) => (Math.abs(b - own) < Math.abs(a - own) ? b : a));
  return picked.map((index) => values[index === nearest ? own : index]);
}

function seriesOf(
  analysis: StudyAnalysis,
  optimizer: OptimizerResult,
  setting: SettingResult,
  metric: string,
  colour: string | undefined,
): ConvergenceSeries[] {
  const { hyperparameters, runs } = setting;
  const look =
    colour === undefined
      ? { label: optimizer.name, category: optimizer.name }
      : { label: chosenValue(hyperparameters[colour]), value: hyperparameters[colour] };
  const series = settingSeries(runs, metric, analysis.position, look);
  const { modes } = analysis;
  if (metric !== "trainLoss" || modes === undefined || !optimizer.isHeavyBall) return series;
  const { lr, momentum } = hyperparameters;
  return series.map((one) => {
    if (one.divergedAt !== undefined) return one;
    const predicted = predictedLosses(modes, { lr, momentum }, runs[0].configuration.steps);
    return { ...one, predicted: { x: Array.from(predicted, (_, step) => step), y: predicted } };
  });
}

function axesOf(analysis: StudyAnalysis, metric: string, panels: ConvergenceData["panels"]) {
  const series = panels.flatMap((panel) => panel.series);
  const target = strictest(analysis.study.record.targets, metric);
  const scale = isAccuracy(metric) ? "linear" : lossScale(series);
  return {
    x: { label: analysis.position },
    y: { label: metricName(metric), scale, domain: domainOf(metric, scale, analysis.position, panels) },
    target: target && { value: target.value, label: `target ${targetInWords(target)}` },
    unit: analysis.position,
  } satisfies Partial<ConvergenceData>;
}

/**
 * Below the rounding of the first loss a curve says nothing more, and the values before training are no news either:
 * both would flatten what matters. Undefined: as the data are.
 */
function domainOf(
  metric: string,
  scale: "log" | "linear",
  position: Position,
  panels: ConvergenceData["panels"],
): [number, number] | undefined {
  const series = panels.flatMap((panel) => panel.series);
  const ended = series.filter(({ divergedAt }) => divergedAt === undefined);
  const isDrawn = (x: number) => position === "step" || x > 0;
  const values = ended
    .flatMap(({ x, y, lower = y, upper = y }) =>
      Array.from(y, (value, i) => (isDrawn(x[i]) ? [value, lower[i], upper[i]] : [])),
    )
    .flat()
    .filter(Number.isFinite);
  if (values.length === 0) return undefined;
  const least = values.reduce((a, b) => Math.min(a, b));
  const most = values.reduce((a, b) => Math.max(a, b));
  if (least === most) return undefined;
  // Diverged runs are named in the top rows.
  const named = Math.max(
    ...panels.map((panel) => panel.series.filter(({ divergedAt }) => divergedAt !== undefined).length),
  );
  if (isAccuracy(metric)) {
    const lasts = ended.map(({ y }) => y[y.length - 1]).sort((a, b) => a - b);
    const middle = lasts[Math.floor(lasts.length / 2)];
    const low = Math.max(least, most - 8 * Math.max(most - middle, 0.005));
    return [low, most + (0.03 + (panels.length > 1 ? 0.14 : 0.07) * named) * (most - low)];
  }
  if (named > 0 || scale !== "log" || most <= 0) return undefined;
  return [Math.max(least, 1e-17 * most), most];
}

function strictest(targets: readonly Target[], metric: string): Target | undefined {
  const sign = isAccuracy(metric) ? -1 : 1;
  return targets.filter((target) => target.metric === metric).sort((a, b) => sign * (a.value - b.value))[0];
}

/** "7 learning rates from 0.01 to 10, momentum 0.3 and 0.9." */
function settingsSentence(optimizer: OptimizerResult, settings: readonly SettingResult[]): string {
  const [first, second, ...further] = optimizer.varied;
  if (first === undefined) return "One setting.";
  const values = distinct(settings, first);
  const span = `${counted(values.length, hyperparameterName(first))} from ${chosenValue(values[0])} to ${chosenValue(values[values.length - 1])}`;
  const facets =
    second === undefined
      ? ""
      : `, ${hyperparameterName(second)} ${listed(distinct(settings, second).map(chosenValue))}${omittedNote(optimizer, settings, second)}`;
  const fixed =
    further.length === 0
      ? ""
      : `; ${settingInWords(settings[0].hyperparameters, { names: further })} as in the best setting`;
  return `${capitalised(span)}${facets}${fixed}.`;
}

function omittedNote(optimizer: OptimizerResult, settings: readonly SettingResult[], name: string): string {
  const all = distinct(optimizer.settings, name).length;
  const drawn = distinct(settings, name).length;
  return drawn === all ? "" : ` (${drawn} of ${all} tried)`;
}

function divergenceSentence(settings: readonly SettingResult[]): string {
  const count = settings.filter(({ diverged }) => diverged.length > 0).length;
  return count === 0 ? "" : `${counted(count, "setting")} of ${settings.length} diverged (✕).`;
}

const distinct = (settings: readonly SettingResult[], name: string): number[] =>
  [...new Set(settings.map(({ hyperparameters }) => hyperparameters[name]))].sort((a, b) => a - b);
