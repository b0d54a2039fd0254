/** The time ledger: accounts add up to the wall time, and time is where it was spent. */
import { afterAll, describe, expect, test } from "vitest";
import { cpuBackend } from "../../src/backends/cpu/index.js";
import { referenceBackend } from "../../src/backends/reference/index.js";
import type { Backend, EntryTimes, RankTimes } from "../../src/compile/backend.js";
import { perceptron } from "../../src/learn/models/index.js";
import { adam, sgd } from "../../src/learn/optimizers/index.js";
import { classificationProblem } from "../../src/learn/problems/index.js";
import type { RunOutcome } from "../../src/runs/summary.js";
import { accounts, ledgersTogether, type TimeLedger, totalS } from "../../src/runs/timeLedger.js";
import { type LaneTraining, type TrainLanesOptions, trainLanes } from "../../src/train/index.js";
import { type HostTimes, rankLedgers } from "../../src/train/ledger.js";
import { classifying, descent, train, withoutTime } from "./support.js";

const one = cpuBackend();
const two = cpuBackend({ ranks: 2 });
afterAll(() => two.close());

/** Sleeps: what the thread does meanwhile takes so long on any machine. */
const pause = (ms: number): void => {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
};

interface Kept {
  readonly outcomes: readonly RunOutcome[];
  /** Of each lane, from before the training to its end, by a clock of the test. */
  readonly wallS: readonly number[];
}

/** Trains with a store that takes `recordingMs` for each batch of rows. */
async function kept(
  training: LaneTraining,
  backend: Backend,
  { recordingMs = 0, ...options }: TrainLanesOptions & { readonly recordingMs?: number } = {},
): Promise<Kept> {
  const outcomes: RunOutcome[] = [];
  const wallS: number[] = [];
  const startedMs = performance.now();
  await trainLanes(
    training,
    backend,
    {
      rows: () => pause(recordingMs),
      finish: (lane, outcome) => {
        outcomes[lane] = outcome;
        wallS[lane] = (performance.now() - startedMs) / 1000;
      },
    },
    options,
  );
  return { outcomes, wallS };
}

function expectToAddUp({ outcomes, wallS }: Kept): TimeLedger[] {
  return outcomes.map(({ ledger }, lane) => {
    for (const { accounts: times } of ledger!.ranks) {
      for (const account of accounts) expect(times[account]).toBeGreaterThanOrEqual(0);
      expect(totalS(times)).toBeCloseTo(ledger!.wallS, 9);
    }
    expect(Math.abs(ledger!.wallS - wallS[lane])).toBeLessThan(0.02 * wallS[lane]);
    return ledger!;
  });
}

/** A perceptron of which a step takes some hundred microseconds, with Adam. */
async function wide(changes: Partial<LaneTraining> = {}): Promise<LaneTraining> {
  const training = await classifying(adam({ lr: 1e-3 }), {
    steps: 300,
    evaluateEvery: 30,
    recordEvery: 0,
    ...changes,
  });
  const problem = classificationProblem({
    dataset: training.problem.dataset!,
    model: perceptron({ hidden: [400, 400] }),
  });
  return { ...training, problem };
}

describe("of a training", () => {
  test("it adds up to the wall time, in the accounts where the time was spent", async () => {
    const training = await wide();
    const saves: number[] = [];
    const checkpoints = {
      every: { steps: 100 },
      save: ({ step }: { readonly step: number }) => {
        saves.push(step);
        pause(150);
      },
    };
    const [ledger] = expectToAddUp(await kept(training, one, { recordingMs: 60, checkpoints }));
    expect(ledger).toMatchObject({ lanes: 1, fromStep: 0 });
    expect(ledger.slowest).toBeUndefined();
    expect(saves.length).toBeGreaterThan(0);
    const [{ accounts: times, hiddenS }] = ledger.ranks;
    expect(times.checkpoint).toBeGreaterThan(0.15 * saves.length);
    // Rows of ten evaluations, each handed on by itself, and a last time with the end.
    expect(times.recording).toBeGreaterThan(0.06 * 10);
    for (const account of ["startUp", "input", "forwardBackward", "update", "evaluation"] as const)
      expect(times[account]).toBeGreaterThan(0);
    expect(times.allReduce).toBe(0);
    expect(hiddenS).toBe(0);
    expect(ledger.timedSteps).toBeGreaterThan(0);
    expect(ledger.timedSteps).toBeLessThan(300);
  }, 60_000);

  test("two ranks have accounts each, and one of them is the slowest", async () => {
    const [ledger] = expectToAddUp(await kept(await wide(), two, { recordingMs: 60 }));
    expect(ledger.ranks).toHaveLength(2);
    const computing = ledger.ranks.map((rank) => rank.accounts.forwardBackward + rank.accounts.update);
    expect(computing[ledger.slowest!]).toBe(Math.max(...computing));
    const [leader, follower] = ledger.ranks.map((rank) => rank.accounts);
    expect(leader.recording).toBeGreaterThan(0.6);
    expect(follower.recording).toBe(0);
    // It has nothing to do while the leader records.
    expect(follower.waiting).toBeGreaterThan(0.6);
    for (const rank of [leader, follower]) {
      expect(rank.forwardBackward).toBeGreaterThan(0);
      expect(rank.update).toBeGreaterThan(0);
      expect(rank.evaluation).toBeGreaterThan(0);
    }
  }, 60_000);

  test("lanes share one ledger, which counts once", async () => {
    const outcome = await kept(descent([0.001, 0.002]), one, { recordingMs: 200 });
    const ledgers = expectToAddUp(outcome);
    expect(new Set(ledgers.map(({ training }) => training)).size).toBe(1);
    expect(ledgers.map(({ lanes }) => lanes)).toEqual([2, 2]);
    const longest = Math.max(...ledgers.map(({ wallS }) => wallS));
    expect(totalS(ledgersTogether(ledgers))).toBeCloseTo(longest, 9);
    const another = { ...ledgers[0], training: "another" };
    const { wallS } = another;
    expect(totalS(ledgersTogether([...ledgers, another]))).toBeCloseTo(longest + wallS, 9);
  }, 60_000);

  test("the update of a batch in parts is its step", async () => {
    const training = await wide({ microBatch: 15, steps: 30 });
    const [ledger] = expectToAddUp(await kept(training, one, { recordingMs: 500 }));
    expect(ledger.timedSteps).toBeUndefined();
    expect(ledger.ranks[0].accounts.forwardBackward).toBeGreaterThan(0);
    expect(ledger.ranks[0].accounts.update).toBeGreaterThan(0);
  }, 60_000);

  test("a backend without clocks tells steps from the rest, and nothing inside of them", async () => {
    const training = await classifying(sgd({ lr: 0.1 }), { steps: 3, evaluateEvery: 1 });
    const [ledger] = expectToAddUp(await kept(training, referenceBackend(), { recordingMs: 300 }));
    expect(ledger.timedSteps).toBeUndefined();
    expect(ledger.ranks[0].accounts.forwardBackward).toBeGreaterThan(0);
    expect(ledger.ranks[0].accounts.update).toBe(0);
  }, 60_000);

  test("timed calls train what others do, bit for bit", async () => {
    const training = await wide({ steps: 40 });
    const never: Backend = {
      ...one,
      compile: (program) => {
        const executable = one.compile(program);
        const run = executable.run.bind(executable);
        return Object.assign(executable, { run: (entry: string, steps?: number) => run(entry, steps) });
      },
    };
    const [rows] = (await train(training, one)).rows;
    expect(rows).toHaveLength(2);
    expect(withoutTime((await train(training, never)).rows[0])).toEqual(withoutTime(rows));
  });
});

const host: HostTimes = {
  startUp: 1,
  input: 0.5,
  parts: 0,
  steps: 6,
  evaluation: 1,
  recording: 0.25,
  checkpoint: 0.75,
  waiting: 0.5,
};

const measured = (changes: Partial<RankTimes>): RankTimes => ({
  runS: 0,
  waitingS: 0,
  allReduceS: 0,
  hiddenS: 0,
  timed: { steps: 0, computingS: 0, updateS: 0 },
  ...changes,
});

describe("of ranks, from what they measured", () => {
  const times: EntryTimes = {
    step: [
      measured({
        runS: 5.5,
        waitingS: 2,
        allReduceS: 0.5,
        hiddenS: 0.125,
        timed: { steps: 10, computingS: 0.4, updateS: 0.1 },
      }),
      measured({
        runS: 5,
        waitingS: 0.5,
        allReduceS: 0.5,
        timed: { steps: 10, computingS: 0.5, updateS: 0.25 },
      }),
    ],
    "evaluate validation": [measured({ runS: 0.9 }), measured({ runS: 0.8, waitingS: 0.1 })],
  };

  test("steps are what they computed, summed, and waited; the one that computed longest is named", () => {
    const { ranks, slowest, timedSteps } = rankLedgers({ wallS: 10, host }, times);
    expect(ranks[0]).toEqual({
      // 5.5 - 2 - 0.5 = 3 of computing, a quarter of it in updates; 0.5 of the call were others' ends.
      accounts: {
        startUp: 1,
        input: 0.5,
        forwardBackward: 2.25,
        update: expect.closeTo(0.75, 12),
        allReduce: 0.5,
        evaluation: 1,
        recording: 0.25,
        checkpoint: 0.75,
        waiting: 0.5 + 2 + 0.5,
      },
      hiddenS: 0.125,
    });
    expect(ranks[1]).toEqual({
      accounts: {
        startUp: 0,
        input: 0,
        forwardBackward: 2,
        update: 2,
        allReduce: 0.5,
        evaluation: 0.8,
        recording: 0,
        checkpoint: 0,
        waiting: 10 - 5.3,
      },
      hiddenS: 0,
    });
    expect(slowest).toBe(1);
    expect(timedSteps).toBe(10);
  });

  test("one rank alone has its whole calls, divided as the timed steps were", () => {
    const { ranks, slowest } = rankLedgers({ wallS: 10, host }, { step: [times.step[0]] });
    expect(ranks[0].accounts).toMatchObject({
      forwardBackward: 4.5,
      update: expect.closeTo(1.5, 12),
      waiting: 0.5,
    });
    expect(slowest).toBeUndefined();
  });
});
