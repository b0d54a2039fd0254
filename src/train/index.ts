/** Training: lanes of one program, the loop around it, evaluation, divergence. */
export { batchSizes } from "./batchSizes.js";
export { evaluatedMetrics, type LaneTraining, metricsOf, stepsPerEpoch } from "./configuration.js";
export { type GradientNoise, type GradientOf, gradientNoise, noiseScale } from "./gradientNoise.js";
export { initialParameters, seedKeys, startsAlike } from "./initialValues.js";
export { divergenceFactor } from "./lane.js";
export { type LaneProgram, laneProgram } from "./laneProgram.js";
export { Ledger, ledgerOfFailure } from "./ledger.js";
export {
  accumulateEntry,
  evaluateEntry,
  measureEntry,
  names as variableNames,
  statisticsEntry,
  stepEntry,
} from "./names.js";
export { type Predictions, predict } from "./predict.js";
export { type ProgramBytes, programBytes } from "./programBytes.js";
export type { LaneProgress, LaneSink, LearnedModel, ModelValues } from "./results.js";
export type { LoopSnapshot } from "./snapshot.js";
export { type CheckpointInterval, type TrainLanesOptions, trainLanes } from "./trainLanes.js";
