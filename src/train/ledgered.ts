/**
 * A training whose time is kept: its backend and its sink put the ledger into the account of what they are asked for, so
 * the loop between them need not know of it.
 */
import type { Backend, EntryTimes, Executable, RankTimes } from "../compile/backend.js";
import type { Ledger } from "./ledger.js";
import { rankLedgers } from "./ledger.js";
import { accumulateEntry, purposeOf, stepEntry } from "./names.js";
import type { LaneSink } from "./results.js";

export interface LedgeredOptions {
  readonly backend: Backend;
  readonly sink: LaneSink;
  readonly ledger: Ledger;
  readonly lanes: number;
  readonly fromStep: number;
}

/** Whoever finishes a lane is handed its time ledger. */
export function ledgered({ backend, sink, ledger, lanes, fromStep }: LedgeredOptions): {
  readonly backend: Backend;
  readonly sink: LaneSink;
} {
  let present: Executable | undefined;
  /** What programs before the present one measured. */
  let before: EntryTimes | undefined;
  const times = (): EntryTimes | undefined => together(before, present?.times?.());
  return {
    backend: {
      name: backend.name,
      description: backend.description,
      ...(backend.ranks !== undefined && { ranks: backend.ranks }),
      compile(program) {
        // One without steps makes what training starts from.
        if (!(stepEntry in program.entries)) return ledger.during("startUp", () => backend.compile(program));
        // Once a smaller program goes on, the one before runs no more.
        before = times();
        present = ledger.during("startUp", () => backend.compile(program));
        // The step of a batch in parts is an update and nothing else.
        const timing = accumulateEntry in program.entries ? undefined : new Timing();
        return ledgeredExecutable(present, ledger, timing);
      },
    },
    sink: {
      rows: (lane, rows) => ledger.during("recording", () => sink.rows(lane, rows)),
      model: (lane, model) => ledger.during("recording", () => sink.model?.(lane, model)),
      finish: (lane, outcome) =>
        ledger.during("recording", () => {
          const measured = times();
          const read = ledger.read();
          const { training } = ledger;
          const ofRanks = rankLedgers(read, measured);
          sink.finish(lane, {
            ...outcome,
            ledger: { training, lanes, fromStep, wallS: read.wallS, ...ofRanks },
          });
        }),
    },
  };
}

function ledgeredExecutable(executable: Executable, ledger: Ledger, timing: Timing | undefined): Executable {
  const { bytes } = executable;
  return {
    bytes,
    run(entry, steps = 1) {
      if (entry !== stepEntry) {
        const account = entry === accumulateEntry ? "parts" : "evaluation";
        ledger.during(account, () => executable.run(entry, steps));
        return;
      }
      const timed = timing?.isDue(steps) ?? false;
      const startedMs = performance.now();
      ledger.during("steps", () => executable.run(entry, steps, { timed }));
      timing?.ran(performance.now() - startedMs);
    },
    read: (variable) => executable.read(variable),
    write(variable, values) {
      if (purposeOf(variable) === "data") ledger.during("input", () => executable.write(variable, values));
      else executable.write(variable, values);
    },
    trace: (entry, trace) => executable.trace(entry, trace),
    release: () => executable.release(),
  };
}

/** What reading the clock adds to a timed step, in milliseconds: more than it takes. */
const clockMs = 3e-4;
/** What it may add to steps: at first so many milliseconds, then a share of them. */
const freeMs = 0.05;
const freeShare = 1e-3;

/** Which calls are timed: as many as cost next to nothing. Quick steps are, in a few calls, slow ones in all but the first. */
class Timing {
  private spentMs = 0;
  private timedSteps = 0;
  private isFirst = true;

  /** What is used for the first time is slow. */
  isDue(steps: number): boolean {
    if (this.isFirst) {
      this.isFirst = false;
      return false;
    }
    const isFree = (this.timedSteps + steps) * clockMs <= freeMs + freeShare * this.spentMs;
    if (isFree) this.timedSteps += steps;
    return isFree;
  }

  ran(ms: number): void {
    this.spentMs += ms;
  }
}

/** What two programs of a training measured, entry by entry and rank by rank. */
function together(a: EntryTimes | undefined, b: EntryTimes | undefined): EntryTimes | undefined {
  if (!a || !b) return a ?? b;
  const entries = new Set([...Object.keys(a), ...Object.keys(b)]);
  return Object.fromEntries(
    [...entries].map((entry) => {
      const [of, other] = [a[entry] ?? [], b[entry] ?? []];
      const longer = of.length >= other.length ? of : other;
      return [entry, longer.map((_, rank) => sum(of[rank], other[rank]))];
    }),
  );
}

function sum(a: RankTimes | undefined, b: RankTimes | undefined): RankTimes {
  if (!a || !b) return (a ?? b)!;
  return {
    runS: a.runS + b.runS,
    waitingS: a.waitingS + b.waitingS,
    allReduceS: a.allReduceS + b.allReduceS,
    hiddenS: a.hiddenS + b.hiddenS,
    timed: {
      steps: a.timed.steps + b.timed.steps,
      computingS: a.timed.computingS + b.timed.computingS,
      updateS: a.timed.updateS + b.timed.updateS,
    },
  };
}
