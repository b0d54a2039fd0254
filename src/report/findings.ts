/** What a study found, as sentences made from its numbers, the most useful first. */
import type { StoredStudy } from "../runs/index.js";
import { analyse, type ReportOptions, type StudyAnalysis } from "./analysis.js";
import { divergenceFindings } from "./findings/divergence.js";
import { earlyStoppingFindings } from "./findings/earlyStopping.js";
import { fairnessFindings } from "./findings/fairness.js";
import { gradientNoiseFindings } from "./findings/gradientNoise.js";
import { optimumFindings, theoryFindings } from "./findings/optimum.js";
import { rangeFindings } from "./findings/ranges.js";
import { recommendationFindings, targetFindings } from "./findings/recommendation.js";

export interface Finding {
  readonly id: string;
  /** "undecided": the data do not tell; "caution": what a reader should not overlook. */
  readonly kind: "recommendation" | "undecided" | "fact" | "caution";
  /** Whole sentences of plain text. */
  readonly text: string;
  /** Ids of the figures that show it; some may not be drawn for this study. */
  readonly figures: readonly string[];
}

/** The findings of a stored study. Errors: as `analyse`. */
export const findingsOf = (study: StoredStudy, options: ReportOptions = {}): Finding[] =>
  findingsFrom(analyse(study, options));

export const findingsFrom = (analysis: StudyAnalysis): Finding[] => [
  ...recommendationFindings(analysis),
  ...targetFindings(analysis),
  ...rangeFindings(analysis),
  ...divergenceFindings(analysis),
  ...earlyStoppingFindings(analysis),
  ...gradientNoiseFindings(analysis),
  ...theoryFindings(analysis),
  ...optimumFindings(analysis),
  ...fairnessFindings(analysis),
];
