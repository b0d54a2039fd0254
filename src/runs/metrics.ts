/**
 * The rows of a run: one JSON object a line, appended in batches. A killed writer leaves at most one torn last
 * line, which readers drop. Reading is one JSON.parse over the whole file, then columns.
 */
import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { SlalomError, unknownName } from "../base/errors.js";
import { codeOf, guarded, readText } from "./files.js";
import { decodeNumber, encodeNumber } from "./json.js";
import type { MetricRow } from "./records.js";

/** One metric over a run: only the rows that hold it. `epoch` is NaN where a row has none. */
export interface Curve {
  readonly step: Float64Array;
  readonly epoch: Float64Array;
  readonly timeS: Float64Array;
  readonly value: Float64Array;
}

/** All rows of a run, as columns. */
export interface RunRows {
  /** Number of rows. */
  readonly count: number;
  /** The metrics that some row holds (step, epoch and timeS not among them). */
  readonly metrics: readonly string[];
  readonly step: Float64Array;
  readonly epoch: Float64Array;
  readonly timeS: Float64Array;
  /** The curve of `metric`; an error that lists the metrics for an unknown one. */
  curve(metric: string): Curve;
}

/** Lines for `rows`, each ended by a newline. */
export function encodeRows(rows: readonly MetricRow[]): string {
  const quoted = new Map<string, string>();
  let text = "";
  for (const row of rows) {
    let line = "";
    for (const key in row) {
      const value: number | undefined = row[key];
      if (value === undefined) continue;
      let name = quoted.get(key);
      if (name === undefined) {
        name = `${JSON.stringify(key)}:`;
        quoted.set(key, name);
      }
      line += `${line === "" ? "{" : ","}${name}${encodeNumber(value)}`;
    }
    text += `${line}}\n`;
  }
  return text;
}

/** The rows of the file at `path` as columns; none when it is absent. */
export const readRows = (path: string): RunRows => columnsOf(parseRows(path, readText(path) ?? ""), path);

/** Follows a growing metrics file from another process. */
export interface Tail {
  /** The rows completed since the last call. `restarted`: the run began anew; forget the earlier rows. */
  read(): { rows: MetricRow[]; restarted: boolean };
}

/** A tail from the start of the file at `path`, which need not exist yet. */
export function tailRows(path: string): Tail {
  let offset = 0;
  let inode = 0;
  return {
    read() {
      const chunk = readFrom(path, offset, inode);
      if (chunk === undefined) return { rows: [], restarted: false };
      const complete = chunk.bytes.lastIndexOf(newline) + 1;
      offset = chunk.start + complete;
      inode = chunk.inode;
      const rows = parseRows(path, chunk.bytes.toString("utf8", 0, complete));
      return { rows: rows.map((row) => numericRow(row, path)), restarted: chunk.restarted };
    },
  };
}

const newline = 10;

function parseRows(path: string, text: string): object[] {
  const body = text.slice(0, Math.max(0, text.lastIndexOf("\n")));
  if (body === "") return [];
  try {
    return JSON.parse(`[${body.replaceAll("\n", ",")}]`) as object[];
  } catch {
    return parseLines(path, body.split("\n"));
  }
}

/** Line by line: drops a torn last one and names any other. */
function parseLines(path: string, lines: readonly string[]): object[] {
  const rows: object[] = [];
  for (const [i, line] of lines.entries()) {
    try {
      rows.push(JSON.parse(line) as object);
    } catch (error) {
      // After a power loss the end of the file may be zeros or half a line that happens to end well.
      if (i === lines.length - 1) return rows;
      throw brokenRow(path, i + 1, line, error);
    }
  }
  return rows;
}

function brokenRow(path: string, line: number, text: string, cause?: unknown): SlalomError {
  return new SlalomError(
    "store",
    `${path}, line ${line}: expected one JSON object of numbers, received ${JSON.stringify(text.slice(0, 60))}. Delete the run's folder and resume: only this run is repeated.`,
    { cause },
  );
}

function columnsOf(rows: readonly object[], path: string): RunRows {
  const count = rows.length;
  const step = new Float64Array(count);
  const timeS = new Float64Array(count);
  const epoch = new Float64Array(count).fill(Number.NaN);
  const columns = new Map<string, { at: number[]; values: number[] }>();
  for (let i = 0; i < count; i++) {
    const row = rows[i] as Readonly<Record<string, unknown>>;
    for (const key in row) {
      const value = decodeNumber(row[key]);
      if (value === undefined) throw brokenRow(path, i + 1, JSON.stringify(row));
      if (key === "step") step[i] = value;
      else if (key === "timeS") timeS[i] = value;
      else if (key === "epoch") epoch[i] = value;
      else {
        let column = columns.get(key);
        if (column === undefined) {
          column = { at: [], values: [] };
          columns.set(key, column);
        }
        column.at.push(i);
        column.values.push(value);
      }
    }
  }
  const metrics = [...columns.keys()];
  return {
    count,
    metrics,
    step,
    epoch,
    timeS,
    curve(metric) {
      const column = columns.get(metric);
      if (column === undefined) throw unknownName("metric", metric, metrics);
      const value = Float64Array.from(column.values);
      if (column.at.length === count) return { step, epoch, timeS, value };
      const pick = (all: Float64Array) => Float64Array.from(column.at, (i) => all[i]);
      return { step: pick(step), epoch: pick(epoch), timeS: pick(timeS), value };
    },
  };
}

function numericRow(row: object, path: string): MetricRow {
  const entries = Object.entries(row).map(([key, value]): [string, number] => {
    const number = decodeNumber(value);
    if (number === undefined) throw brokenRow(path, 0, JSON.stringify(row));
    return [key, number];
  });
  return Object.fromEntries(entries) as MetricRow;
}

function readFrom(path: string, offset: number, inode: number) {
  return guarded("read", path, () => {
    let file: number;
    try {
      file = openSync(path, "r");
    } catch (error) {
      if (codeOf(error) === "ENOENT") return undefined;
      throw error;
    }
    try {
      const { size, ino } = fstatSync(file);
      const restarted = inode !== 0 && (ino !== inode || size < offset);
      const start = restarted ? 0 : offset;
      const bytes = Buffer.alloc(Math.max(0, size - start));
      const length = readSync(file, bytes, 0, bytes.length, start);
      return { bytes: bytes.subarray(0, length), start, inode: ino, restarted };
    } finally {
      closeSync(file);
    }
  });
}
