/** Mistakes that ranks could make, planted in a problem or a backend: one rank trains as before. */
import type { Backend } from "../../src/compile/backend.js";
import * as g from "../../src/graph/index.js";
import type { BuiltProblem, Problem } from "../../src/learn/problems/problem.js";
import { withCalls } from "./executables.js";

type Evaluate = BuiltProblem["evaluate"];

/** The problem with another loss in training. */
const inTraining =
  (change: (evaluate: Evaluate, ...given: Parameters<Evaluate>) => ReturnType<Evaluate>) =>
  (problem: Problem): Problem => ({
    ...problem,
    build(dataset) {
      const built = problem.build(dataset);
      return {
        ...built,
        evaluate: (parameters, batch, context) =>
          context.training
            ? change(built.evaluate, parameters, batch, context)
            : built.evaluate(parameters, batch, context),
      };
    },
  });

/** 1 on rank 1, else 0. */
const onSecond = (dtype: g.DType): g.Tensor => g.cast(g.equal(g.rank(), 1), dtype);

/** Rank 1 scales its gradient, and nothing else, by 1 + `by`. */
export const scaledGradient = (by: number): ((problem: Problem) => Problem) =>
  inTraining((evaluate, ...given) => {
    const { loss, ...rest } = evaluate(...given);
    const value = g.stopGradient(loss);
    const scale = g.add(1, g.mul(onSecond(loss.dtype), by));
    return { ...rest, loss: g.add(value, g.mul(g.sub(loss, value), scale)) };
  });

/** Each rank draws as if it had the first examples of the batch: masks by rank in place of by example. */
export const masksByRank = inTraining((evaluate, parameters, batch, { firstExample: _place, ...context }) =>
  evaluate(parameters, batch, context),
);

/** Each rank normalises by its own statistics, and remembers the mean of all. */
export const ownStatistics = inTraining((evaluate, parameters, batch, { sumOverRanks, keep, ...context }) =>
  evaluate(parameters, batch, {
    ...context,
    ...(keep && {
      keep: (name, value) => keep(name, sumOverRanks ? g.div(sumOverRanks(value), 2) : value),
    }),
  }),
);

/** Rank 1 sees the examples of rank 0, with its own targets. */
export const othersExamples = inTraining((evaluate, parameters, batch, context) => {
  if (!context.sumOverRanks) return evaluate(parameters, batch, context);
  const own = g.mul(batch!.inputs, g.sub(1, onSecond(batch!.inputs.dtype)));
  return evaluate(parameters, { ...batch!, inputs: context.sumOverRanks(own) }, context);
});

/** The mean of two ranks' means, also where a short last batch leaves them unequal parts. */
export const meanOfMeans = inTraining((evaluate, parameters, batch, context) => {
  const { loss, ...rest } = evaluate(parameters, batch, context);
  const { present, sumOverRanks } = context;
  if (!present || !sumOverRanks) return { loss, ...rest };
  const own = g.sum(g.cast(present, loss.dtype));
  const weight = g.div(sumOverRanks(own), g.mul(2, g.maximum(own, 1)));
  return { ...rest, loss: g.mul(loss, weight) };
});

/** Two ranks train at a learning rate of 1 + `by` times what they are told. */
export const offRate = (backend: Backend, by: number): Backend => ({
  ...backend,
  compile(program) {
    const executable = backend.compile(program);
    if (program.ranks !== 2) return executable;
    return withCalls(executable, {
      write: (name, values) =>
        executable.write(name, name === "hyper/lr" ? Array.from(values, (lr) => lr * (1 + by)) : values),
    });
  },
});
