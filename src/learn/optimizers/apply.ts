/**
 * One update of all parameters of a model: schedule, clipping by the global norm, decoupled weight decay, then
 * the optimizer on each tensor.
 */
import { SlalomError } from "../../base/errors.js";
import type { TensorType } from "../../base/shape.js";
import {
  add,
  cast,
  div,
  fullLike,
  minimum,
  mul,
  sqrt,
  square,
  sub,
  sum,
  type Tensor,
} from "../../graph/index.js";
import type { Schedule } from "../schedules/schedule.js";
import type { Optimizer } from "./optimizer.js";

/** By parameter name. */
export type Tensors = Readonly<Record<string, Tensor>>;

export interface ApplyInput {
  readonly optimizer: Optimizer;
  readonly schedule?: Schedule;
  /** Scalar above 0: a number, or a tensor where it is an input of the program. */
  readonly clipNorm?: number | Tensor;
  /** Scalar of at least 0, likewise. */
  readonly decoupledWeightDecay?: number | Tensor;
  readonly parameters: Tensors;
  /** For each parameter the gradient, of its type. */
  readonly gradients: Tensors;
  /** For each parameter its slots. */
  readonly slots: Readonly<Record<string, Tensors>>;
  /** Each hyperparameter of the optimizer: a float scalar, `lr` before the schedule. */
  readonly hyper: Tensors;
  /** Float scalar, 1 at the first update. */
  readonly step: Tensor;
  /** Updates in the run: schedules depend on it. */
  readonly totalSteps: number;
}

export interface ApplyResult {
  readonly parameters: Tensors;
  readonly slots: Readonly<Record<string, Tensors>>;
  /** Scalar: the learning rate of this step, after the schedule; absent for an optimizer that has none. */
  readonly lr: Tensor | undefined;
  /** Scalar: the global norm of the gradients before clipping. It costs nothing unless it is used. */
  readonly gradientNorm: Tensor;
}

/**
 * The parameters and slots after one update; a choice can be spread into it:
 * `applyOptimizer({ ...adam({ clipNorm: 1 }), parameters, gradients, slots, hyper, step, totalSteps })`.
 *
 *     lr = lr schedule(step - 1)
 *     g  = g min(1, clipNorm / (|all g| + 1e-6))
 *     w  = w (1 - lr decoupledWeightDecay)
 *     w, slots = update(w, g, slots)
 *
 * Clipping is PyTorch's `clip_grad_norm_`; optax's `clip_by_global_norm` lacks the 1e-6. The decay stands where
 * PyTorch's `AdamW` has it.
 * @throws SlalomError "option" if a parameter lacks its gradient or slots, or the optimizer a hyperparameter
 */
export function applyOptimizer(input: ApplyInput): ApplyResult {
  const { optimizer, schedule, clipNorm, decoupledWeightDecay, parameters, step } = input;
  const hyper = checkedHyper(input);
  const names = Object.keys(parameters);
  const raw = names.map((name) => present(input.gradients[name], `gradient of "${name}"`));
  const gradientNorm = globalNorm(raw);
  const gradients = clipNorm === undefined ? raw : clip(raw, gradientNorm, clipNorm);
  const lr =
    schedule && hyper.lr
      ? mul(hyper.lr, cast(schedule.factor(sub(step, 1), input.totalSteps), hyper.lr.dtype))
      : hyper.lr;
  const results = names.map((name, i) => {
    const scalar = (x: Tensor): Tensor => cast(x, parameters[name].dtype);
    const scheduled: Tensors = lr ? { ...hyper, lr } : hyper;
    const own = Object.fromEntries(Object.entries(scheduled).map(([key, value]) => [key, scalar(value)]));
    const parameter =
      decoupledWeightDecay === undefined
        ? parameters[name]
        : mul(parameters[name], sub(1, mul(own.lr, lifted(decoupledWeightDecay, parameters[name]))));
    const slots = present(input.slots[name], `slots of "${name}"`);
    return optimizer.update({ parameter, gradient: gradients[i], slots, hyper: own, step: scalar(step) });
  });
  const byName = <T>(values: readonly T[]): Record<string, T> =>
    Object.fromEntries(names.map((name, i) => [name, values[i]]));
  return {
    parameters: byName(results.map((result) => result.parameter)),
    slots: byName(results.map((result) => result.slots)),
    lr,
    gradientNorm,
  };
}

/** The slots of every parameter before the first update. */
export const initialSlots = (
  optimizer: Optimizer,
  parameters: Readonly<Record<string, TensorType>>,
): Record<string, Tensors> =>
  Object.fromEntries(Object.entries(parameters).map(([name, type]) => [name, optimizer.slots(type)]));

/** sqrt of the sum of all squares of all tensors, a scalar of the first one's dtype. */
export const globalNorm = (tensors: readonly Tensor[]): Tensor => sqrt(squaredNorm(tensors));

/** The sum of all squares of all tensors, a scalar of the first one's dtype. */
export function squaredNorm(tensors: readonly Tensor[]): Tensor {
  if (tensors.length === 0) {
    throw new SlalomError("option", "applyOptimizer: no parameters; expected at least one.");
  }
  const squares = tensors.map((tensor) => cast(sum(square(tensor)), tensors[0].dtype));
  return squares.reduce((total, term) => add(total, term));
}

/** PyTorch's guard against a norm of 0. */
const normGuard = 1e-6;

function clip(gradients: readonly Tensor[], norm: Tensor, clipNorm: number | Tensor): Tensor[] {
  const scale = minimum(div(lifted(clipNorm, norm), add(norm, normGuard)), 1);
  return gradients.map((gradient) => mul(gradient, cast(scale, gradient.dtype)));
}

/** A scalar of the dtype of `like`. */
const lifted = (value: number | Tensor, like: Tensor): Tensor =>
  typeof value === "number" ? fullLike({ shape: [], dtype: like.dtype }, value) : cast(value, like.dtype);

function checkedHyper({ optimizer, hyper, schedule, decoupledWeightDecay }: ApplyInput): Tensors {
  for (const name of Object.keys(optimizer.hyperparameters)) {
    present(hyper[name], `hyperparameter "${name}" of ${optimizer.id}`);
  }
  if (!hyper.lr && (schedule || decoupledWeightDecay !== undefined)) {
    throw new SlalomError(
      "option",
      `${optimizer.id} has no hyperparameter "lr"; a schedule and decoupledWeightDecay act through it. Leave them out.`,
    );
  }
  return hyper;
}

function present<T>(value: T | undefined, what: string): T {
  if (value === undefined) {
    throw new SlalomError("option", `applyOptimizer: the ${what} is missing; give a tensor for each.`);
  }
  return value;
}
