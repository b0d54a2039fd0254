/** A problem from a start point and a function of the parameters: no data, the whole loss at every step. */
import { checkKeys, SlalomError } from "../../base/errors.js";
import { constant, type Tensor } from "../../graph/index.js";
import type { Json, Optimum, ParameterSpec, Parameters, Problem, QuadraticForm, Surface } from "./problem.js";

export type NestedStart = number | readonly NestedStart[];

export interface FunctionProblemOptions {
  readonly name: string;
  /** Default: the name. */
  readonly title?: string;
  /** What sets this problem apart from another of its name. */
  readonly options?: Readonly<Record<string, Json>>;
  /** First value of each parameter: a number or nested arrays. */
  readonly start: Readonly<Record<string, NestedStart>>;
  /** A scalar, of the parameters' dtype (float32 or float64, as the run asks). */
  readonly loss: (parameters: Parameters) => Tensor;
  /** Steps of a run whose configuration says nothing; default 1,000. */
  readonly steps?: number;
  readonly optimum?: Optimum;
  readonly surface?: Surface;
  readonly quadratic?: QuadraticForm;
}

/**
 * The problem of minimizing `loss` from `start`.
 * @throws SlalomError "option" for unknown options, no parameters, or a start that is not finite
 * @example functionProblem({ name: "bowl", start: { x: 3, y: -2 }, loss: ({ x, y }) => add(square(x), square(y)) })
 */
export function functionProblem(options: FunctionProblemOptions): Problem {
  checkKeys("functionProblem", options, [
    "name",
    "title",
    "options",
    "start",
    "loss",
    "steps",
    "optimum",
    "surface",
    "quadratic",
  ]);
  const { name, title = name, start, loss, steps = 1000, optimum, surface, quadratic } = options;
  const entries = Object.entries(start);
  if (entries.length === 0) {
    throw new SlalomError("option", `problem "${name}": start is empty; expected at least one parameter.`);
  }
  for (const [parameter, values] of entries) requireFinite(name, parameter, values);
  return {
    name,
    title,
    options: options.options ?? {},
    reduction: "sum",
    defaults: { batchSize: "full", steps },
    build: () => ({
      parameters: Object.fromEntries(
        entries.map(([parameter, values]): [string, ParameterSpec] => {
          // float64: a start of 0.3 stays 0.3 where the run is exact.
          const first = constant(values, "float64");
          return [parameter, { shape: first.shape, initial: () => first }];
        }),
      ),
      metrics: [],
      evaluate: (parameters) => ({ loss: loss(parameters), metrics: {} }),
    }),
    optimum,
    surface,
    quadratic,
  };
}

function requireFinite(name: string, parameter: string, values: NestedStart): void {
  if (Array.isArray(values)) {
    for (const value of values as readonly NestedStart[]) requireFinite(name, parameter, value);
  } else if (!Number.isFinite(values)) {
    throw new SlalomError(
      "option",
      `problem "${name}": start of "${parameter}" holds ${values}; expected finite numbers.`,
    );
  }
}
