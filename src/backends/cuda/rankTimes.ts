/**
 * What ranks measured of a program's entries. How long they run the host knows; how that is divided is measured in single
 * steps, the last ones of timed calls, and taken to be the same in all.
 */
import type { Communicator } from "../../collectives/index.js";
import type { EntryTimes, RankTimes } from "../../compile/backend.js";
import type { StepParts } from "./stepClock.js";

/** Milliseconds, and of `steps` a count. */
const numbers = ["run", "steps", "computing", "updating", "waitingForSums", "hidden"] as const;

type Measured = Record<(typeof numbers)[number], number>;

const nothing: Measured = { run: 0, steps: 0, computing: 0, updating: 0, waitingForSums: 0, hidden: 0 };

export interface MeasuredRanks {
  /** Of this process, the number of the first one among all, and how many all are. */
  readonly ranks: number;
  readonly first: number;
  readonly all: number;
  /** Of their processes, where there are several. */
  readonly communicator?: Pick<Communicator, "allReduce">;
}

export class Measurements {
  private readonly ofEntries: ReadonlyMap<string, Measured[]>;

  constructor(
    entries: readonly string[],
    private readonly measured: MeasuredRanks,
  ) {
    this.ofEntries = new Map(
      entries.map((entry) => [entry, Array.from({ length: measured.ranks }, () => ({ ...nothing }))]),
    );
  }

  /** All ranks ran the entry. */
  ran(entry: string, ms: number): void {
    for (const measured of this.ofEntries.get(entry)!) measured.run += ms;
  }

  /** What a step of the entry took, by rank. */
  timed(entry: string, parts: readonly StepParts[]): void {
    for (const [rank, measured] of this.ofEntries.get(entry)!.entries()) {
      const { computing, updating, waitingForSums, hidden } = parts[rank];
      measured.steps++;
      measured.computing += computing;
      measured.updating += updating;
      measured.waitingForSums += waitingForSums;
      measured.hidden += hidden;
    }
  }

  /** Of all ranks; collective where other processes have some. */
  times(): EntryTimes {
    const { first, all: count, communicator } = this.measured;
    return Object.fromEntries(
      [...this.ofEntries].map(([entry, own]) => {
        const all = new Float64Array(count * numbers.length);
        const values = own.flatMap((measured) => numbers.map((name) => measured[name]));
        all.set(values, first * numbers.length);
        communicator?.allReduce(all);
        return [entry, Array.from({ length: count }, (_, rank) => timesIn(all, rank))];
      }),
    );
  }
}

function timesIn(all: Float64Array, rank: number): RankTimes {
  const [run, steps, computing, updating, waitingForSums, hidden] = all.subarray(
    rank * numbers.length,
    (rank + 1) * numbers.length,
  );
  const measured = computing + updating + waitingForSums;
  const runS = run / 1000;
  const share = (ms: number): number => (measured > 0 ? (runS * ms) / measured : 0);
  return {
    runS,
    waitingS: 0,
    allReduceS: share(waitingForSums),
    hiddenS: share(hidden),
    timed: { steps, computingS: (computing + updating) / 1000, updateS: updating / 1000 },
  };
}
