/** A scaling study as a figure. */
import { SlalomError } from "../../base/errors.js";
import { type ConvergenceSeries, convergenceFigure } from "../../figures/index.js";
import type { ScalingStudy } from "../../lab/scaling.js";

/**
 * Speed-up over ranks, a curve for each batch size, beside the ideal.
 * @throws SlalomError "data" where ranks have no certificate: whether they trained the same is not known
 */
export function scalingFigure({ study, optimizer, mode, backend, curves }: ScalingStudy): string {
  for (const { batchSize, points } of curves) {
    const [missing] = points.filter(({ speedup }) => speedup === undefined);
    if (missing === undefined) continue;
    throw new SlalomError(
      "data",
      `scaling of "${study}", batch ${batchSize}: ${missing.ranks} ranks have no certificate that passed; expected one. A speed-up is not drawn where ranks train something else: see slalom certify.`,
    );
  }
  const most = Math.max(2, ...curves.flatMap(({ points }) => points.map(({ ranks }) => ranks)));
  const of = mode === "strong" ? "batch" : "batch a rank";
  const least = Math.min(...curves.flatMap(({ points }) => points.map(({ speedup }) => speedup!)));
  const series = curves.map(
    ({ batchSize, points }): ConvergenceSeries => ({
      label: `${of} ${batchSize.toLocaleString("en")}`,
      x: points.map(({ ranks }) => ranks),
      y: points.map(({ speedup }) => speedup!),
    }),
  );
  return convergenceFigure({
    title: `${mode === "strong" ? "Strong" : "Weak"} scaling of ${optimizer}`,
    subtitle: `Examples a second over those of one rank; ideal is ${most} at ${most} ranks. Each number of ranks is certified to train what one rank trains.`,
    source: `Study ${study}, ${backend}.`,
    panels: [{ series: [...series, { label: "ideal", x: [1, most], y: [1, most] }] }],
    x: { label: "ranks", scale: "log", domain: [1, most] },
    y: { label: "speed-up", scale: "log", domain: [0.9 * least, most] },
    unit: "rank",
  });
}
