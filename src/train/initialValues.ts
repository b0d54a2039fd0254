/** What a program's variables hold before the first step: parameters, slots, hyperparameters, keys, data. */
import { allocate, type TypedArray } from "../base/dtype.js";
import { foldIn, keyFromSeed } from "../base/random.js";
import { sizeOf } from "../base/shape.js";
import type { Backend, Executable } from "../compile/backend.js";
import { cast, evaluate, type Tensor } from "../graph/index.js";
import { splitNames } from "../learn/datasets/dataset.js";
import type { BuiltProblem } from "../learn/problems/problem.js";
import type { LaneTraining } from "./configuration.js";
import { drawnBy } from "./draws.js";
import type { LaneProgram } from "./laneProgram.js";
import { names } from "./names.js";

/** One independent key for each use of a run's seed. */
export const seedKeys = (seed: number) => {
  const root = keyFromSeed(seed);
  return { parameters: foldIn(root, 0), order: foldIn(root, 1), model: foldIn(root, 2) };
};

/**
 * First values of parameters and state by variable: the same for every lane of a seed, and on every backend.
 * @param backend draws large tensors, sooner and to the same bits; absent: plain loops do
 */
export function initialParameters(
  { seed, dtype }: Pick<LaneTraining, "seed" | "dtype">,
  built: BuiltProblem,
  backend?: Pick<Backend, "compile">,
): Map<string, TypedArray> {
  const { parameters } = seedKeys(seed);
  const entries = startingEntries(built);
  const tensors = entries.map(([, { initial }]) => cast(initial(parameters), dtype));
  const values = evaluate(backend ? drawnBy(backend, tensors) : tensors);
  return new Map(entries.map(([name], i) => [name, values[i].data]));
}

/** Whether parameters and state start from the same values whatever the seed. */
export function startsAlike(built: BuiltProblem, dtype: LaneTraining["dtype"]): boolean {
  const keys = [0, 1].map((seed) => seedKeys(seed).parameters);
  // One by one: the first that differs tells, and those behind it may be large.
  return startingEntries(built).every(([, { initial }]) => {
    const [first, other] = evaluate(keys.map((key) => cast(initial(key), dtype)));
    return first.data.every((value, i) => value === other.data[i]);
  });
}

/** Parameters and state by variable, with how each starts. */
const startingEntries = ({ parameters, state = {} }: BuiltProblem) => [
  ...Object.entries(parameters).map(([name, spec]) => [names.parameter(name), spec] as const),
  ...Object.entries(state).map(([name, spec]) => [names.state(name), spec] as const),
];

/**
 * Writes everything that a fresh training of `training.lanes` starts from.
 * @param initial what `initialParameters` gives for it
 */
export function writeInitialValues(
  executable: Executable,
  training: LaneTraining,
  program: LaneProgram,
  initial = initialParameters(training, program.built),
): void {
  const { order, model } = seedKeys(training.seed);
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
