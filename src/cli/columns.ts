/** Rows as columns of a terminal: padded, two spaces apart, no rules. */
import type { Style } from "./style.js";

export interface ColumnsOptions {
  readonly header?: readonly string[];
  /** By column; left where it is absent. */
  readonly align?: readonly ("left" | "right")[];
  readonly style: Style;
  /** Spaces in front of each row; by default 0. */
  readonly indent?: number;
  /** Characters of a line: the words of the last column are broken into lines where it would be longer. */
  readonly width?: number;
}

export function columns(rows: readonly (readonly string[])[], options: ColumnsOptions): string {
  const { header, align = [], style, indent = 0, width = Number.POSITIVE_INFINITY } = options;
  const all = header ? [header, ...rows] : rows;
  const widths = (all[0] ?? []).map((_, i) => Math.max(...all.map((row) => [...row[i]].length)));
  const line = (row: readonly string[]): string => {
    const cells = row.map((cell, i) => {
      const padding = " ".repeat(widths[i] - [...cell].length);
      return align[i] === "right" ? padding + cell : cell + padding;
    });
    const text = " ".repeat(indent) + cells.join("  ").trimEnd();
    if (text.length <= width) return text;
    const before = " ".repeat(indent) + cells.slice(0, -1).join("  ");
    const last = wrapped(
      row[row.length - 1],
      Math.max(width, before.length + 2 + narrowest),
      before.length + 2,
    );
    return before + last.slice(before.length);
  };
  const lines = rows.map(line);
  return (header ? [style.dim(line(header)), ...lines] : lines).join("\n");
}

/** A last column is not made narrower than this. */
const narrowest = 24;

/** Words broken into lines of at most `width` characters, each after `indent` spaces. */
export function wrapped(text: string, width: number, indent = 0): string {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(/\s+/)) {
    if (line !== "" && indent + line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else line = line === "" ? word : `${line} ${word}`;
  }
  return [...lines, line].map((one) => " ".repeat(indent) + one).join("\n");
}
