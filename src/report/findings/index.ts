/** What a study found, as sentences made from its numbers, the most useful first. */
import type { StoredStudy } from "../../runs/index.js";
import { analyse, type ReportOptions, type StudyAnalysis } from "../analysis.js";
import { divergenceFindings } from "./divergence.js";
import { earlyStoppingFindings } from "./earlyStopping.js";
import { fairnessFindings } from "./fairness.js";
import type { Finding } from "./finding.js";
import { gradientNoiseFindings } from "./gradientNoise.js";
import { optimumFindings, theoryFindings } from "./optimum.js";
import { rangeFindings } from "./ranges.js";
import { recommendationFindings, targetFindings } from "./recommendation.js";

export type { Finding } from "./finding.js";

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
