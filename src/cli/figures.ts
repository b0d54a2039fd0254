/** `slalom figures`: the figures and the HTML page of a stored study, from the store alone. */
import type { Output } from "./output.js";
import { draw } from "./reporting.js";
import { builtInProblem, storedStudy } from "./storedStudies.js";

export interface FiguresOptions {
  readonly out: string;
}

export async function figures(which: string, { out }: FiguresOptions, output: Output): Promise<void> {
  const study = await storedStudy(which, out);
  const { html, figures: drawn } = draw(study, builtInProblem(study.record));
  output.result({ study: study.record.name, html, figures: drawn });
  for (const { svg, png } of drawn) output.text(`${svg}\n${png}`);
  output.text(
    `${output.style.bold(html)}\n${output.style.dim("Open the page in a browser; it is one file and needs no network.")}`,
  );
}
