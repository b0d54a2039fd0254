/** Exports of stored studies: runs as TensorBoard event files, tables as CSV. */
export { type Cell, csvOf, rowsTable, summariesTable, type Table } from "./csv.js";
export {
  type CsvTableName,
  type ExportCsvOptions,
  type ExportRunsOptions,
  exportCsv,
  exportTensorboard,
} from "./write.js";
