/** How long runs are and where their final values are from, in words; which of them stopped early. */
import type { StoredRun, StudyRecord } from "../runs/index.js";
import { counted } from "./words.js";

/** "30 epochs", or "at most 30 epochs" where runs may stop early; empty where the record does not tell. */
export function lengthInWords({ epochs, steps, earlyStopping }: StudyRecord): string {
  const most = earlyStopping ? "at most " : "";
  if (epochs !== undefined) return `${most}${counted(epochs, "epoch")}`;
  return steps === undefined ? "" : `${most}${counted(steps, "step")}`;
}

/** To what a run's final value belongs: "after 30 epochs", "at the best evaluation within 30 epochs". */
export function endInWords(record: StudyRecord): string {
  const { earlyStopping, ...withoutEnd } = record;
  if (earlyStopping?.restore !== "best") {
    const length = lengthInWords(record);
    return length === "" ? "" : `after ${length}`;
  }
  const length = lengthInWords(withoutEnd);
  return `at the best evaluation${length === "" ? "" : ` within ${length}`}`;
}

/** The runs that completed before their last step. */
export const stoppedEarly = (runs: readonly StoredRun[]): StoredRun[] =>
  runs.filter(({ summary }) => summary?.stoppedEarly !== undefined);
