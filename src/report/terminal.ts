/** The summary that stands on the terminal after a run: findings, the best settings, where the rest is. */
import type { StoredStudy } from "../runs/index.js";
import { analyse, type ReportOptions, type StudyAnalysis } from "./analysis.js";
import { type Finding, findingsFrom } from "./findings/index.js";
import { lengthInWords } from "./lengths.js";
import type { ReportCell, ReportTable } from "./table.js";
import { tablesFrom } from "./tables.js";
import { counted, duration, listed } from "./words.js";

export interface TerminalOptions extends ReportOptions {
  /** Characters in a line, at least 60; default 96. */
  readonly width?: number;
  /** "colour" marks headings with ANSI codes; default "plain". */
  readonly style?: "plain" | "colour";
}

/** Plain text, every line within `width`, ended by a newline. Errors: as `analyse`. */
export const terminalSummary = (study: StoredStudy, options: TerminalOptions = {}): string =>
  summaryFrom(analyse(study, options), options);

export function summaryFrom(analysis: StudyAnalysis, options: TerminalOptions = {}): string {
  const width = Math.max(60, options.width ?? 96);
  const heading = (text: string): string => (options.style === "colour" ? `\u001b[1m${text}\u001b[0m` : text);
  const tables = tablesFrom(analysis).filter(({ id }) => id !== "settings" && id !== "time");
  const lines = [
    heading(analysis.title),
    ...wrapped(overviewOf(analysis), width, "", ""),
    "",
    ...findingsFrom(analysis).flatMap((finding) => wrapped(finding.text, width, bulletOf(finding), "  ")),
    ...tables.flatMap((table) => ["", heading(table.title), ...tableLines(table, width)]),
  ];
  return `${lines.join("\n")}\n`;
}

/** "140 runs of 28 settings on 5 seeds, 12 epochs each." */
export function overviewOf({ study, results, optimizers, isDeterministic }: StudyAnalysis): string {
  const { record } = study;
  const settings = optimizers.reduce((sum, optimizer) => sum + optimizer.settings.length, 0);
  const seeds = isDeterministic ? "" : ` on ${counted(record.seeds.length, "seed")}`;
  const length = lengthInWords(record);
  const trainingS = results.reduce((sum, { summary }) => sum + (summary?.timeS ?? 0), 0);
  return `${counted(results.length, "run")} of ${counted(settings, "setting")} of ${listed(optimizers.map(({ name }) => name))}${seeds}${length === "" ? "" : `, ${length} each`}; ${duration(trainingS)} of training.`;
}

function bulletOf({ kind }: Finding): string {
  return kind === "recommendation" ? "> " : kind === "undecided" ? "? " : kind === "caution" ? "! " : "- ";
}

/**
 * The table with columns as wide as their cells. Where the lines would be too long details are left out, and where
 * that is not enough each row becomes a block of headings and values.
 */
function tableLines(table: ReportTable, width: number): string[] {
  const gap = 2;
  const headings = table.columns.map(({ label }, column) => {
    const widest = Math.max(0, ...table.rows.map((row) => row[column].text.length));
    return wrapWords(label, Math.max(widest, longestWord(label), 8));
  });
  const widths = table.columns.map((_, column) =>
    Math.max(
      ...headings[column].map((line) => line.length),
      ...table.rows.map((row) => row[column].text.length),
    ),
  );
  if (widths.reduce((sum, one) => sum + one + gap, -gap) > width) {
    const detail = table.columns.findLastIndex(({ weight }) => weight === "detail");
    return detail < 0 ? blockLines(table, width) : tableLines(withoutColumn(table, detail), width);
  }
  const height = Math.max(...headings.map(({ length }) => length));
  const pad = (text: string, column: number) =>
    table.columns[column].align === "right" ? text.padStart(widths[column]) : text.padEnd(widths[column]);
  const join = (cells: readonly string[]) => cells.map(pad).join(" ".repeat(gap)).trimEnd();
  const head = Array.from({ length: height }, (_, line) =>
    join(headings.map((lines) => lines[line - (height - lines.length)] ?? "")),
  );
  const rule = widths.map((one) => "─".repeat(one)).join(" ".repeat(gap));
  return [...head, rule, ...table.rows.map((row) => join(row.map(({ text }) => text)))];
}

const withoutColumn = (table: ReportTable, column: number): ReportTable => ({
  ...table,
  columns: table.columns.filter((_, i) => i !== column),
  rows: table.rows.map((row) => row.filter((_, i) => i !== column)),
});

function blockLines({ columns, rows }: ReportTable, width: number): string[] {
  const label = Math.max(...columns.slice(1).map((column) => column.label.length));
  const room = Math.min(label, Math.floor(width / 2));
  return rows.flatMap((row: readonly ReportCell[]) => [
    row[0].text,
    ...row.slice(1).flatMap(({ text }, i) => {
      const names = wrapWords(columns[i + 1].label, room);
      const values = wrapWords(text, width - room - 4);
      return Array.from({ length: Math.max(names.length, values.length) }, (_, line) =>
        `  ${(names[line] ?? "").padEnd(room)}  ${values[line] ?? ""}`.trimEnd(),
      );
    }),
  ]);
}

/** Lines of at most `width`, the first after `bullet`, the others after `indent`. */
const wrapped = (text: string, width: number, bullet: string, indent: string): string[] =>
  wrapWords(text, width - Math.max(bullet.length, indent.length)).map(
    (line, i) => (i === 0 ? bullet : indent) + line,
  );

function wrapWords(text: string, width: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(" ")) {
    const last = lines[lines.length - 1];
    if (last !== undefined && last.length + 1 + word.length <= width)
      lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines;
}

const longestWord = (text: string): number => Math.max(...text.split(" ").map((word) => word.length));
