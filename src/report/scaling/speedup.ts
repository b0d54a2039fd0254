/** Speed-up and efficiency of ranks as figures. */
import { measurementsFigure } from "../../figures/index.js";
import type { ScalingStudy } from "../../lab/scaling.js";
import {
  certifiedSentence,
  idealOf,
  paysSentence,
  ranksOf,
  ringWords,
  scalingTitle,
  seriesOverRanks,
  sourceOf,
} from "./parts.js";

/**
 * Speed-up over ranks, a line for each batch size, beside the ideal.
 * @throws SlalomError "data" where ranks have no certificate
 */
export function speedupFigure(scaling: ScalingStudy): string {
  const series = seriesOverRanks(scaling, ({ speedup }) => speedup);
  const ranks = ranksOf(scaling.curves);
  const most = Math.max(2, ...ranks, ...series.flatMap(({ y }) => y));
  const least = Math.min(...series.flatMap(({ y }) => y));
  return measurementsFigure({
    title: `${scalingTitle(scaling)}: speed-up`,
    subtitle: `Examples a second over those of one rank. ${certifiedSentence}${paysSentence(scaling.mode, scaling.curves)}`,
    source: sourceOf(scaling),
    panels: [{ series, reference: idealOf(ranks, (count) => count) }],
    x: { label: "ranks", scale: "log" },
    y: { label: "speed-up", scale: "log", domain: [0.9 * least, 1.1 * most] },
    rings: ringWords,
  });
}

/**
 * Speed-up over ranks divided by their number.
 * @throws SlalomError "data" where ranks have no certificate
 */
export function efficiencyFigure(scaling: ScalingStudy): string {
  const series = seriesOverRanks(scaling, ({ efficiency }) => efficiency);
  const most = Math.max(1, ...series.flatMap(({ y }) => y));
  return measurementsFigure({
    title: `${scalingTitle(scaling)}: efficiency`,
    subtitle: `Speed-up over the number of ranks; 1 is as much from each rank as from one alone. ${certifiedSentence}`,
    source: sourceOf(scaling),
    panels: [{ series, reference: idealOf(ranksOf(scaling.curves), () => 1) }],
    x: { label: "ranks", scale: "log" },
    y: { label: "efficiency", domain: [0, 1.08 * most] },
    rings: ringWords,
  });
}
