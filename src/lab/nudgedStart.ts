/** A training whose start is off by its last digit: what it comes to beside the same without shows what rounding makes of it. */
import { cast, foldIn, full, less, mul, randomUniform, where } from "../graph/index.js";
import type { ParameterSpec } from "../learn/problems/problem.js";
import type { LaneTraining } from "../train/index.js";

/** Each starting value of a parameter one unit in the last place larger or smaller, by chance; zeros stay. */
export function nudgedStart(training: LaneTraining): LaneTraining {
  const { problem, dtype } = training;
  const unit = dtype === "float32" ? 2 ** -23 : 2 ** -52;
  const nudged = ({ shape, initial }: ParameterSpec): ParameterSpec => ({
    shape,
    initial(key) {
      const isUp = less(randomUniform(foldIn(key, 0), shape), 0.5);
      const factor = where(isUp, full([], 1 + unit, dtype), full([], 1 - unit, dtype));
      return mul(cast(initial(key), dtype), factor);
    },
  });
  return {
    ...training,
    problem: {
      ...problem,
      build(dataset) {
        const built = problem.build(dataset);
        const parameters = Object.entries(built.parameters).map(
          ([name, spec]) => [name, nudged(spec)] as const,
        );
        return { ...built, parameters: Object.fromEntries(parameters) };
      },
    },
  };
}
