/** Rows as columns of a terminal: padded, two spaces apart, no rules. */
import type { Style } from "./style.js";

export interface ColumnsOptions {
  readonly header?: readonly string[];
  /** By column; left where it is absent. */
  readonly align?: readonly ("left" | "right")[];
  readonly style: Style;
  /** Spaces in front of each row; by default 0. */
  readonly indent?: number;
}

export function columns(rows: readonly (readonly string[])[], options: ColumnsOptions): string {
  const { header, align = [], style, indent = 0 } = options;
  const all = header ? [header, ...rows] : rows;
  const widths = (all[0] ?? []).map((_, i) => Math.max(...all.map((row) => [...row[i]].length)));
  const line = (row: readonly string[]): string => {
    const cells = row.map((cell, i) => {
      const padding = " ".repeat(widths[i] - [...cell].length);
      return align[i] === "right" ? padding + cell : cell + padding;
    });
    return " ".repeat(indent) + cells.join("  ").trimEnd();
  };
  const lines = rows.map(line);
  return (header ? [style.dim(line(header)), ...lines] : lines).join("\n");
}

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
