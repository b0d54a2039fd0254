/** What a training leaves in its program on so many ranks, for tests that hold worlds against one another. */
import type { Backend } from "../../src/compile/backend.js";
import { type LaneTraining, laneProgram, stepEntry } from "../../src/train/index.js";
import { writeInitialValues } from "../../src/train/initialValues.js";

/** By variable. */
export type TrainedValues = ReadonlyMap<string, readonly number[]>;

/** Parameters, states and their averages after all steps, on all ranks of the backend. */
export function trainedValues(training: LaneTraining, backend: Backend): TrainedValues {
  const program = laneProgram(training, training.lanes.length, backend.ranks);
  const executable = backend.compile(program.program);
  writeInitialValues(executable, training, program);
  executable.run(stepEntry, training.steps);
  const values = new Map(
    Object.keys(program.program.variables)
      .filter((name) => /^(parameter|state|average)\//.test(name))
      .map((name) => [name, [...executable.read(name)]]),
  );
  executable.release();
  return values;
}

/** The largest difference of a tensor's values, relative to its largest one. */
export function largestDifference(a: TrainedValues, b: TrainedValues): number {
  return Math.max(
    ...[...a].map(([name, values]) => {
      const scale = Math.max(...values.map(Math.abs));
      return Math.max(...values.map((value, i) => Math.abs(value - b.get(name)![i]))) / scale;
    }),
  );
}
