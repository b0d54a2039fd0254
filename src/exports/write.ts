/** Exports as files, each written aside and renamed: another program never reads a part. */
import { statSync } from "node:fs";
import { dirname, join } from "node:path";
import { SlalomError, unknownName } from "../base/errors.js";
import { type FileContent, writeWhole } from "../runs/files.js";
import { makeFolder, type StoredRun, type StoredStudy } from "../runs/index.js";
import { csvOf, rowsTable, summariesTable } from "./csv.js";
import { type StoredOnnxModel, type StoredOnnxOptions, storedOnnxModel } from "./onnx/stored.js";
import { recordsOf } from "./tensorboard/events.js";

/**
 * Writes the model of a stored run to `path`, as `storedOnnxModel` gives it.
 * @throws SlalomError as `storedOnnxModel`; "store" where the file can't be written
 * @example await exportOnnx(loadStudy("runs/mnist-cnn"), "model.onnx", { problem: mnist({ model: convNet() }) })
 */
export async function exportOnnx(
  study: StoredStudy,
  path: string,
  options: StoredOnnxOptions,
): Promise<StoredOnnxModel> {
  const model = await storedOnnxModel(study, options);
  writeFile(path, model.bytes);
  return model;
}

export interface ExportRunsOptions {
  /** Those wanted; default: all of the study's. */
  readonly runs?: readonly StoredRun[];
}

/**
 * Writes an event file for each run, `folder`/<run id>/events.out.tfevents.slalom, which TensorBoard shows: a scalar for
 * each metric and step, at the wall time of its start and the training seconds since; its settings for the page of
 * hyperparameters, the seeds of a setting as one group. Of an unfinished run there is what it has measured so far. A file
 * of an earlier export is replaced.
 * @returns the files
 * @throws SlalomError "store" where a file can't be written
 * @example exportTensorboard(loadStudy("runs/ex2-mnist"), "tensorboard/ex2-mnist")
 */
export const exportTensorboard = (
  { runs: all }: StoredStudy,
  folder: string,
  { runs = all }: ExportRunsOptions = {},
): string[] =>
  runs.map((run) => {
    const path = join(folder, run.id, "events.out.tfevents.slalom");
    writeFile(path, recordsOf(run));
    return path;
  });

export interface ExportCsvOptions extends ExportRunsOptions {
  /** "rows" (default): a line a measured step. "summaries": a line a run. */
  readonly table?: CsvTableName;
}

const tables = { rows: rowsTable, summaries: summariesTable } as const;

export type CsvTableName = keyof typeof tables;

/**
 * Writes a table of a study to `path`, as `rowsTable` or `summariesTable` gives it.
 * @returns its columns
 * @throws SlalomError "option" for an unknown table, "store" where the file can't be written
 * @example exportCsv(loadStudy("runs/ex2-mnist"), "rows.csv")
 */
export function exportCsv(
  study: StoredStudy,
  path: string,
  { runs = study.runs, table: name = "rows" }: ExportCsvOptions = {},
): readonly string[] {
  if (!Object.hasOwn(tables, name)) throw unknownName("table", name, Object.keys(tables), "option");
  const table = tables[name](study, runs);
  writeFile(path, csvOf(table));
  return table.columns;
}

function writeFile(path: string, content: FileContent): void {
  makeFolder(dirname(path));
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory()) {
    throw new SlalomError("store", `export: ${path} is a folder; expected a file to write.`);
  }
  writeWhole(path, content);
}
