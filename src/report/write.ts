/** Writing a report: figures as SVG and PNG, and the page. Each file is written aside and renamed. */
import { randomBytes } from "node:crypto";
import { mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { SlalomError } from "../base/errors.js";
import { writeFigure } from "../figures/index.js";
import type { StoredStudy } from "../runs/index.js";
import { analyse, type ReportOptions } from "./analysis.js";
import { figuresFrom } from "./figures.js";
import { pageFrom } from "./page.js";

export interface WriteReportOptions extends ReportOptions {
  /** Width of the PNGs in pixels; default 1280. */
  readonly pngWidth?: number;
}

export interface ReportPaths {
  readonly html: string;
  readonly figures: readonly { readonly id: string; readonly svg: string; readonly png: string }[];
}

/**
 * Writes `folder`/report.html and `folder`/figures/<id>.svg and .png; files of the same names are replaced.
 * Errors: as `analyse`; "store" where the folder can't be written; "library" where PNGs can't be made.
 */
export function writeReport(
  study: StoredStudy,
  folder: string,
  options: WriteReportOptions = {},
): ReportPaths {
  const analysis = analyse(study, options);
  const figures = figuresFrom(analysis);
  const written = figures.map(({ id, svg }) => ({
    id,
    ...writeFigure(join(folder, "figures", id), svg, { width: options.pngWidth }),
  }));
  // The page last: where it is, all of the report is.
  const html = join(folder, "report.html");
  writeAside(html, pageFrom(analysis, figures));
  return { html, figures: written };
}

function writeAside(path: string, text: string): void {
  const aside = `${path}.${randomBytes(4).toString("hex")}.aside`;
  try {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(aside, text);
    renameSync(aside, path);
  } catch (cause) {
    rmSync(aside, { force: true });
    throw new SlalomError(
      "store",
      `report: could not write ${path}: ${cause instanceof Error ? cause.message : String(cause)}. Is the folder writable?`,
      { cause },
    );
  }
}
