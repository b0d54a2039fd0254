/** Losses of each example; a problem says whether a batch takes their mean or their sum. */
export { accuracy, crossEntropy } from "./cross-entropy.js";
export { type SquaredErrorOptions, squaredError } from "./squared-error.js";
