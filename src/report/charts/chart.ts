/** A chart of a study before it is drawn: what it says, and how to draw it at any width. */
import type { ConvergenceSeries, FigureText } from "../../figures/index.js";
import type { StoredRun } from "../../runs/index.js";
import type { StudyAnalysis } from "../analysis.js";
import { stoppedEarly } from "../lengths.js";
import { counted } from "../words.js";

export interface Chart {
  /** Letters, digits and dashes: a file's name and a link's target. */
  readonly id: string;
  readonly section: ChartSection;
  readonly title: string;
  /** A sentence or two with numbers. */
  readonly caption: string;
  draw(text: FigureText): string;
}

/** Under which heading a page shows it. */
export type ChartSection = "comparison" | "settings" | "convergence" | "paths" | "model";

/** "Mean of 5 seeds; bands reach from the lowest to the highest." */
export function seedsSentence(runs: readonly StoredRun[], analysis: StudyAnalysis): string {
  if (analysis.isDeterministic) return "Same start and batches: the seed has no effect.";
  const seeds = new Set(runs.map(({ configuration }) => configuration.seed)).size;
  if (seeds === 1) return "One seed.";
  const stays = stoppedEarly(runs).length > 0 ? " A run that stopped early keeps its last value." : "";
  return `Means of ${counted(seeds, "seed")}; bands reach from the lowest to the highest.${stays}`;
}

/** Log where every value that will be drawn is above 0 and they span a lot. */
export function lossScale(series: readonly ConvergenceSeries[]): "log" | "linear" {
  const values = series.flatMap(({ y }) => Array.from(y)).filter(Number.isFinite);
  return values.length > 0 && values.every((value) => value >= 0) && values.some((value) => value > 0)
    ? "log"
    : "linear";
}

/** Colours that stay with an optimizer through all figures of the study. */
export const optimizerColours = (analysis: StudyAnalysis) => ({
  by: "category" as const,
  order: analysis.optimizers.map(({ name }) => name),
});
