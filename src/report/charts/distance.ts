/** How far from the known optimum: the distance of the parameters, or what the loss has above the least. */
import { type ConvergenceSeries, convergenceFigure } from "../../figures/index.js";
import type { Optimum } from "../../learn/problems/problem.js";
import type { StoredRun } from "../../runs/index.js";
import type { SettingResult, StudyAnalysis } from "../analysis.js";
import { type Points, pointsOf, settingSeries } from "../curves.js";
import { hasBatches } from "../gaps.js";
import { metricValue } from "../words.js";
import { type Chart, lossScale, optimizerColours } from "./chart.js";
import { gapChart } from "./gap.js";
import { parameterMetric } from "./trajectories.js";

/**
 * At the given settings; none where the optimum is not known or the rows do not tell. Where rows tell losses of batches
 * there is no such curve: the ends alone are drawn.
 */
export function distanceChart(
  analysis: StudyAnalysis,
  settings: readonly SettingResult[],
): Chart | undefined {
  const optimum = analysis.problem?.optimum;
  if (optimum === undefined || settings.length === 0) return undefined;
  if (hasBatches(analysis)) return gapChart(analysis);
  if (settings.some(({ runs }) => runs[0].configuration.batchSize !== undefined)) return undefined;
  const paths = settings.map(({ runs }) => distances(runs[0], optimum, analysis));
  const areParameters = paths.every((points) => points !== undefined);
  // Where the least loss is 0 the gap is the loss, which is drawn already.
  if (!areParameters && optimum.loss === 0) return undefined;
  const series = settings.flatMap((setting, i): ConvergenceSeries[] => {
    const look = { label: setting.optimizer, category: setting.optimizer };
    const points = paths[i];
    if (areParameters && points !== undefined) return [{ ...look, ...points }];
    return settingSeries(setting.runs, "trainLoss", analysis.position, look).map(
      ({ lower, upper, ...one }) => ({
        ...one,
        y: Array.from(one.y, (value) => value - optimum.loss),
      }),
    );
  });
  if (!series.some(({ x }) => x.length > 0)) return undefined;
  const what = areParameters
    ? "distance of the parameters from the optimum"
    : "training loss above its least value";
  return {
    id: "distance",
    section: "comparison",
    title: areParameters ? "Distance from the optimum" : "Loss above the optimum",
    caption: `At the end, at each one's best setting: ${series
      .map(({ label, y }) => `${label} ${metricValue("", y[y.length - 1])}`)
      .join(", ")}.`,
    draw: (text) =>
      convergenceFigure({
        panels: [{ series }],
        x: { label: analysis.position },
        y: { label: what, scale: lossScale(series) },
        colours: optimizerColours(analysis),
        unit: analysis.position,
        ...text,
      }),
  };
}

/** The Euclidean distance row by row; undefined where the rows lack a parameter. */
function distances(run: StoredRun, optimum: Optimum, { position }: StudyAnalysis): Points | undefined {
  const { metrics } = run.rows();
  const parts = Object.entries(optimum.parameters ?? {}).flatMap(([name, values]) =>
    values.map((value, i) => ({
      value,
      metric: parameterMetric(metrics, name) ?? parameterMetric(metrics, `${name}[${i}]`),
    })),
  );
  if (parts.length === 0) return undefined;
  let sums: { x: readonly number[]; y: number[] } | undefined;
  for (const { metric, value } of parts) {
    if (metric === undefined) return undefined;
    const { x, y } = pointsOf(run, metric, position);
    sums ??= { x, y: x.map(() => 0) };
    y.forEach((one, i) => {
      sums!.y[i] += (one - value) ** 2;
    });
  }
  return sums && { x: sums.x, y: sums.y.map(Math.sqrt) };
}
