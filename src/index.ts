/**
 * Slalom: a laboratory for optimization algorithms. Everything that a study file needs, and the tensor functions that
 * one's own optimizers, models and problems are written with. The parts by themselves: `slalom/graph`,
 * `slalom/transform`, `slalom/compile`, `slalom/train`, `slalom/runs`, `slalom/figures`, `slalom/backends/cpu`, ...
 */
export { SlalomError } from "./base/errors.js";
export * from "./graph/index.js";
export {
  inThread,
  type RunStudyOptions,
  runStudy,
  type Study,
  type StudyOptions,
  type StudyOutcome,
  slalomVersion,
  study,
} from "./lab/index.js";
export * from "./learn/index.js";
export { openStore, type Store } from "./runs/index.js";
export { grad, hessianVectorProduct, vjp, vmap } from "./transform/index.js";
