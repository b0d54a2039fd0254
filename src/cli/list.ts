/** `slalom list`: the studies of a run store. */
import { loadStudy, openStore, type StoredStudy } from "../runs/index.js";
import { columns } from "./columns.js";
import type { Output } from "./output.js";
import { runsOf, statusCounts, studyResult } from "./results.js";

export interface ListOptions {
  readonly out: string;
}

export function list({ out }: ListOptions, output: Output): void {
  const store = openStore(out);
  const studies = store.studies().map((name) => loadStudy(store.openStudy(name).folder));
  output.result({ store: out, studies: studies.map(studyResult) });
  if (studies.length === 0) {
    output.text(`${out} holds no study yet. Run one: slalom run my-study.ts`);
    return;
  }
  const rows = studies.map((study) => [
    study.record.name,
    study.record.problem,
    `${resultCount(study)}/${runsOf(study.record)}`,
    state(study),
    study.record.created.slice(0, 16).replace("T", " "),
    study.record.title ?? "",
  ]);
  output.text(
    columns(rows, {
      header: ["study", "problem", "runs", "state", "begun (UTC)", "title"],
      align: ["left", "left", "right"],
      style: output.style,
    }),
  );
}

function resultCount({ runs }: StoredStudy): number {
  const { completed = 0, diverged = 0 } = statusCounts(runs);
  return completed + diverged;
}

function state(study: StoredStudy): string {
  const { running = 0, failed = 0 } = statusCounts(study.runs);
  if (resultCount(study) === runsOf(study.record)) return "complete";
  if (running > 0) return "running";
  return failed > 0 ? `unfinished, ${failed} failed` : "unfinished";
}
