/** Studies: grids of runs over seeds, trained as lanes, stored, compared. */

export { type AvailableMemory, availableMemory } from "./availableMemory.js";
export { type ExecutionHooks, type Executor, executeTask, inThread, loadedDataset } from "./executor.js";
export {
  type Forecast,
  type ForecastCurve,
  type ForecastOptions,
  type ForecastPoint,
  forecast,
  type StepModel,
  type StepTime,
  type StudyForecast,
  stepModel,
} from "./forecast.js";
export { allReduceSeconds, type Link, links } from "./links.js";
export { fittingTasks, type StudyMemory } from "./memory.js";
export { memoryLine, memoryTable } from "./memoryTable.js";
export type { StudyProgress, TaskProgress } from "./progress.js";
export {
  type PlannedRuns,
  plannedRuns,
  type RunStudyOptions,
  runStudy,
  type StudyOutcome,
} from "./runStudy.js";
export type { ScalingCurve, ScalingMode, ScalingPoint, ScalingStudy } from "./scaling.js";
export { loadForecast, loadScaling } from "./scalingStore.js";
export { runsOfShare, type Share } from "./shares.js";
export { type Comparison, type Study, type StudyOptions, study, type TargetOption } from "./study.js";
export type { SeedTraining, TargetStudy, TargetTraining } from "./targetTraining.js";
export { configurationsOf, groupedRuns, recordOf, type StudyRun, type Task, tasksFor } from "./tasks.js";
export { slalomVersion } from "./version.js";
