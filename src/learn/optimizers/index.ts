/** Optimizers, one file each, and how they are applied. */
import { unknownName } from "../../base/errors.js";
import { adadelta } from "./adadelta.js";
import { adagrad } from "./adagrad.js";
import { adam } from "./adam.js";
import { adamax } from "./adamax.js";
import { adamw } from "./adamw.js";
import { amsgrad } from "./amsgrad.js";
import { lamb } from "./lamb.js";
import { lars } from "./lars.js";
import { momentum } from "./momentum.js";
import { nadam } from "./nadam.js";
import { nesterov } from "./nesterov.js";
import type { Optimizer } from "./optimizer.js";
import { radam } from "./radam.js";
import { rmsprop } from "./rmsprop.js";
import { sgd } from "./sgd.js";

export { linspace, logspace } from "../../base/ranges.js";
export { type ApplyInput, type ApplyResult, applyOptimizer, globalNorm, initialSlots } from "./apply.js";
export * as hyperparameters from "./common.js";
export {
  defineOptimizer,
  type Hyperparameter,
  type Optimizer,
  type OptimizerChoice,
  type OptimizerDefinition,
  type Paper,
  type Settings,
  type UpdateInput,
  type UpdateResult,
} from "./optimizer.js";
export {
  adadelta,
  adagrad,
  adam,
  adamax,
  adamw,
  amsgrad,
  lamb,
  lars,
  momentum,
  nadam,
  nesterov,
  radam,
  rmsprop,
  sgd,
};

export const optimizers = [
  sgd,
  momentum,
  nesterov,
  adagrad,
  adadelta,
  rmsprop,
  adam,
  amsgrad,
  adamw,
  adamax,
  nadam,
  radam,
  lars,
  lamb,
] as const satisfies readonly Optimizer[];

/** The optimizer of this id. @throws SlalomError "name" with the valid ones, the nearest first */
export function findOptimizer(id: string): Optimizer {
  const all: readonly Optimizer[] = optimizers;
  const found = all.find((optimizer) => optimizer.id === id);
  if (!found)
    throw unknownName(
      "optimizer",
      id,
      all.map((optimizer) => optimizer.id),
    );
  return found;
}
