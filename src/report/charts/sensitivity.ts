/** The criterion against the learning rate, one curve for each optimizer, with good ranges and the theory's limits. */
import { type SensitivityCurve, type SensitivityData, sensitivityFigure } from "../../figures/index.js";
import { gradientDescentTheory } from "../../theory/index.js";
import {
  type OptimizerResult,
  type SettingResult,
  type StudyAnalysis,
  sensitivityTo,
  sliceThrough,
} from "../analysis.js";
import { type Criterion, valueIn } from "../criteria.js";
import { capitalised, decadesInWords, isAccuracy, listed, metricName, significant } from "../words.js";
import { type Chart, optimizerColours } from "./chart.js";

/** None where no optimizer varies its learning rate. */
export function sensitivityChart(
  analysis: StudyAnalysis,
  id: string,
  criterion: Criterion,
): Chart | undefined {
  const varying = analysis.optimizers.filter(({ varied }) => varied.includes("lr"));
  if (varying.length === 0) return undefined;
  // Of losses that stand at the optimum to rounding, a share says nothing.
  const hasRanges = criterion.kind === analysis.select.kind;
  const curves = varying.map((optimizer) => curveOf(optimizer, criterion, hasRanges));
  const values = curves.flatMap(({ points }) => points.map(({ value }) => value ?? Number.NaN));
  if (!values.some(Number.isFinite)) return undefined;
  const isLinear = isAccuracy(criterion.metric) || values.some((value) => value < 0);
  const floor = isLinear ? Number.NEGATIVE_INFINITY : floorOf(values);
  const scale = isLinear || floor === 0 ? "linear" : "log";
  const isCut = scale === "log" && values.some((value) => value < floor);
  const data: SensitivityData = {
    curves: isCut ? curves.map((curve) => raised(curve, floor)) : curves,
    x: { label: "learning rate", scale: "log" },
    y: {
      label: isAccuracy(criterion.metric) ? `${criterion.words} (%)` : criterion.words,
      scale,
      domain: isAccuracy(criterion.metric) ? accuracyDomain(values) : undefined,
    },
    better: criterion.better,
    colours: optimizerColours(analysis),
    tolerance: criterion.toleranceWords,
    references: referencesOf(analysis),
  };
  return {
    id,
    section: "settings",
    title: `${capitalised(criterion.kind === "steps" ? criterion.words : metricName(criterion.metric))} against the learning rate`,
    caption: `${captionOf(analysis, hasRanges ? varying : [], criterion)}${isCut ? ` Values below ${significant(floor, 1)} are drawn there.` : ""}`,
    draw: (text) => sensitivityFigure({ ...data, ...text }),
  };
}

function curveOf(optimizer: OptimizerResult, criterion: Criterion, hasRanges: boolean): SensitivityCurve {
  const through = optimizer.best ?? optimizer.settings[0];
  const found = sensitivityTo("lr", optimizer.settings, through, criterion);
  const slice = sliceThrough("lr", optimizer.settings, through);
  const share = isAccuracy(criterion.metric) && criterion.kind === "value" ? 100 : 1;
  return {
    label: optimizer.name,
    category: optimizer.name,
    points: slice.map((setting) => {
      const x = setting.hyperparameters.lr;
      if (setting.diverged.length > 0) return { x, outcome: "diverged" };
      const point = found?.points.find((one) => one.x === x);
      const mean = point?.mean ?? ownMean(setting, criterion);
      if (!Number.isFinite(mean)) return { x };
      const { low = Number.NaN, high = Number.NaN } = point?.interval ?? {};
      const isBounded = Number.isFinite(low) && Number.isFinite(high);
      return {
        x,
        value: share * mean,
        ...(isBounded && { lower: share * low, upper: share * high }),
      };
    }),
    goodRange: hasRanges && found?.range ? { from: found.range.low, to: found.range.high } : undefined,
  };
}

/** A loss this far below the largest is rounding; 0 where no value is positive. */
function floorOf(values: readonly number[]): number {
  const largest = Math.max(0, ...values.filter(Number.isFinite));
  return largest === 0 ? 0 : 10 ** Math.floor(Math.log10(1e-17 * largest));
}

const raised = (curve: SensitivityCurve, floor: number): SensitivityCurve => ({
  ...curve,
  points: curve.points.map((point) =>
    point.value === undefined || point.value >= floor ? point : { ...point, value: floor },
  ),
});

function ownMean({ runs }: SettingResult, criterion: Criterion): number {
  const values = runs.map((run) => valueIn(run, criterion));
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** Untrained settings at chance would press the others together: at most the best quarter of the axis for them. */
function accuracyDomain(shares: readonly number[]): [number, number] {
  const sorted = shares.filter(Number.isFinite).sort((a, b) => a - b);
  const [least, most] = [sorted[0], sorted[sorted.length - 1]];
  const middle = sorted[Math.floor(sorted.length / 4)];
  const low = Math.max(least, most - 1.6 * Math.max(most - middle, 0.5));
  const margin = 0.06 * (most - low || 1);
  return [low - margin, most + margin];
}

/** Limits of gradient descent, drawn where the study has it: they are those of no other optimizer. */
function referencesOf({ modes, optimizers }: StudyAnalysis): SensitivityData["references"] {
  const descent = optimizers.find(({ isHeavyBall, varied }) => isHeavyBall && !varied.includes("momentum"));
  if (modes === undefined || descent === undefined) return undefined;
  const { stabilityLimit } = gradientDescentTheory(modes.eigenvalues);
  return [{ x: stabilityLimit, label: `${descent.name} stable below 2/λmax` }];
}

function captionOf(
  analysis: StudyAnalysis,
  varying: readonly OptimizerResult[],
  criterion: Criterion,
): string {
  const widths = varying.flatMap(({ name, settings, best }) => {
    const range = best && sensitivityTo("lr", settings, best, criterion)?.range;
    return range === undefined ? [] : [`${name} ${decadesInWords(range)}`];
  });
  const others = analysis.optimizers.some(({ varied }) => varied.length > 1)
    ? " Other hyperparameters are at their best values."
    : "";
  const intervals = analysis.isDeterministic ? "" : " Bars are 95 % intervals over seeds.";
  const good =
    widths.length === 0 ? "" : `Good settings (${criterion.toleranceWords}) span: ${listed(widths)}.`;
  const crosses = analysis.results.some(({ status }) => status === "diverged") ? " ✕ diverged." : "";
  return `${good}${others}${intervals}${crosses}`.trim();
}
