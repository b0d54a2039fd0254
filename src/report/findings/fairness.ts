/** Whether the comparison was fair and the study complete. */
import { isResult } from "../../runs/index.js";
import type { StudyAnalysis } from "../analysis.js";
import { counted, integer, listed } from "../words.js";
import type { Finding } from "./finding.js";

export function fairnessFindings(analysis: StudyAnalysis): Finding[] {
  return [...budgetFindings(analysis), ...completenessFindings(analysis)];
}

function budgetFindings({ budgets, select, standings }: StudyAnalysis): Finding[] {
  const { optimizers, smallest, equal } = budgets;
  if (optimizers.length < 2) return [];
  if (equal) {
    const text = `Every optimizer was tuned over the same number of settings (${integer(smallest)}).`;
    return [{ id: "budgets", kind: "fact", text, figures: [] }];
  }
  const counts = optimizers.map(({ name, settings }) => `${name} ${integer(settings)}`);
  const expected = optimizers.map(({ name, bestAtEqual }) =>
    Number.isFinite(bestAtEqual) ? `${name} ${select.format(bestAtEqual)}` : `${name} unsure`,
  );
  const finite = optimizers.every(({ bestAtEqual }) => Number.isFinite(bestAtEqual));
  const atEqual = finite
    ? ` Had each tried only ${integer(smallest)} of its own, the expected best ${select.words} would be: ${listed(expected)}.`
    : "";
  const lead = standings.leaders.length === 1 ? " More settings give more chances to be best." : "";
  const text = `The budgets were not equal: settings tried were ${listed(counts)}.${lead}${atEqual}`;
  return [{ id: "budgets", kind: "caution", text, figures: [] }];
}

function completenessFindings({ study }: StudyAnalysis): Finding[] {
  const unfinished = study.runs.filter(({ status }) => !isResult(status));
  if (unfinished.length === 0) return [];
  const kinds = ["running", "interrupted", "failed"].flatMap((status) => {
    const count = unfinished.filter((run) => run.status === status).length;
    return count === 0 ? [] : [`${integer(count)} ${status}`];
  });
  const text = `${counted(unfinished.length, "run")} of ${integer(study.runs.length)} ${unfinished.length === 1 ? "is" : "are"} not finished (${listed(kinds)}) and left out; the findings may change.`;
  return [{ id: "unfinished", kind: "caution", text, figures: [] }];
}
