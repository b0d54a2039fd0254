/** What a program's variables hold before the first step: parameters, slots, hyperparameters, keys, data. */
import { allocate, type TypedArray } from "../base/dtype.js";
import { foldIn, keyFromSeed } from "../base/random.js";
import { sizeOf } from "../base/shape.js";
import type { Executable } from "../compile/backend.js";
import { cast, evaluate, type Tensor } from "../graph/index.js";
import { splitNames } from "../learn/datasets/dataset.js";
import type { BuiltProblem } from "../learn/problems/problem.js";
import type { LaneTraining } from "./configuration.js";
import type { LaneProgram } from "./laneProgram.js";
import { names } from "./names.js";

/** One independent key for each use of a run's seed. */
export const seedKeys = (seed: number) => {
  const root = keyFromSeed(seed);
  return { parameters: foldIn(root, 0), order: foldIn(root, 1), model: foldIn(root, 2) };
};

/** First values of parameters and state by variable: the same for every lane of a seed, and on every backend. */
export function initialParameters(
  { seed, dtype }: Pick<LaneTraining, "seed" | "dtype">,
  built: BuiltProblem,
): Map<string, TypedArray> {
  const { parameters } = seedKeys(seed);
  const entries = [
    ...Object.entries(built.parameters).map(([name, spec]) => [names.parameter(name), spec] as const),
    ...Object.entries(built.state ?? {}).map(([name, spec]) => [names.state(name), spec] as const),
  ];
  const values = evaluate(entries.map(([, { initial }]) => cast(initial(parameters), dtype)));
  return new Map(entries.map(([name], i) => [name, values[i].data]));
}

/** Writes everything that a fresh training of `training.lanes` starts from. */
export function writeInitialValues(
  executable: Executable,
  training: LaneTraining,
  program: LaneProgram,
): void {
  const { order, model } = seedKeys(training.seed);
  const initial = initialParameters(training, program.built);
  const { variables } = program.program;
  for (const [name, values] of initial) executable.write(name, repeated(values, variables[name]));
  if (training.choice.average) writeAverages(executable, initial, program);
  for (const [parameter, { shape }] of Object.entries(program.built.parameters)) {
    const slots = Object.entries(training.choice.optimizer.slots({ shape, dtype: training.dtype }));
    const values = evaluate(slots.map(([, tensor]) => tensor));
    slots.forEach(([slot], i) => {
      const name = names.slot(parameter, slot);
      executable.write(name, repeated(values[i].data, variables[name]));
    });
  }
  writeShared(executable, training, program);
  for (const [name, key] of [
    [names.orderKey, order],
    [names.modelKey, model],
  ] as const) {
    if (variables[name]) executable.write(name, [...key]);
  }
  executable.write(names.step, [0]);
}

/** Before the first update the averages are what training starts from. */
function writeAverages(
  executable: Executable,
  initial: ReadonlyMap<string, TypedArray>,
  { program, built }: LaneProgram,
): void {
  const follow = (name: string, variable: string): void =>
    executable.write(
      names.average(name),
      repeated(initial.get(variable)!, program.variables[names.average(name)]),
    );
  for (const name of Object.keys(built.parameters)) follow(name, names.parameter(name));
  for (const name of Object.keys(built.state ?? {})) follow(name, names.state(name));
}

/** Writes what does not change in training: hyperparameters of the given lanes, and the data. */
export function writeShared(executable: Executable, training: LaneTraining, { program }: LaneProgram): void {
  for (const name of Object.keys(training.choice.optimizer.hyperparameters)) {
    executable.write(
      names.hyper(name),
      training.lanes.map((lane) => lane[name]),
    );
  }
  for (const split of splitNames) {
    const data = training.dataset?.[split];
    if (!data || !program.variables[names.inputs(split)]) continue;
    executable.write(names.inputs(split), data.inputs.data);
    executable.write(names.targets(split), data.targets.data);
  }
}

/** `values` once for each lane of the variable. */
function repeated(values: TypedArray, variable: Tensor): TypedArray {
  const all = allocate(variable.dtype, sizeOf(variable.shape));
  for (let from = 0; from < all.length; from += values.length) all.set(values, from);
  return all;
}
