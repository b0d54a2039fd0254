/** Statistics of studies: what the data say, with which confidence, and where they do not decide. */
export { type BestSetting, type BestSettingOptions, bestSetting, type Trial } from "./best.js";
export { type BudgetComparison, compareBudgets, expectedBest, type TuningBudget } from "./budget.js";
export {
  betterOf,
  type Measure,
  measuresOf,
  type OptimizerStatistics,
  type StudyStatistics,
  type StudyStatisticsOptions,
  seriesOf,
  settingOf,
  studyStatistics,
  trialsOf,
} from "./fromRuns.js";
export { type Interval, type IntervalOptions, interval, mean, median, quantile } from "./intervals.js";
export {
  type Better,
  type ComparisonOptions,
  compareAll,
  comparePaired,
  type Group,
  holm,
  type NamedComparison,
  type PairedComparison,
  rank,
  type SeedValue,
  type Standing,
  type Standings,
  type Verdict,
} from "./paired.js";
export { type ConvergenceRate, convergenceRate, firstWithin, type LossCurve } from "./rate.js";
export {
  type GoodRange,
  type RangeEnd,
  type Sensitivity,
  type SensitivityOptions,
  type SensitivityPoint,
  type SensitivityRun,
  sensitivity,
  type Tolerance,
} from "./sensitivity.js";
export { type Spread, type TargetTime, type TimeToTarget, timeToTarget } from "./targets.js";
