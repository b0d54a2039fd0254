/** A map of one optimizer over its learning rate and its second hyperparameter: how soon the target, or how low. */
import { type HeatMapCell, type HeatMapData, heatMapFigure } from "../../figures/index.js";
import { median } from "../../lab/statistics/index.js";
import { slugOf, type Target } from "../../runs/index.js";
import { stabilityBoundary } from "../../theory/index.js";
import type { OptimizerResult, SettingResult, StudyAnalysis } from "../analysis.js";
import { type Criterion, stepsTo, targetReached, targetsByWeight, valueIn } from "../criteria.js";
import {
  capitalised,
  chosenValue,
  counted,
  hyperparameterName,
  integer,
  settingInWords,
  targetInWords,
} from "../words.js";
import type { Chart } from "./chart.js";

/** None where fewer than two hyperparameters vary. */
export function heatMapChart(analysis: StudyAnalysis, optimizer: OptimizerResult): Chart | undefined {
  const [x, y, ...further] = optimizer.varied;
  if (y === undefined) return undefined;
  const fixed = (optimizer.best ?? optimizer.settings[0]).hyperparameters;
  const settings = optimizer.settings.filter(({ hyperparameters }) =>
    further.every((name) => hyperparameters[name] === fixed[name]),
  );
  const target = drawnTarget(analysis, settings);
  const measure = target === undefined ? valueMeasure(analysis.fallback) : targetMeasure(analysis, target);
  const cells = settings.map((setting) => cellOf(setting, [x, y], measure.value));
  const reached = cells.filter(({ outcome }) => outcome === "finished");
  if (reached.length === 0) return undefined;
  const columns = new Set(cells.map((cell) => cell.x)).size;
  const isPositive = cells.every((cell) => cell.x > 0);
  const data: HeatMapData = {
    cells,
    x: {
      label: hyperparameterName(x),
      scale: x === "lr" && isPositive ? "log" : "linear",
      spacing: columns <= 12 ? "even" : "value",
    },
    y: { label: hyperparameterName(y), spacing: "even" },
    values: {
      label: measure.label,
      better: measure.better,
      scale: measure.better === "lower" && reached.every(({ value }) => value! > 0) ? "log" : "linear",
      format: measure.format,
    },
    boundaries: boundariesOf(analysis, optimizer, [x, y]),
  };
  const best = [...reached].sort((a, b) =>
    measure.better === "lower" ? a.value! - b.value! : b.value! - a.value!,
  )[0];
  const count = (outcome: HeatMapCell["outcome"]) => cells.filter((cell) => cell.outcome === outcome).length;
  const setting = settingInWords({ [x]: best.x, [y]: best.y });
  return {
    id: `map-${slugOf(optimizer.name)}`,
    section: "settings",
    title: `${optimizer.name}: ${measure.title}`,
    caption: [
      `Best: ${measure.format(best.value!)}${measure.unit} at ${setting}.`,
      count("not-reached") > 0
        ? `${capitalised(counted(count("not-reached"), "setting"))} never got there.`
        : "",
      count("diverged") > 0 ? `${capitalised(counted(count("diverged"), "setting"))} diverged.` : "",
      data.boundaries ? "The line is where heavy ball stops converging, 2(1 + momentum)/λmax." : "",
    ]
      .filter((sentence) => sentence !== "")
      .join(" "),
    draw: (text) => heatMapFigure({ ...data, ...text }),
  };
}

interface MapMeasure {
  readonly title: string;
  readonly label: string;
  readonly unit: string;
  readonly better: "lower" | "higher";
  format(value: number): string;
  value(setting: SettingResult): number;
}

function cellOf(
  setting: SettingResult,
  [x, y]: readonly [string, string],
  valueAt: MapMeasure["value"],
): HeatMapCell {
  const at = { x: setting.hyperparameters[x], y: setting.hyperparameters[y] };
  if (setting.diverged.length > 0) return { ...at, outcome: "diverged" };
  const value = valueAt(setting);
  return Number.isFinite(value) ? { ...at, value, outcome: "finished" } : { ...at, outcome: "not-reached" };
}

/** The weightiest target that a setting here reached. */
function drawnTarget(analysis: StudyAnalysis, settings: readonly SettingResult[]): Target | undefined {
  const runs = settings.flatMap((setting) => setting.runs);
  return targetsByWeight(analysis.study, analysis).find((target) =>
    runs.some((run) => Number.isFinite(valueIn(run, stepsTo(target)))),
  );
}

/** Median over seeds, in epochs where the study counts them; infinite where most seeds never got there. */
function targetMeasure({ position }: StudyAnalysis, target: Target): MapMeasure {
  const unit = position === "epoch" ? "epochs" : "steps";
  return {
    title: `${unit} to ${targetInWords(target)}`,
    label: `${unit} to target`,
    unit: ` ${unit}`,
    better: "lower",
    format: (value) => (Number.isInteger(value) ? integer(value) : chosenValue(Number(value.toPrecision(2)))),
    value: ({ runs }) =>
      median(
        runs.map(({ status, summary }) => {
          const reached = status === "completed" ? targetReached(summary?.targets ?? [], target) : undefined;
          return (position === "epoch" ? reached?.epoch : reached?.step) ?? Number.POSITIVE_INFINITY;
        }),
      ),
  };
}

function valueMeasure(criterion: Criterion): MapMeasure {
  return {
    title: criterion.words,
    label: criterion.words,
    unit: "",
    better: criterion.better,
    format: (value) => criterion.format(value),
    value: ({ runs }) => runs.reduce((sum, run) => sum + valueIn(run, criterion), 0) / runs.length,
  };
}

function boundariesOf(
  { modes }: StudyAnalysis,
  optimizer: OptimizerResult,
  [x, y]: readonly [string, string],
): HeatMapData["boundaries"] {
  if (modes === undefined || !optimizer.isHeavyBall || x !== "lr" || y !== "momentum") return undefined;
  const greatest = Math.max(...modes.eigenvalues);
  const momenta = Array.from({ length: 101 }, (_, i) => (i / 100) * 0.9999);
  return [
    {
      label: "stability limit 2(1 + momentum)/λmax",
      points: stabilityBoundary(greatest, momenta).map(({ lr, momentum }) => [lr, momentum] as const),
    },
  ];
}
