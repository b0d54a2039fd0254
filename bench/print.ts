/** Results as text for people: ratios first, times beside them. */
import type { CaseResult, CaseRow } from "./case.js";

export function formatResult({ title, rows, goals, absent, notes, roofs }: CaseResult): string {
  const table = rows.map((row) => [
    row.contestant,
    String(row.cores),
    row.ratio ? `${formatNumber(row.ratio.median)} x` : "1",
    row.ratio ? `${formatNumber(row.ratio.min)} to ${formatNumber(row.ratio.max)}` : "",
    `${formatTime(row.timing.medianS)}`,
    `${formatTime(row.timing.minS)}`,
    shares(row),
  ]);
  const headings = [
    "",
    "cores",
    "times Slalom's",
    "over rounds",
    `per ${rows[0]?.unit}`,
    "least",
    "of the floor",
  ];
  const lines = rows.length === 0 ? [title, ""] : [title, "", ...aligned([headings, ...table])];
  if (roofs) {
    lines.push(
      "",
      `Floor: ${formatNumber(roofs.gflops)} GFLOP/s and ${formatNumber(roofs.gigabytesPerS)} GB/s on ${roofs.ranks} core${roofs.ranks === 1 ? "" : "s"}; in brackets the matrix products alone, each as fast as it runs by itself.`,
    );
  }
  for (const { text, reached, value } of goals) {
    const verdict = reached === undefined ? "not measured" : reached ? "reached" : "missed";
    lines.push(`Goal: ${text}: ${verdict}${value === undefined ? "" : ` (${formatNumber(value)})`}`);
  }
  for (const { contestant, reason } of absent) lines.push(`Absent: ${contestant}: ${reason}`);
  for (const note of notes) lines.push(`Note: ${note}`);
  return `${lines.join("\n")}\n`;
}

const shares = ({ floorShare, productsShare }: CaseRow): string =>
  floorShare === undefined || productsShare === undefined
    ? ""
    : `${percent(floorShare)} (${percent(productsShare)})`;

const percent = (share: number): string => `${Math.round(share * 100)} %`;

/** Three digits that matter. */
export const formatNumber = (value: number): string =>
  value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2);

export function formatTime(seconds: number): string {
  if (seconds < 1e-6) return `${formatNumber(seconds * 1e9)} ns`;
  if (seconds < 1e-3) return `${formatNumber(seconds * 1e6)} us`;
  return seconds < 1 ? `${formatNumber(seconds * 1e3)} ms` : `${formatNumber(seconds)} s`;
}

/** Rows as lines of text. */
export const formatTable = (rows: readonly (readonly string[])[]): string => aligned(rows).join("\n");

/** Columns under their headings; the first to the left, the others to the right. */
export function aligned(rows: readonly (readonly string[])[]): string[] {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  return rows.map((row) =>
    row
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[0]) : cell.padStart(widths[column])))
      .join("  ")
      .trimEnd(),
  );
}
