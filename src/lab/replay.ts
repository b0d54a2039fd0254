/** A training of one lane that may be taken up where another one stood, and goes on for a number of steps. */
import type { TypedArray } from "../base/dtype.js";
import type { Backend, Executable } from "../compile/backend.js";
import {
  accumulateEntry,
  type LaneProgram,
  type LaneTraining,
  laneProgram,
  stepEntry,
} from "../train/index.js";
import { initialParameters, writeInitialValues } from "../train/initialValues.js";
import { lifeOf, names } from "../train/names.js";

/** Every variable that steps change, by its name in the program. */
export type TrainingState = Readonly<Record<string, TypedArray>>;

export class Replay {
  /** What the program does is counted here. */
  readonly program: LaneProgram;
  private readonly executable: Executable;
  private readonly variables: readonly string[];

  /** Stands at the start of the training, on all ranks of the backend; evaluations are left out. */
  constructor(training: LaneTraining, backend: Backend) {
    this.program = laneProgram(training, 1, backend.ranks);
    const { program } = this;
    this.variables = Object.keys(program.program.variables).filter(
      (name) => lifeOf(name) === "lane" || name === names.step,
    );
    // Before the program takes its memory.
    const initial = initialParameters(training, program.built, backend);
    this.executable = backend.compile(program.program);
    writeInitialValues(this.executable, training, program, initial);
  }

  state(): TrainingState {
    return Object.fromEntries(this.variables.map((name) => [name, this.executable.read(name)]));
  }

  /** Goes on from there; the state may be that of another backend and other ranks. */
  resume(state: TrainingState): void {
    for (const name of this.variables) this.executable.write(name, state[name]);
  }

  /** Makes so many steps. @returns the loss of each one's batch, before its update */
  advance(steps: number): number[] {
    const { executable, program } = this;
    const { partsAt } = program;
    const most = partsAt ? 1 : program.program.traceCapacity;
    const losses: number[] = [];
    while (losses.length < steps) {
      const count = Math.min(most, steps - losses.length);
      if (partsAt) this.accumulate(partsAt(executable.read(names.step)[0]));
      executable.run(stepEntry, count);
      losses.push(...executable.trace(stepEntry, "loss"));
    }
    return losses;
  }

  release(): void {
    this.executable.release();
  }

  private accumulate(parts: number): void {
    this.executable.write(names.part, [0]);
    for (let part = 0; part < parts; part++) this.executable.run(accumulateEntry, 1);
  }
}
