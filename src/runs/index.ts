/** The run store: studies and runs as folders that survive; the only source of figures and claims. */
export { makeFolder, makeFolderWithin, writeWhole } from "./files.js";
export { runId, slugOf } from "./identity.js";
export { decode, encode, firstDifference } from "./json.js";
export type { Curve, RunRows, Tail } from "./metrics.js";
export {
  hasModel,
  readModel,
  readPredictions,
  type StoredModel,
  type StoredPredictions,
  type WhichModel,
  writeModel,
  writePredictions,
} from "./models.js";
export { loadStudy, readRun, type StoredRun, type StoredStudy, tail } from "./read.js";
export * from "./records.js";
export { readSafetensors, type Safetensors, writeSafetensors } from "./safetensors.js";
export { type CreateStudyOptions, openStore, type Store, Study } from "./store.js";
export { betterSide, meets, type RunOutcome } from "./summary.js";
export {
  type Account,
  type AccountTimes,
  accounts,
  ledgersTogether,
  type RankLedger,
  type TimeLedger,
  totalS,
  wholeLedgers,
} from "./timeLedger.js";
export { RunWriter } from "./writer.js";
