/** Theory: what can be known of a run without making it. Quadratics in closed form, other problems by curvature. */
export { type Evaluator, type Hessian, type HessianOptions, hessianOf } from "./hessian.js";
export {
  type HessianProduct,
  type LanczosOptions,
  type LanczosResult,
  largestEigenvalues,
} from "./lanczos.js";
export {
  adamStabilityThreshold,
  asymptoticRate,
  gradientDescentTheory,
  heavyBallTheory,
  type MethodTheory,
  type Setting,
  spectralRadius,
  stabilityBoundary,
  stabilityLimit,
} from "./methods.js";
export {
  type LeastLossOptions,
  type LeastLossProgress,
  type LeastLossResult,
  type LossAndGradient,
  leastLoss,
  type Objective,
} from "./minimum.js";
export {
  type DivergenceOptions,
  type DivergencePrediction,
  predictDivergence,
  predictedLosses,
  predictedPath,
  predictedStepsTo,
  type QuadraticModes,
  quadraticModes,
} from "./prediction.js";
export { conditionNumber, type Matrix, type Spectrum, spectrum } from "./spectrum.js";
export { type SplitLoss, type SplitLossOptions, splitLoss } from "./splitLoss.js";
