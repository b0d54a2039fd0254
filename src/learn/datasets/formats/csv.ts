/** CSV (RFC 4180) through csv-parse: a table of text with the line of every row, and its numeric columns. */
import { parse } from "csv-parse/sync";
import { checkKeys, SlalomError, unknownName } from "../../../base/errors.js";
import { decompress, type NamedBytes, readBytes } from "./file.js";

export interface CsvOptions {
  /** "first-row" (default): the first row names the columns. "none": columns are named "0", "1", ... */
  readonly header?: "first-row" | "none";
  /** What stands between two fields; default ",". */
  readonly delimiter?: string;
}

/** Rows of trimmed text; every row has `columns.length` fields. */
export interface CsvTable {
  readonly file: string;
  readonly columns: readonly string[];
  readonly rows: readonly (readonly string[])[];
  /** The line of the file, counted from 1, on which each row ends. */
  readonly lines: readonly number[];
}

/**
 * The table in a CSV file, plain or gzip; empty lines are skipped.
 *
 * Throws "data" with file, line and column for a file that is missing, empty or ragged, and for broken quotes.
 */
export const readCsv = async (file: string, options?: CsvOptions): Promise<CsvTable> =>
  decodeCsv(decompress(await readBytes(file)), options);

/** The table in the bytes of a CSV file; throws as `readCsv` does. */
export function decodeCsv({ file, bytes }: NamedBytes, options: CsvOptions = {}): CsvTable {
  checkKeys("readCsv", options, ["header", "delimiter"]);
  const records = parseRecords(file, bytes, options.delimiter ?? ",");
  const named = (options.header ?? "first-row") === "first-row";
  const first = records[0];
  const data = named ? records.slice(1) : records;
  if (first === undefined || data.length === 0) {
    const received = first === undefined ? "an empty file" : "a header alone";
    throw brokenCsv({ file, line: first?.line ?? 1, received, expected: "at least one row of data" });
  }
  const columns = named ? first.fields : first.fields.map((_, index) => String(index));
  const twice = columns.findIndex((name, index) => columns.indexOf(name) !== index);
  if (twice >= 0) {
    const received = `a second column named "${columns[twice]}"`;
    const remedy = 'If the first row holds data, say header: "none".';
    throw brokenCsv({
      file,
      line: first.line,
      column: twice,
      received,
      expected: "a name of its own for each",
      remedy,
    });
  }
  return { file, columns, rows: data.map(({ fields }) => fields), lines: data.map(({ line }) => line) };
}

/** The index of a column given by name or by number (negative counts from the end). */
export function columnIndex(table: CsvTable, column: string | number): number {
  const { file, columns } = table;
  if (typeof column === "string") {
    const index = columns.indexOf(column);
    if (index < 0) throw unknownName(`column of CSV file "${file}"`, column, columns, "data");
    return index;
  }
  const index = column < 0 ? column + columns.length : column;
  if (Number.isInteger(index) && index >= 0 && index < columns.length) return index;
  throw new SlalomError(
    "data",
    `CSV file "${file}": received column ${column}; expected ${-columns.length} to ${columns.length - 1}, or a name: ${columns.join(", ")}.`,
  );
}

/** The field as a finite number; throws "data" with line and column otherwise. */
export function numberAt(table: CsvTable, row: number, column: number): number {
  const text = table.rows[row][column];
  const value = text === "" ? Number.NaN : Number(text);
  if (Number.isFinite(value)) return value;
  throw brokenField(
    table,
    row,
    column,
    "a finite number",
    "Leave the column out, or mend the file. Is the delimiter right?",
  );
}

/** The error for a field that is not what is expected. */
export function brokenField(
  table: CsvTable,
  row: number,
  column: number,
  expected: string,
  remedy?: string,
): SlalomError {
  const received = table.rows[row][column] === "" ? "an empty field" : `"${table.rows[row][column]}"`;
  return brokenCsv({
    file: table.file,
    line: table.lines[row],
    column,
    columnName: table.columns[column],
    received,
    expected,
    remedy,
  });
}

interface CsvFault {
  readonly file: string;
  readonly line: number;
  /** Counted from 0; printed from 1. */
  readonly column?: number;
  readonly columnName?: string;
  readonly received: string;
  readonly expected: string;
  readonly remedy?: string;
}

function brokenCsv(fault: CsvFault, cause?: unknown): SlalomError {
  const { file, line, column, columnName, received, expected, remedy } = fault;
  const name = columnName === undefined ? "" : ` ("${columnName}")`;
  const place = `line ${line}${column === undefined ? "" : `, column ${column + 1}${name}`}`;
  return new SlalomError(
    "data",
    `CSV file "${file}", ${place}: received ${received}; expected ${expected}.${remedy ? ` ${remedy}` : ""}`,
    cause === undefined ? undefined : { cause },
  );
}

interface CsvRecord {
  readonly fields: string[];
  readonly line: number;
}

function parseRecords(file: string, bytes: Uint8Array, delimiter: string): CsvRecord[] {
  try {
    // With `info`, csv-parse answers { info, record } for each row, which its types do not tell.
    const options = { bom: true, skip_empty_lines: true, trim: true, info: true, delimiter };
    const parsed = parse(bytes, options) as unknown as { info: { lines: number }; record: string[] }[];
    return parsed.map(({ info, record }) => ({ fields: record, line: info.lines }));
  } catch (cause) {
    const { code, message, lines, column } = cause as CsvParseError;
    const ragged = /expect (\d+), got (\d+)/.exec(message);
    throw brokenCsv(
      {
        file,
        line: lines ?? 1,
        column: ragged ? undefined : typeof column === "number" ? column : undefined,
        received: ragged ? `${ragged[2]} fields` : (faults[code] ?? message),
        expected: ragged
          ? `${ragged[1]}, as in the first row`
          : 'fields apart by the delimiter, quoted whole ("a ""b"" c") or not at all',
        remedy: ragged ? "Is the delimiter right?" : undefined,
      },
      cause,
    );
  }
}

interface CsvParseError {
  readonly code: string;
  readonly message: string;
  readonly lines?: number;
  readonly column?: number | string;
}

const faults: Readonly<Record<string, string>> = {
  CSV_QUOTE_NOT_CLOSED: "a quote that is never closed",
  INVALID_OPENING_QUOTE: "a quote inside an unquoted field",
  CSV_INVALID_CLOSING_QUOTE: "text after a closing quote",
};
