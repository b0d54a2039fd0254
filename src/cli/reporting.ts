/** A study's summary on the terminal, and its figures and page as files beside its runs. */
import type { Problem } from "../learn/problems/index.js";
import { type ReportPaths, terminalSummary, writeReport } from "../report/index.js";
import { isResult, type StoredStudy } from "../runs/index.js";
import type { Output } from "./output.js";
import { builtInProblem } from "./storedStudies.js";

export interface ReportWish {
  /** The problem itself, where it is at hand; else a built-in one is found by its name. */
  readonly problem?: Problem;
  /** Whether to write figures and page. */
  readonly draw: boolean;
}

/** Prints the summary; where nothing has a result yet it says so. Returns what was written. */
export function report(
  study: StoredStudy,
  { problem, draw: isWanted }: ReportWish,
  output: Output,
): Partial<ReportPaths> {
  if (!study.runs.some(({ status }) => isResult(status))) {
    output.text(`${study.record.name}: no run has a result yet.`);
    return {};
  }
  const known = { problem: problem ?? builtInProblem(study.record) };
  const style = output.colour ? "colour" : "plain";
  const width = Math.min(output.width, widest);
  output.text(terminalSummary(study, { ...known, width, style }).trimEnd());
  if (!isWanted) return {};
  const paths = draw(study, known.problem);
  output.text(`\n${drawnLine(paths)}`);
  return paths;
}

/** Writes figures and page into the study's folder. */
export const draw = (study: StoredStudy, problem: Problem | undefined): ReportPaths =>
  writeReport(study, study.folder, { problem });

/** Lines longer than this are hard to read. */
const widest = 110;

const drawnLine = ({ html, figures }: ReportPaths): string =>
  `${figures.length} figures and the page ${html}`;
