/** Curvature is that of a function of the parameters alone. */
import { SlalomError } from "../base/errors.js";
import type { BuiltProblem } from "../learn/problems/problem.js";

/** @throws SlalomError "option" for a problem whose model remembers statistics, such as batch normalisation's */
export function requireStateless(problem: string, { state = {} }: BuiltProblem): void {
  const [name] = Object.keys(state);
  if (name === undefined) return;
  throw new SlalomError(
    "option",
    `problem "${problem}": its model has the state "${name}", so its loss is no function of the parameters alone; expected a model without batch normalisation.`,
  );
}
