/**
 * What a rank measures of itself while it runs a program. Its counters lie in memory that the threads of a process share, so
 * the leading one reads those of all. The clock is read where a rank waits anyway, around sums with other processes, and
 * around updates in calls that are timed: nowhere else, as a step may take less than reading it.
 */
import type { RankTimes } from "../../../compile/backend.js";
import { call, type FunctionReference, type ModuleBuilder, type Statement } from "../wasm/index.js";

/** Numbers of an entry: milliseconds, and of `timedSteps` a count. */
const counter = {
  run: 0,
  waited: 1,
  allReduce: 2,
  hidden: 3,
  timedSteps: 4,
  gradients: 5,
  update: 6,
} as const;
const numbersOfEntry = 8;
/** Ranks write to lines of their own, two apart. */
const numbersOfLines = 16;

const numbersOfRank = (entries: number): number =>
  Math.ceil((entries * numbersOfEntry) / numbersOfLines) * numbersOfLines;

/** The counters of all ranks of a process, for a program of so many entries; all zero. */
export const clockMemory = (ranks: number, entries: number): SharedArrayBuffer =>
  new SharedArrayBuffer(8 * ranks * numbersOfRank(entries));

/** What a rank measured, by entry. */
export const timesIn = (numbers: Float64Array, entries: number, rank: number): RankTimes[] =>
  Array.from({ length: entries }, (_, entry): RankTimes => {
    const at = rank * numbersOfRank(entries) + entry * numbersOfEntry;
    const seconds = (which: number): number => numbers[at + which] / 1000;
    const { run, waited, allReduce, hidden, timedSteps, gradients, update } = counter;
    return {
      runS: seconds(run),
      waitingS: seconds(waited),
      allReduceS: seconds(allReduce),
      hiddenS: seconds(hidden),
      timed: {
        steps: numbers[at + timedSteps],
        computingS: seconds(gradients) + seconds(update),
        updateS: seconds(update),
      },
    };
  });

export class RankClock {
  private readonly numbers: Float64Array;
  /** Where the counters of the entry that runs begin. */
  private at = 0;
  private pausedMs = 0;
  private lapMs = 0;
  /** When the last call that carried sums left some under way. */
  private leftMs: number | undefined;
  private lap: number = counter.gradients;

  constructor(memory: SharedArrayBuffer, entries: number, rank: number) {
    const count = numbersOfRank(entries);
    this.numbers = new Float64Array(memory, 8 * rank * count, count);
  }

  /** What `clockCalls` imports. */
  readonly imports = {
    pause: (): void => {
      this.pausedMs = performance.now();
    },
    goOn: (): void => {
      const now = performance.now();
      this.numbers[this.at + counter.waited] += now - this.pausedMs;
      this.lapMs += now - this.pausedMs;
    },
    begin: (): void => {
      this.lapMs = performance.now();
      this.lap = counter.gradients;
    },
    switch: (): void => {
      this.endLap();
      this.lap = this.lap === counter.update ? counter.gradients : counter.update;
    },
    end: (): void => this.endLap(),
  };

  /** Runs an entry, given by its number in the plan, and counts its steps that time their kernels. */
  run(
    { entry, timedSteps }: { readonly entry: number; readonly timedSteps: number },
    action: () => void,
  ): void {
    this.at = entry * numbersOfEntry;
    const startedMs = performance.now();
    action();
    this.numbers[this.at + counter.run] += performance.now() - startedMs;
    this.numbers[this.at + counter.timedSteps] += timedSteps;
  }

  /**
   * A call that carries sums between processes, measured. What passes from one to the next while sums are under way hides
   * them.
   */
  carrying(carry: () => void, isUnderway: () => boolean): () => void {
    return () => {
      const startedMs = performance.now();
      if (this.leftMs !== undefined) this.numbers[this.at + counter.hidden] += startedMs - this.leftMs;
      carry();
      const endedMs = performance.now();
      this.numbers[this.at + counter.allReduce] += endedMs - startedMs;
      this.lapMs += endedMs - startedMs;
      this.leftMs = isUnderway() ? endedMs : undefined;
    };
  }

  private endLap(): void {
    const now = performance.now();
    this.numbers[this.at + this.lap] += now - this.lapMs;
    this.lapMs = now;
  }
}

type ClockCall = FunctionReference<Record<never, never>, "none">;

/** Functions of a rank's clock that its program calls. */
export type ClockCalls = Readonly<Record<keyof RankClock["imports"], ClockCall>>;

export function clockCalls(module: ModuleBuilder): ClockCalls {
  const imported = (name: string): ClockCall =>
    module.importFunction({ module: "clock", name }, { parameters: {} });
  return {
    pause: imported("pause"),
    goOn: imported("goOn"),
    begin: imported("begin"),
    switch: imported("switch"),
    end: imported("end"),
  };
}

/**
 * The statements of a step, by kernel, with what tells updates apart.
 * @param isUpdate of each kernel
 */
export function timedKernels(
  kernels: readonly (readonly Statement[])[],
  isUpdate: readonly boolean[],
  clock: ClockCalls,
): Statement[] {
  const timed = kernels.flatMap((kernel, i) =>
    isUpdate[i] !== (isUpdate[i - 1] ?? false) ? [call(clock.switch, {}), ...kernel] : kernel,
  );
  return [call(clock.begin, {}), ...timed, call(clock.end, {})];
}
