/** A classic surface of two variables as a problem. */
import { checkKeys, SlalomError } from "../../base/errors.js";
import type { Tensor } from "../../graph/index.js";
import { functionProblem } from "./functionProblem.js";
import type { Problem } from "./problem.js";

export interface SurfaceOptions {
  /** First x and y; default: the classic or a telling one of each surface. */
  readonly start?: readonly [number, number];
}

export interface SurfaceFunction {
  readonly name: string;
  readonly title: string;
  /** As one would write it. */
  readonly formula: string;
  readonly source: string;
  readonly start: readonly [number, number];
  /** The part of the plane worth drawing. */
  readonly range: readonly [readonly [number, number], readonly [number, number]];
  readonly minimum: number;
  readonly minima: readonly (readonly [number, number])[];
  /** The formula in plain numbers, for contours. */
  value(x: number, y: number): number;
  /** The same formula in tensors, for gradients. */
  loss(x: Tensor, y: Tensor): Tensor;
}

/**
 * The problem of finding the least value of a surface: parameters "x" and "y", scalars.
 * @throws SlalomError "option" for unknown options or a start that is not two finite numbers
 * @example surfaceProblem(rosenbrock, { start: [0, 0] })
 */
export function surfaceProblem(surface: SurfaceFunction, options: SurfaceOptions = {}): Problem {
  checkKeys(surface.name, options, ["start"]);
  const { start = surface.start } = options;
  if (!Array.isArray(start) || start.length !== 2) {
    throw new SlalomError(
      "option",
      `${surface.name}: received start ${JSON.stringify(start)}; expected two numbers, x and y.`,
    );
  }
  const [x, y] = start;
  const [[minimumX, minimumY]] = surface.minima;
  return functionProblem({
    name: surface.name,
    title: surface.title,
    options: { start: [x, y] },
    start: { x, y },
    loss: (parameters) => surface.loss(parameters.x, parameters.y),
    optimum: { loss: surface.minimum, parameters: { x: [minimumX], y: [minimumY] } },
    surface: { axes: ["x", "y"], range: surface.range, value: surface.value, minima: surface.minima },
  });
}
