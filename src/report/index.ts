/** Reports: figures, tables, findings and a page, made from the stored runs of a study alone. */
export {
  analyse,
  type BestResult,
  type OptimizerResult,
  type ReportOptions,
  type SettingResult,
  type StudyAnalysis,
  settingName,
  withBest,
} from "./analysis.js";
export type { ChartSection } from "./charts/chart.js";
export type { Comparison } from "./comparisons.js";
export { type Criteria, type Criterion, valueIn } from "./criteria.js";
export { figuresFrom, figuresOf, type StudyFigure } from "./figures.js";
export { type Finding, findingsFrom, findingsOf } from "./findings/index.js";
export { htmlPage, pageFrom } from "./page.js";
export { forecastFigure, type ScalingFigure, scalingFigures } from "./scaling/index.js";
export type { ReportCell, ReportColumn, ReportTable } from "./table.js";
export { tablesFrom, tablesOf } from "./tables.js";
export { summaryFrom, type TerminalOptions, terminalSummary } from "./terminal.js";
export { ledgersOf, type TrainingTime, timeLine, trainingTime } from "./time.js";
export { type ReportPaths, type WriteReportOptions, writeReport } from "./write.js";
