/**
 * The time ledger of a training: a stopwatch that is in one account at any moment, and how its accounts and what ranks
 * measured of themselves become the record that a run keeps.
 */
import { randomUUID } from "node:crypto";
import type { EntryTimes, RankTimes } from "../compile/backend.js";
import {
  type Account,
  type AccountTimes,
  accounts,
  type RankLedger,
  type TimeLedger,
} from "../runs/timeLedger.js";
import { accumulateEntry, stepEntry } from "./names.js";

/** What the leading thread does. Steps are taken apart once the ranks told what they measured in them. */
export type HostAccount = Exclude<Account, "forwardBackward" | "update" | "allReduce"> | "parts" | "steps";

/** Seconds by what the leading thread did; `parts`: of batches that are taken in parts, before their steps. */
export type HostTimes = Readonly<Record<HostAccount, number>>;

/** The stopwatch of one thread of control. It starts when it is made, in `startUp`. */
export class Ledger {
  /** A name of its own. */
  readonly training = randomUUID();
  private readonly startedMs = performance.now();
  private readonly spentMs: Record<HostAccount, number> = {
    startUp: 0,
    input: 0,
    parts: 0,
    steps: 0,
    evaluation: 0,
    recording: 0,
    checkpoint: 0,
    waiting: 0,
  };
  private account: HostAccount = "startUp";
  private sinceMs = this.startedMs;

  /** From now on time belongs to `account`; returns the one that it belonged to. */
  enter(account: HostAccount): HostAccount {
    const before = this.account;
    this.settle();
    this.account = account;
    return before;
  }

  /** Runs `action` in an account; what comes after belongs to the account from before. */
  during<T>(account: HostAccount, action: () => T): T {
    const before = this.enter(account);
    try {
      return action();
    } finally {
      this.enter(before);
    }
  }

  /** Waits for `pending` in an account; what comes after belongs to the account from before. */
  async until<T>(account: HostAccount, pending: Promise<T>): Promise<T> {
    const before = this.enter(account);
    try {
      return await pending;
    } finally {
      this.enter(before);
    }
  }

  /** The time from the start to now, and what it went into. */
  read(): { readonly wallS: number; readonly host: HostTimes } {
    const now = this.settle();
    const seconds = Object.entries(this.spentMs).map(([account, ms]) => [account, ms / 1000]);
    return { wallS: (now - this.startedMs) / 1000, host: Object.fromEntries(seconds) as HostTimes };
  }

  private settle(): number {
    const now = performance.now();
    this.spentMs[this.account] += now - this.sinceMs;
    this.sinceMs = now;
    return now;
  }
}

/**
 * The ledgers of all ranks. The leading rank's accounts are the stopwatch's, its steps divided by what the ranks measured.
 * The others have what they measured of themselves, and waited for the rest of the time.
 * @param times of each entry, by rank; undefined where nothing was measured inside of steps
 */
export function rankLedgers(
  { wallS, host }: ReturnType<Ledger["read"]>,
  times: EntryTimes | undefined,
): Pick<TimeLedger, "ranks" | "slowest" | "timedSteps"> {
  const count = times?.[stepEntry]?.length ?? 1;
  const ranks = Array.from({ length: count }, (_, rank) =>
    rank === 0 ? leading(host, times, count) : following(wallS, times!, rank),
  );
  const computing = ranks.map(({ accounts: { forwardBackward, update } }) => forwardBackward + update);
  const timedSteps = times?.[stepEntry]?.[0].timed.steps ?? 0;
  return {
    ranks,
    ...(count > 1 && { slowest: computing.indexOf(Math.max(...computing)) }),
    ...(timedSteps > 0 && { timedSteps }),
  };
}

/**
 * The ledger of lanes whose training failed: what the leading rank knows, as the others may no longer answer. The update is
 * not told from the rest of the steps.
 */
export function ledgerOfFailure(
  ledger: Ledger,
  { lanes, fromStep }: Pick<TimeLedger, "lanes" | "fromStep">,
): TimeLedger {
  const read = ledger.read();
  return { training: ledger.training, lanes, fromStep, wallS: read.wallS, ...rankLedgers(read, undefined) };
}

/** @param count of ranks */
function leading(host: HostTimes, times: EntryTimes | undefined, count: number): RankLedger {
  const { parts, steps, waiting, ...others } = host;
  const accumulate = times?.[accumulateEntry]?.[0] ?? nothing;
  const step = times?.[stepEntry]?.[0] ?? nothing;
  // Alone, all of a call is the step's; else it begins and ends with the others.
  const [inParts, inSteps] = count === 1 ? [parts, steps] : [computingOf(accumulate), computingOf(step)];
  const allReduce = count === 1 ? 0 : accumulate.allReduceS + step.allReduceS;
  return {
    accounts: {
      ...others,
      ...divided(inParts, inSteps, step),
      allReduce,
      waiting: waiting + parts + steps - inParts - inSteps - allReduce,
    },
    hiddenS: accumulate.hiddenS + step.hiddenS,
  };
}

function following(wallS: number, times: EntryTimes, rank: number): RankLedger {
  const { [stepEntry]: steps, [accumulateEntry]: parts, ...looking } = times;
  const accumulate = parts?.[rank] ?? nothing;
  const step = steps[rank];
  const allReduce = accumulate.allReduceS + step.allReduceS;
  const evaluation = Object.values(looking).reduce((sum, of) => sum + of[rank].runS, 0);
  const { forwardBackward, update } = divided(computingOf(accumulate), computingOf(step), step);
  const busy = forwardBackward + update + allReduce + evaluation;
  return {
    accounts: { ...noTime, forwardBackward, update, allReduce, evaluation, waiting: wallS - busy },
    hiddenS: accumulate.hiddenS + step.hiddenS,
  };
}

/** What computed gradients and what used them; the step of a batch in parts does the latter alone. */
function divided(
  inParts: number,
  inSteps: number,
  { timed: { computingS, updateS } }: RankTimes,
): Pick<AccountTimes, "forwardBackward" | "update"> {
  if (inParts > 0) return { forwardBackward: inParts, update: inSteps };
  const update = computingS > 0 ? (inSteps * updateS) / computingS : 0;
  return { forwardBackward: inSteps - update, update };
}

const computingOf = ({ runS, waitingS, allReduceS }: RankTimes): number => runS - waitingS - allReduceS;

const nothing: RankTimes = {
  runS: 0,
  waitingS: 0,
  allReduceS: 0,
  hiddenS: 0,
  timed: { steps: 0, computingS: 0, updateS: 0 },
};

const noTime = Object.fromEntries(accounts.map((account) => [account, 0])) as Record<Account, number>;
