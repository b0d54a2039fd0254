/** `slalom tour`, which is `npm start`: exercise 1 completely and exercise 2 in short, trained, summarised, drawn. */
import { fileURLToPath } from "node:url";
import type { BackendChoice } from "../launch/backendChoice.js";
import { loadStudies, sourcesOf } from "../launch/studySource.js";
import { duration } from "../report/words.js";
import { exitCodes } from "./exit.js";
import type { Output } from "./output.js";
import { tell } from "./run.js";
import { type TrainedStudy, trainStudies } from "./training.js";

export interface TourOptions {
  readonly out: string;
  readonly fresh: boolean;
  readonly backend: BackendChoice;
}

const files = ["exercises/ex1-linear-model/study.ts", "exercises/ex2-mnist/short.ts"];

export async function tour({ out, fresh, backend }: TourOptions, output: Output): Promise<number> {
  const started = performance.now();
  const entries = [];
  for (const file of files) {
    const path = fileURLToPath(new URL(`../../${file}`, import.meta.url));
    const studies = await loadStudies(path);
    const sources = sourcesOf(path, studies);
    entries.push(...studies.map((study, i) => ({ study, source: sources[i] })));
  }
  const told: { study: object; runs: object[] }[] = [];
  const pages: string[] = [];
  const trained: TrainedStudy[] = await trainStudies(
    entries,
    { out, backend, fresh, announce: true },
    output,
  );
  for (const one of trained) {
    if (one.outcome.status === "interrupted") continue;
    const result = tell(one, { figures: true }, output);
    told.push(result);
    pages.push(`${one.stored.folder}/report.html`);
  }
  const interrupted = told.length < entries.length;
  output.result({
    status: interrupted ? "interrupted" : "completed",
    studies: told.map(({ study }) => study),
    runs: told.flatMap(({ runs }) => runs),
  });
  if (interrupted) {
    output.note(`Interrupted. What was done is kept in ${out}; slalom tour goes on from there.`);
    return exitCodes.interrupted;
  }
  const { style } = output;
  output.text(
    `\n${style.bold(`Done in ${duration((performance.now() - started) / 1000)}.`)} Open in a browser:`,
  );
  for (const page of pages) output.text(`  ${page}`);
  output.text(
    style.dim(
      "\nNext: slalom doctor, slalom compare ex2-mnist-short, or a study of your own: slalom help run",
    ),
  );
  return exitCodes.success;
}
