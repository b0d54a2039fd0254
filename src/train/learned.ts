/** What a lane has learned: parameters and states under their own names, without the lane axis. */
import type { TypedArray } from "../base/dtype.js";
import type { Shape } from "../base/shape.js";
import type { OptimizerChoice } from "../learn/optimizers/optimizer.js";
import type { BuiltProblem } from "../learn/problems/problem.js";
import type { BestEvaluation } from "./bestParameters.js";
import { names } from "./names.js";
import type { LearnedModel, ModelValues } from "./results.js";

/** One of the variables that make a model, with the name and the shape of what it holds of a lane. */
export interface ModelVariable {
  readonly name: string;
  readonly shape: Shape;
  readonly variable: string;
}

/** The variables that evaluations look at: parameters and states, or the averages of both where the choice has one. */
export function modelVariables(
  { parameters, state = {} }: BuiltProblem,
  { average }: Pick<OptimizerChoice, "average">,
): ModelVariable[] {
  const variablesOf = (specs: BuiltProblem["parameters"], nameOf: (name: string) => string) =>
    Object.entries(specs).map(([name, { shape }]) => ({
      name,
      shape,
      variable: average ? names.average(name) : nameOf(name),
    }));
  return [...variablesOf(parameters, names.parameter), ...variablesOf(state, names.state)];
}

export interface LearnedOptions {
  readonly step: number;
  readonly dtype: "float32" | "float64";
  /** The lane's values of a variable. */
  readonly read: (variable: string) => TypedArray;
  readonly best: BestEvaluation | undefined;
}

export function learnedModel(
  model: readonly ModelVariable[],
  { step, dtype, read, best }: LearnedOptions,
): LearnedModel {
  const valuesBy = (read: (variable: string) => TypedArray): ModelValues =>
    Object.fromEntries(
      model.map(({ name, shape, variable }) => [name, { shape, dtype, data: read(variable) }]),
    );
  return {
    step,
    last: valuesBy(read),
    ...(best && { best: { step: best.step, values: valuesBy((variable) => best.values.get(variable)!) } }),
  };
}
