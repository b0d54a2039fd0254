/** Losses of each example; a problem says whether a batch takes their mean or their sum. */
export { accuracy, crossEntropy } from "./crossEntropy.js";
export { type SquaredErrorOptions, squaredError } from "./squaredError.js";
