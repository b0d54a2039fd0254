/**
 * What an optimizer is: data (hyperparameters, paper) and two pure functions from tensors to tensors (initial
 * slots, update of one parameter tensor). `defineOptimizer` makes one; yours counts as much as those here.
 */
import { SlalomError, unknownName } from "../../base/errors.js";
import type { TensorType } from "../../base/shape.js";
import type { Tensor } from "../../graph/index.js";
import type { Average } from "../averages/average.js";
import type { Schedule } from "../schedules/schedule.js";

/**
 * An optimizer; called with settings it gives a choice of what to run: `sgd({ lr: [0.1, 1] })`,
 * `adam({ lr: logspace(1e-5, 1e-1, 9), schedule: cosine() })`.
 * `H` names its hyperparameters, `S` its slots (what it remembers of each parameter tensor between updates).
 */
export interface Optimizer<H extends string = string, S extends string = string>
  extends OptimizerDefinition<H, S> {
  /** @throws SlalomError "option" for a setting that is unknown or outside its bounds */
  (settings?: Settings<H>): OptimizerChoice;
}

export interface OptimizerDefinition<H extends string = string, S extends string = string> {
  /** As the user names it: "adam". */
  readonly id: string;
  /** As figures and reports name it: "Adam". */
  readonly title: string;
  readonly paper: Paper;
  /** `lr` is the learning rate: schedules and decoupled weight decay act through it. */
  readonly hyperparameters: Readonly<Record<H, Hyperparameter>>;
  /** Values before the first update, for a parameter tensor of this type. */
  slots(parameter: TensorType): Readonly<Record<S, Tensor>>;
  /** One update of one parameter tensor. Pure; the result has the types of the input. */
  update(input: UpdateInput<H, S>): UpdateResult<S>;
}

export interface Paper {
  readonly authors: string;
  readonly title: string;
  readonly year: number;
  readonly url?: string;
}

export interface Hyperparameter {
  readonly default: number;
  /** Where to search, lowest and highest. */
  readonly range: readonly [number, number];
  /** How to space values within the range. */
  readonly scale: "log" | "linear";
  readonly meaning: string;
  /** Hard bounds, both allowed; a value outside is an error. */
  readonly minimum?: number;
  readonly maximum?: number;
}

export interface UpdateInput<H extends string = string, S extends string = string> {
  /** Any shape, float32 or float64. */
  readonly parameter: Tensor;
  /** d loss / d parameter, of the parameter's type. */
  readonly gradient: Tensor;
  readonly slots: Readonly<Record<S, Tensor>>;
  /** Scalars of the parameter's dtype; `lr` is already scheduled. */
  readonly hyper: Readonly<Record<H, Tensor>>;
  /** Scalar of the parameter's dtype, 1 at the first update. */
  readonly step: Tensor;
}

export interface UpdateResult<S extends string = string> {
  readonly parameter: Tensor;
  readonly slots: Readonly<Record<S, Tensor>>;
}

/** For each hyperparameter a value or a list of values to try (default: its default), and what goes around. */
export type Settings<H extends string = string> = { readonly [K in H]?: number | readonly number[] } & Around;

interface Around {
  /** Multiplies `lr` at each step. */
  readonly schedule?: Schedule;
  /** Gradients are scaled down together to this global norm; above 0. */
  readonly clipNorm?: number;
  /** Every parameter shrinks by the factor 1 - lr * this before each update; at least 0. */
  readonly decoupledWeightDecay?: number;
  /** Of the parameters after each update, such as `ema()`; evaluations look at it in place of the parameters. */
  readonly average?: Average;
}

/** An optimizer with the values of each hyperparameter to try: their product is the grid. */
export interface OptimizerChoice extends Around {
  readonly optimizer: Optimizer;
  /** Every hyperparameter of the optimizer, in its order. */
  readonly settings: Readonly<Record<string, readonly number[]>>;
}

/**
 * Makes an optimizer from its data and functions.
 * ```ts
 * const signDescent = defineOptimizer({
 *   id: "sign-descent",
 *   title: "Sign descent",
 *   paper: { authors: "M. Riedmiller, H. Braun", title: "A direct adaptive method: RPROP", year: 1993 },
 *   hyperparameters: { lr: hyperparameters.learningRate },
 *   slots: () => ({}),
 *   update: ({ parameter, gradient, hyper }) => ({
 *     parameter: sub(parameter, mul(sign(gradient), hyper.lr)),
 *     slots: {},
 *   }),
 * });
 * ```
 * @throws SlalomError "option" if a hyperparameter's default is outside its bounds or takes a reserved name
 */
export function defineOptimizer<H extends string, S extends string>(
  definition: OptimizerDefinition<H, S>,
): Optimizer<H, S> {
  for (const [name, { default: value, ...bounds }] of hyperparametersOf(definition)) {
    if (reserved.includes(name)) {
      throw new SlalomError(
        "option",
        `${definition.id}: the hyperparameter name "${name}" is taken by the setting that all optimizers have; choose another.`,
      );
    }
    checkValue(definition.id, name, value, bounds);
  }
  const choose = (settings: Settings<H> = {}): OptimizerChoice => chooseFor(optimizer, settings);
  const optimizer: Optimizer<H, S> = Object.assign(choose, definition);
  return optimizer;
}

const reserved: readonly string[] = [
  "schedule",
  "clipNorm",
  "decoupledWeightDecay",
  "average",
] satisfies (keyof Around)[];

const hyperparametersOf = (definition: OptimizerDefinition): [string, Hyperparameter][] =>
  Object.entries(definition.hyperparameters);

function chooseFor(optimizer: Optimizer, received: Settings): OptimizerChoice {
  const { schedule, clipNorm, decoupledWeightDecay, average }: Around = received;
  const known = Object.keys(optimizer.hyperparameters);
  for (const name of Object.keys(received)) {
    if (![...known, ...reserved].includes(name)) {
      throw unknownName(`setting of ${optimizer.id}`, name, [...known, ...reserved], "option");
    }
  }
  const settings = Object.fromEntries(
    hyperparametersOf(optimizer).map(([name, hyperparameter]) => [
      name,
      valuesOf(optimizer.id, name, received[name] ?? hyperparameter.default, hyperparameter),
    ]),
  );
  if (schedule !== undefined)
    checkMade(optimizer.id, "schedule", schedule, "factor", "cosine() or stepDecay({ every: 100 })");
  if (average !== undefined)
    checkMade(optimizer.id, "average", average, "weight", "ema() or swa({ from: 0.75 })");
  if (clipNorm !== undefined) checkValue(optimizer.id, "clipNorm", clipNorm, { minimum: Number.MIN_VALUE });
  if (decoupledWeightDecay !== undefined) {
    checkValue(optimizer.id, "decoupledWeightDecay", decoupledWeightDecay, { minimum: 0 });
  }
  return {
    optimizer,
    settings,
    ...(schedule && { schedule }),
    ...(clipNorm !== undefined && { clipNorm }),
    ...(decoupledWeightDecay !== undefined && { decoupledWeightDecay }),
    ...(average && { average }),
  };
}

/** What has a function `member`, and is made by calling one: the parentheses are easily forgotten. */
function checkMade(id: string, setting: string, value: unknown, member: string, examples: string): void {
  if (typeof value === "object" && value && member in value) return;
  const received = typeof value === "function" ? "a function" : JSON.stringify(value);
  throw new SlalomError(
    "option",
    `${id}: ${setting} is ${received}; expected one such as ${examples}, called.`,
  );
}

function valuesOf(id: string, name: string, received: unknown, bounds: Bounds): readonly number[] {
  if (!Array.isArray(received)) return [checkValue(id, name, received, bounds)];
  if (received.length === 0) {
    throw new SlalomError(
      "option",
      `${id}: ${name} is an empty list; expected at least one value. Leave it out for the default.`,
    );
  }
  return received.map((value) => checkValue(id, name, value, bounds));
}

type Bounds = Pick<Hyperparameter, "minimum" | "maximum">;

function checkValue(id: string, name: string, value: unknown, { minimum, maximum }: Bounds): number {
  const low = minimum ?? Number.NEGATIVE_INFINITY;
  const high = maximum ?? Number.POSITIVE_INFINITY;
  if (typeof value === "number" && Number.isFinite(value) && value >= low && value <= high) return value;
  const lowest =
    minimum === Number.MIN_VALUE ? "above 0" : minimum === undefined ? "" : `at least ${minimum}`;
  const highest = maximum === undefined ? "" : `at most ${maximum}`;
  const limits = [lowest, highest].filter((text) => text !== "").join(" and ");
  throw new SlalomError(
    "option",
    `${id}: ${name} is ${typeof value === "number" ? value : JSON.stringify(value)}; expected a finite number${limits && ` ${limits}`}, or a list of them where it is a hyperparameter.`,
  );
}
