/** Shares of a study: what each has, and that all of them together are the study, also where training had begun. */
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { cpuBackend } from "../../src/backends/cpu/index.js";
import {
  inThread,
  plannedRuns,
  runStudy,
  runsOfShare,
  type Share,
  type Study,
  study,
} from "../../src/lab/index.js";
import { configurationsOf, type StudyRun } from "../../src/lab/tasks.js";
import { blobs } from "../../src/learn/datasets/index.js";
import { perceptron } from "../../src/learn/models/index.js";
import { adam, momentum, sgd } from "../../src/learn/optimizers/index.js";
import { classificationProblem, quadratic } from "../../src/learn/problems/index.js";
import { loadStudy, openStore, runId, type Store } from "../../src/runs/index.js";

const runsOf = (rates: number, seeds: number): StudyRun[] =>
  configurationsOf(
    study({
      problem: quadratic(),
      optimizers: [
        sgd({ lr: Array.from({ length: rates }, (_, i) => 0.01 * (i + 1)) }),
        momentum({ lr: [0.1, 0.2], momentum: [0.5, 0.9] }),
      ],
      seeds,
      steps: 3,
    }),
    undefined,
    Array.from({ length: seeds }, (_, i) => i),
    "cpu",
  );

const shares = (of: number): Share[] => Array.from({ length: of }, (_, i) => ({ number: i + 1, of }));

describe("the runs of a share", () => {
  test("are all runs, each once, in shares that differ by one run at most", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 5 }),
        fc.integer({ min: 1, max: 4 }),
        fc.integer({ min: 1, max: 30 }),
        (rates, seeds, of) => {
          const all = runsOf(rates, seeds);
          const divided = shares(of).map((share) => runsOfShare(all, share));
          const ids = (runs: readonly StudyRun[]) => runs.map((run) => runId(run.configuration)).sort();
          expect(ids(divided.flat())).toEqual(ids(all));
          const sizes = divided.map(({ length }) => length);
          expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1);
        },
      ),
    );
  });

  test("stay together by optimizer and seed", () => {
    const [first, second, third] = shares(4).map((share) =>
      runsOfShare(runsOf(4, 2), share).map(
        ({ configuration: { optimizer, seed } }) => `${optimizer} ${seed}`,
      ),
    );
    expect(first).toEqual(Array(4).fill("sgd 0"));
    expect(second).toEqual(Array(4).fill("sgd 1"));
    expect(third).toEqual(Array(4).fill("momentum 0"));
  });
});

describe("a study in shares", () => {
  let root: string;
  let store: Store;
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), "slalom-shares-"));
    store = openStore(root);
  });
  afterEach(() => rmSync(root, { recursive: true, force: true }));

  const small = (name: string): Study =>
    study({
      name,
      problem: classificationProblem({
        dataset: blobs({ count: 130, dimensions: 3, split: { train: 100, validation: 30 } }),
        model: perceptron({ hidden: [4] }),
      }),
      optimizers: [sgd({ lr: [0.01, 0.1, 0.3] }), adam({ lr: [0.01, 0.1] })],
      seeds: 2,
      epochs: 40,
      batchSize: 20,
    });

  const executor = () => inThread(cpuBackend({ gemm: "wasm" }));
  const finals = (name: string) =>
    Object.fromEntries(
      loadStudy(join(root, name)).runs.map(({ id, status, summary }) => [
        id,
        { status, stepsDone: summary?.stepsDone, final: summary?.final, best: summary?.best },
      ]),
    );

  test("comes to the same runs and values as in one, whatever the order of its shares", async () => {
    await runStudy(small("whole"), { store, executor: executor() });
    const divided = small("divided");
    const outcomes = [];
    for (const share of [...shares(3)].reverse())
      outcomes.push(await runStudy(divided, { store, executor: executor(), share }));
    expect(outcomes.map(({ runsTotal, runsTrained }) => [runsTotal, runsTrained])).toEqual([
      [4, 4],
      [3, 3],
      [3, 3],
    ]);
    expect(finals("divided")).toEqual(finals("whole"));
    const again = await runStudy(divided, { store, executor: executor() });
    expect(again).toMatchObject({ runsTotal: 10, runsTrained: 0, runsStoredBefore: 10 });
  });

  test("goes on with trainings that were begun undivided, each once", async () => {
    await runStudy(small("whole"), { store, executor: executor() });
    const begun = small("begun");
    const controller = new AbortController();
    const first = await runStudy(begun, {
      store,
      executor: executor(),
      signal: controller.signal,
      onProgress: ({ running }) => {
        if (running.some(({ step }) => step > 0)) controller.abort();
      },
    });
    expect(first).toMatchObject({ status: "interrupted", runsTrained: 0 });
    const checkpoints = join(first.folder, "checkpoints");
    expect(readdirSync(checkpoints)).toHaveLength(1);

    // Three runs of one program, in the first and the second of four shares.
    const trained: number[] = [];
    for (const share of shares(4)) {
      const { status, runsTrained } = await runStudy(begun, { store, executor: executor(), share });
      expect(status).toBe("completed");
      trained.push(runsTrained);
    }
    expect(trained).toEqual([3, 2, 2, 3]);
    expect(readdirSync(checkpoints)).toEqual([]);
    expect(finals("begun")).toEqual(finals("whole"));
  });

  test("leaves what other shares are writing alone", async () => {
    const study = small("beside");
    const [first, second] = shares(2);
    const controller = new AbortController();
    const interrupted = await runStudy(study, {
      store,
      executor: executor(),
      share: first,
      signal: controller.signal,
      onProgress: () => controller.abort(),
    });
    const checkpoints = join(interrupted.folder, "checkpoints");
    const [kept] = readdirSync(checkpoints);
    await runStudy(study, { store, executor: executor(), share: second });
    expect(readdirSync(checkpoints)).toEqual([kept]);
    expect(await runStudy(study, { store, executor: executor(), share: first })).toMatchObject({
      runsTotal: 5,
      runsTrained: 5,
    });
  });

  test("is planned without being made: what the store lacks, of all or of a share", async () => {
    const planned = small("planned");
    const counts = async (share?: Share) => {
      const { all, missing } = await plannedRuns(planned, { store, backend: "cpu", ...(share && { share }) });
      return [all.length, missing.length];
    };
    expect(await counts()).toEqual([10, 10]);
    expect(store.studies()).toEqual([]);
    const [first, second] = shares(2);
    await runStudy(planned, { store, executor: executor(), share: first });
    expect([await counts(), await counts(first), await counts(second)]).toEqual([
      [10, 5],
      [5, 0],
      [5, 5],
    ]);
    await expect(
      plannedRuns(study({ ...small("planned"), seeds: 3 }), { store, backend: "cpu" }),
    ).rejects.toThrow(/study "planned" is stored with other settings: seeds/);
  });
});
