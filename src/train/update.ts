/** What a step changes besides its batch: parameters, slots, states, and the averages that follow them. */
import type { Tensor } from "../graph/index.js";
import * as g from "../graph/index.js";
import { averaged } from "../learn/averages/index.js";
import { applyOptimizer } from "../learn/optimizers/apply.js";
import type { Parameters } from "../learn/problems/problem.js";
import { type LaneTraining, runLength } from "./configuration.js";
import type { LaneVariables } from "./laneVariables.js";
import { names } from "./names.js";

export interface UpdateInput {
  readonly training: LaneTraining;
  readonly variables: LaneVariables;
  readonly parameters: Parameters;
  /** By parameter. */
  readonly gradients: Readonly<Record<string, Tensor>>;
  /** The new values of what training changes without gradients, by name. */
  readonly state: Parameters;
  /** int32 scalar, 0 at the first update. */
  readonly step: Tensor;
}

/** New values of variables by name, for one lane. */
export function updatesOf(input: UpdateInput): Record<string, Tensor> {
  const { training, variables, parameters, gradients, state, step } = input;
  const { choice, dtype, steps } = training;
  const { optimizer } = choice;
  const slots = Object.fromEntries(
    Object.entries(parameters).map(([name, parameter]) => [
      name,
      Object.fromEntries(
        Object.entries(optimizer.slots(parameter)).map(([slot, initial]) => [
          slot,
          variables.perLane(names.slot(name, slot), initial.shape, initial.dtype),
        ]),
      ),
    ]),
  );
  const hyper = Object.fromEntries(
    Object.keys(optimizer.hyperparameters).map((name) => [
      name,
      variables.perLane(names.hyper(name), [], dtype),
    ]),
  );
  const count = g.add(g.cast(step, dtype), 1);
  const updated = applyOptimizer({
    ...choice,
    parameters,
    gradients,
    slots,
    hyper,
    step: count,
    totalSteps: steps,
  });
  const updates: Record<string, Tensor> = { [names.step]: g.add(step, 1) };
  for (const [name, value] of Object.entries(updated.parameters)) {
    updates[names.parameter(name)] = value;
    for (const [slot, own] of Object.entries(updated.slots[name])) updates[names.slot(name, slot)] = own;
  }
  for (const [name, value] of Object.entries(state)) updates[names.state(name)] = value;
  return { ...updates, ...averagesOf({ ...updated.parameters, ...state }, count, input) };
}

/** New values of the averages: those of running statistics follow them as those of parameters do. */
function averagesOf(
  iterate: Parameters,
  count: Tensor,
  { training, variables }: UpdateInput,
): Record<string, Tensor> {
  const { average: kind } = training.choice;
  if (!kind) return {};
  const weight = kind.weight(count, runLength(training));
  return Object.fromEntries(
    Object.entries(iterate).map(([name, value]) => {
      const average = variables.perLane(names.average(name), value.shape, value.dtype);
      return [names.average(name), averaged(average, value, weight)];
    }),
  );
}
