/** Learning beside generalisation: a metric on the training batches and on validation data, for one setting. */
import { convergenceFigure } from "../../figures/index.js";
import type { BestResult, StudyAnalysis } from "../analysis.js";
import { hasMetric, settingSeries } from "../curves.js";
import { capitalised, isAccuracy, metricName, metricValue } from "../words.js";
import { type Chart, lossScale, seedsSentence } from "./chart.js";

/** Training and validation curves of a metric such as "Accuracy"; none where rows lack either. */
export function learningChart(
  analysis: StudyAnalysis,
  best: BestResult,
  metric: "Loss" | "Accuracy",
): Chart | undefined {
  const { runs, optimizer } = best;
  const metrics = [`train${metric}`, `validation${metric}`];
  if (!metrics.every((one) => hasMetric(runs, one))) return undefined;
  const series = metrics.flatMap((one) =>
    settingSeries(runs, one, analysis.position, { label: metricName(one), category: one }),
  );
  const scale = isAccuracy(metrics[0]) ? "linear" : lossScale(series);
  // Before the first steps an accuracy is that of chance, and would flatten all that follows.
  const values = series.flatMap(({ x, y }) => Array.from(y).filter((_, i) => x[i] > 0)).sort((a, b) => a - b);
  const low = values[Math.floor(values.length / 8)] ?? 0;
  const last = (one: string): number => {
    const finals = runs.flatMap((run) => run.summary?.final[one] ?? []);
    return finals.reduce((sum, value) => sum + value, 0) / finals.length;
  };
  return {
    id: `learning-${metric.toLowerCase()}-${optimizer}`.toLowerCase().replace(/[^a-z0-9]+/g, "-"),
    section: "convergence",
    title: `${optimizer}: training and validation ${metric.toLowerCase()}`,
    caption: `${capitalised(metrics.map((one) => `${metricName(one)} ends at ${metricValue(one, last(one))}`).join(", "))}; training values are means over the batches of an epoch, as they were met. ${seedsSentence(runs, analysis)}`,
    draw: (text) =>
      convergenceFigure({
        panels: [{ series }],
        x: { label: analysis.position },
        y: {
          label: metric.toLowerCase(),
          scale,
          ...(isAccuracy(metrics[0]) && { domain: [low - 0.15 * (1 - low), 1] }),
        },
        colours: { by: "category", order: metrics },
        unit: analysis.position,
        ...text,
      }),
  };
}
