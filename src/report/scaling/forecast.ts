/** A forecast as a figure, apart from what was measured and never without its name. */
import { type MeasurementSeries, measurementsFigure } from "../../figures/index.js";
import type { ForecastCurve, StepModel, StudyForecast } from "../../lab/forecast.js";
import { duration, significant } from "../words.js";
import { curveName, idealOf, paysSentence, ranksOf, ringOf, ringWords, scalingTitle } from "./parts.js";

/** Speed-up over ranks as the model has it, dashed, beside what was measured. */
export function forecastFigure(made: StudyForecast): string {
  const { curves, mode, model, link, overlap, study, stepsFrom } = made;
  const series = curves.flatMap((curve): MeasurementSeries[] => {
    const label = curveName(mode, curve.batchSize);
    const { points } = curve;
    const forecast: MeasurementSeries = {
      label,
      kind: "forecast",
      x: points.map(({ ranks }) => ranks),
      y: points.map(({ speedup }) => speedup),
      ...ringOf(curve),
    };
    const measured = measuredSpeedups(curve);
    return measured.length > 1
      ? [forecast, { label, x: measured.map(([ranks]) => ranks), y: measured.map(([, speedup]) => speedup) }]
      : [forecast];
  });
  const ranks = ranksOf(curves);
  const values = series.flatMap(({ y }) => y);
  const hidden =
    overlap === 0 ? "nothing hides it" : `${(100 * overlap).toFixed(0)} % of the backward pass hides it`;
  const isMeasured = series.some(({ kind }) => kind === undefined);
  return measurementsFigure({
    title: `Forecast: ${scalingTitle(made).replace(/^[SW]/, (letter) => letter.toLowerCase())}, ${link.name}`,
    subtitle: `${isMeasured ? "Dashed: not measured, but" : "Not measured:"} a model of one rank's ${stepsFrom === "given" ? "given" : "measured"} steps (${stepText(model)}) and of an all-reduce (${significant(made.bytes / 1e6, 3)} MB, ${duration(link.alphaS)} a message, ${significant(1e-9 / link.betaSPerByte, 3)} GB/s; ${hidden}).${paysSentence(mode, curves)}`,
    source: `Study ${study}; steps: ${stepsFrom}; link: ${link.source}.`,
    panels: [{ series, reference: idealOf(ranks, (count) => count) }],
    x: { label: "ranks", scale: "log" },
    y: {
      label: "speed-up",
      scale: "log",
      domain: [0.9 * Math.min(...values), 1.1 * Math.max(2, ...ranks, ...values)],
    },
    rings: ringWords,
  });
}

/** "343 µs and 1.13 µs an example". */
const stepText = ({ fixedS, perExampleS }: StepModel): string =>
  `${duration(fixedS)} and ${duration(perExampleS)} an example`;

/** Ranks with their measured speed-up over one measured rank. */
function measuredSpeedups({ points }: ForecastCurve): [number, number][] {
  const alone = points.find(({ ranks }) => ranks === 1)?.measured;
  if (!alone) return [];
  return points.flatMap(({ ranks, batchSize, measured }): [number, number][] =>
    measured ? [[ranks, (batchSize / points[0].batchSize) * (alone.stepS / measured.stepS)]] : [],
  );
}
