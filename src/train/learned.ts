/** What a lane has learned: parameters and states under their own names, without the lane axis. */
import type { TypedArray } from "../base/dtype.js";
import type { Shape } from "../base/shape.js";
import type { BuiltProblem } from "../learn/problems/problem.js";
import type { BestEvaluation } from "./bestParameters.js";
import { names } from "./laneProgram.js";
import type { LearnedModel, ModelValues } from "./results.js";

/** The variables that make the model, with the name and the shape of what each holds. */
export function modelVariables({ parameters, state = {} }: BuiltProblem): {
  readonly name: string;
  readonly shape: Shape;
  readonly variable: string;
}[] {
  return [
    ...Object.entries(parameters).map(([name, { shape }]) => ({
      name,
      shape,
      variable: names.parameter(name),
    })),
    ...Object.entries(state).map(([name, { shape }]) => ({ name, shape, variable: names.state(name) })),
  ];
}

export interface LearnedOptions {
  readonly step: number;
  readonly dtype: "float32" | "float64";
  /** The lane's values of a variable. */
  readonly read: (variable: string) => TypedArray;
  readonly best: BestEvaluation | undefined;
}

export function learnedModel(built: BuiltProblem, { step, dtype, read, best }: LearnedOptions): LearnedModel {
  const valuesBy = (read: (variable: string) => TypedArray): ModelValues =>
    Object.fromEntries(
      modelVariables(built).map(({ name, shape, variable }) => [
        name,
        { shape, dtype, data: read(variable) },
      ]),
    );
  return {
    step,
    last: valuesBy(read),
    ...(best && { best: { step: best.step, values: valuesBy((variable) => best.values.get(variable)!) } }),
  };
}

/** What a run's summary says of its best evaluation: when it was, and what its parameters give on splits seen once. */
export const bestSummary = (
  best: BestEvaluation,
  atBest: ReadonlyMap<string, TypedArray>,
  place: number,
  stepsPerEpoch: number | undefined,
): Record<string, number> => ({
  ...Object.fromEntries([...atBest].map(([metric, values]) => [metric, values[place]])),
  bestStep: best.step,
  ...(stepsPerEpoch !== undefined && { bestEpoch: best.step / stepsPerEpoch }),
});
