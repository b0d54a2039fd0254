/**
 * The record of where the wall time of a training went. Whoever trains is in one account at any moment, so the accounts of a
 * rank add up to the wall time.
 */

/**
 * What a rank does:
 * - `startUp`: building and compiling programs, initial values, reading a checkpoint;
 * - `input`: loading the data set and writing it to where the program reads it; choosing a batch belongs to the step;
 * - `forwardBackward`: steps up to the gradients, and the update too where it can't be told apart;
 * - `update`: the kernels of steps that change parameters and slots by what kernels before them computed;
 * - `allReduce`: sums with other processes, waiting for them among it;
 * - `evaluation`: entries that look at parameters and change none;
 * - `recording`: making rows, and writing rows, results, and models with their predictions into the store;
 * - `checkpoint`: reading the state of training and writing it down;
 * - `waiting`: of the leading rank, for other ranks at a meeting and for other work of its thread; of the others for whatever
 *   the leading one does alone as well.
 */
export const accounts = [
  "startUp",
  "input",
  "forwardBackward",
  "update",
  "allReduce",
  "evaluation",
  "recording",
  "checkpoint",
  "waiting",
] as const;

export type Account = (typeof accounts)[number];

/** Seconds by account. */
export type AccountTimes = Readonly<Record<Account, number>>;

export interface TimeLedger {
  /** A name of its own, the same for all runs that trained side by side: their time is told once. */
  readonly training: string;
  /** Runs that trained side by side as lanes of one program; the times are of all of them together. */
  readonly lanes: number;
  /** The step from which it counts: above 0 in a run that went on from a checkpoint. */
  readonly fromStep: number;
  /** Seconds from its start to the end of this run. */
  readonly wallS: number;
  /** One for each rank, in their order; rank 0 leads. */
  readonly ranks: readonly RankLedger[];
  /** The rank that computed longest in steps, for which the others waited; absent where there is one rank. */
  readonly slowest?: number;
  /**
   * Steps in which kernels were timed, from which the share of the update in all steps is estimated; absent where it was
   * measured in all of them or could not be told apart.
   */
  readonly timedSteps?: number;
}

export interface RankLedger {
  /** They add up to the ledger's wall time. */
  readonly accounts: AccountTimes;
  /** Seconds of all-reduces behind other work: in no account. */
  readonly hiddenS: number;
}

/** The sum of accounts, in seconds. */
export const totalS = (times: AccountTimes): number =>
  accounts.reduce((sum, account) => sum + times[account], 0);

/** One for each training: of runs that trained side by side that of the last one to end, which tells the time of all. */
export function wholeLedgers(ledgers: readonly TimeLedger[]): TimeLedger[] {
  const trainings = new Map<string, TimeLedger>();
  for (const ledger of ledgers) {
    const longest = trainings.get(ledger.training);
    if (!longest || longest.wallS < ledger.wallS) trainings.set(ledger.training, ledger);
  }
  return [...trainings.values()];
}

/** Seconds by account over several trainings, as their leading ranks spent them. */
export function ledgersTogether(ledgers: readonly TimeLedger[]): AccountTimes {
  const sum = (account: Account): number =>
    wholeLedgers(ledgers).reduce((total, { ranks }) => total + ranks[0].accounts[account], 0);
  return Object.fromEntries(accounts.map((account) => [account, sum(account)])) as Record<Account, number>;
}
