/** `slalom figures`: the figures and the HTML page of a stored study, and those of its scaling, from the store alone. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { redrawScaling } from "../report/scaling/write.js";
import type { Output } from "./output.js";
import { draw } from "./reporting.js";
import { builtInProblem, storedStudy } from "./storedStudies.js";

export interface FiguresOptions {
  readonly out: string;
}

export async function figures(which: string, { out }: FiguresOptions, output: Output): Promise<void> {
  const alone = [which, join(out, which)].find(
    (folder) => existsSync(join(folder, "scaling")) && !existsSync(join(folder, "study.json")),
  );
  if (alone !== undefined) {
    output.result({ study: alone, figures: redrawn(alone, output) });
    return;
  }
  const study = await storedStudy(which, out);
  const { html, figures: drawn } = draw(study, builtInProblem(study.record));
  for (const { svg, png } of drawn) output.text(`${svg}\n${png}`);
  const scaling = redrawn(study.folder, output);
  output.result({ study: study.record.name, html, figures: [...drawn, ...scaling] });
  output.text(
    `${output.style.bold(html)}\n${output.style.dim("Open the page in a browser; it is one file and needs no network.")}`,
  );
}

/** What `slalom scale` left in the folder, of a study that was trained or only measured. */
function redrawn(folder: string, output: Output): ReturnType<typeof redrawScaling>["drawn"] {
  const { drawn, uncertified } = redrawScaling(folder);
  for (const { svg, png } of drawn) output.text(`${svg}\n${png}`);
  for (const path of uncertified)
    output.text(output.style.dim(`${path}: not drawn: ranks without a certificate have no speed-up.`));
  return drawn;
}
