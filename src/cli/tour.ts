/** `slalom tour`, which is `npm start`: exercise 1 completely and exercise 2 in short, trained, summarised, drawn. */
import { basename, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import type { BackendChoice } from "../launch/backendChoice.js";
import { loadStudies, sourcesOf } from "../launch/studySource.js";
import { duration } from "../report/words.js";
import { exitCodes } from "./exit.js";
import type { Output } from "./output.js";
import { type Told, tell } from "./run.js";
import { trainStudies } from "./training.js";

export interface TourOptions {
  readonly out: string;
  readonly fresh: boolean;
  readonly backend: BackendChoice;
  readonly ranks?: number | "auto";
}

const files = ["exercises/ex1-linear-model/study.ts", "exercises/ex2-mnist/short.ts"];

export async function tour({ out, fresh, backend, ranks }: TourOptions, output: Output): Promise<number> {
  const started = performance.now();
  const entries = [];
  for (const file of files) {
    const path = fileURLToPath(new URL(`../../${file}`, import.meta.url));
    const studies = await loadStudies(path);
    const sources = sourcesOf(path, studies);
    entries.push(...studies.map((study, i) => ({ study, source: sources[i] })));
  }
  const told: Told[] = [];
  const pages: string[] = [];
  const { interruptedCode } = await trainStudies(
    entries,
    {
      out,
      backend,
      ranks,
      fresh,
      announce: true,
      onTrained: (one) => {
        if (one.outcome.status === "interrupted") return;
        told.push(tell(one, { figures: true }, output));
        pages.push(join(one.stored.folder, "report.html"));
      },
    },
    output,
  );
  const interrupted = told.length < entries.length;
  output.result({
    status: interrupted ? "interrupted" : "completed",
    studies: told.map(({ study }) => study),
    runs: told.flatMap(({ runs }) => runs),
  });
  if (interrupted) {
    output.note(`Everything is kept in ${out}; slalom tour goes on from there.`);
    return interruptedCode;
  }
  const { style } = output;
  output.text(
    `\n${style.bold(`Done in ${duration((performance.now() - started) / 1000)}.`)} Open in a browser:`,
  );
  for (const page of pages) output.text(`  ${page}`);
  const slalom = ownName();
  output.text(
    style.dim(
      `\nNext: ${slalom} doctor\n      ${slalom} compare ex2-mnist-short\n      ${slalom} help run, for a study of your own`,
    ),
  );
  return exitCodes.success;
}

/** How this program was called: in a clone that is not installed there is no `slalom`. */
function ownName(): string {
  const script = process.argv[1] ?? "";
  return basename(script) === "main.js" ? `node ${relative(process.cwd(), script)}` : "slalom";
}
