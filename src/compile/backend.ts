/** What a device offers: it compiles programs; a compiled program owns its memory and runs its entries. */
import type { TypedArray } from "../base/dtype.js";
import { SlalomError } from "../base/errors.js";
import { formatType, sizeOf, type TensorType } from "../base/shape.js";
import type { Plan } from "./plan.js";
import type { Program } from "./program.js";

export interface BackendLabel {
  /** As the command line takes it: "cpu". */
  readonly name: string;
  /** What it found and chose, in one line for people: `cpu (oneDNN 2.6.3, relaxed SIMD)`. */
  readonly description: string;
}

export interface Backend extends BackendLabel {
  /** Throws a SlalomError "device" if the program does not fit into memory. */
  compile(program: Program): Executable;
  /** How many ranks it runs a program on that is made for so many; default 1. */
  readonly ranks?: number;
  /** Processes, or devices with memories of their own, that these ranks are divided among; default 1. */
  readonly processes?: number;
  /** The plan of a program that `compile` would run; by default as `planProgram` makes it for these ranks. */
  planOf?(program: Program): Plan;
  /** What it needs for a program of that plan beside the arena; by default nothing, and there is no limit. */
  memoryOf?(plan: Plan): ProgramMemory;
  /** Ends what it started beside this thread; compile and run no more. */
  close?(): Promise<void>;
}

export interface ProgramMemory {
  /** Workspaces of libraries, and where ranks meet; of all ranks together. */
  readonly workspaceBytes: number;
  /** The most that a program can have, arena and workspaces together. */
  readonly mostBytes: number;
  /** Why no more, for people: "all that 32-bit addresses reach". */
  readonly limit: string;
  /** Whether it is a device's own memory, which the programs of all workers share; default: each is in the machine's. */
  readonly onDevice?: boolean;
}

export interface Executable {
  /** Bytes of memory that the program owns. */
  readonly bytes: number;
  /**
   * Runs `entry` `steps` times; at most the trace capacity of the program, 1 if absent.
   */
  run(entry: string, steps?: number, options?: RunOptions): void;
  /** A copy of a variable's values. */
  read(variable: string): TypedArray;
  /** Sets a variable; throws a SlalomError "shape" where the number of values differs. */
  write(variable: string, values: TypedArray | readonly number[]): void;
  /** What the last run of `entry` recorded under `trace`: its steps one after another. */
  trace(entry: string, trace: string): TypedArray;
  /** What each rank measured so far; absent where nothing is measured. Not to be called after `release`. */
  times?(): EntryTimes;
  /** Frees memory and library handles; the executable is of no use afterwards. */
  release(): void;
}

export interface RunOptions {
  /** Whether to time kernels in this call, for `RankTimes.timed`: clocks are read some times a step. Default false. */
  readonly timed?: boolean;
}

/** By entry, for each rank. */
export type EntryTimes = Readonly<Record<string, readonly RankTimes[]>>;

/** Seconds that a rank spent in an entry. */
export interface RankTimes {
  /** All of them; a rank that is alone may measure its timed calls only, as its caller knows the rest. */
  readonly runS: number;
  /** Of these, waiting for other ranks of the same memory. */
  readonly waitingS: number;
  /** Of these, in sums with other memories: processes, devices. */
  readonly allReduceS: number;
  /** Of such sums, while other kernels ran: no part of `allReduceS`. */
  readonly hiddenS: number;
  /** Of timed calls. */
  readonly timed: {
    readonly steps: number;
    /** In kernels, waiting and sums apart. */
    readonly computingS: number;
    /** Of these, in kernels that update variables by what kernels before them computed. */
    readonly updateS: number;
  };
}

/** Throws unless `count` values fill the variable. */
export function checkValues(name: string, type: TensorType, count: number): void {
  if (count !== sizeOf(type.shape)) {
    throw new SlalomError(
      "shape",
      `write: ${count} values for "${name}" of type ${formatType(type)}; expected ${sizeOf(type.shape)}.`,
    );
  }
}

/** Throws unless `steps` is a number of steps that one call can run. */
export function checkSteps(steps: number, capacity: number): void {
  if (!Number.isInteger(steps) || steps < 0 || steps > capacity) {
    throw new SlalomError(
      "option",
      `run: ${steps} steps; expected 0 to ${capacity}, the program's trace capacity.`,
    );
  }
}
