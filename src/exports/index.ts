/** Exports of stored studies: trained models as ONNX files, runs as TensorBoard event files, tables as CSV. */
export { type Cell, csvOf, rowsTable, summariesTable, type Table } from "./csv.js";
export { type OnnxModel, type OnnxModelOptions, type OnnxTensor, onnxModel } from "./onnx/model.js";
export { type StoredOnnxModel, type StoredOnnxOptions, storedOnnxModel } from "./onnx/stored.js";
export { findRun } from "./runs.js";
export {
  type CsvTableName,
  type ExportCsvOptions,
  type ExportRunsOptions,
  exportCsv,
  exportOnnx,
  exportTensorboard,
} from "./write.js";
