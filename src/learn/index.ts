/** What one learns with: problems, data sets, models, layers, losses, optimizers, schedules. */
export * from "./augmentations/index.js";
export {
  type Average,
  type AverageDescription,
  averageFrom,
  describeAverage,
  ema,
  type RunLength,
  swa,
} from "./averages/index.js";
export * from "./datasets/index.js";
export * from "./initializers/index.js";
export * from "./layers/index.js";
export * from "./losses/index.js";
export * from "./models/index.js";
export * from "./optimizers/index.js";
export * from "./problems/index.js";
export * from "./schedules/index.js";
