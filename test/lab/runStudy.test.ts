/** Running studies into a store: resuming, refusing, failing, aborting; and progress that adds up. */
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { cpuBackend } from "../../src/backends/cpu/index.js";
import { referenceBackend } from "../../src/backends/reference/index.js";
import { SlalomError } from "../../src/base/errors.js";
import type { Backend } from "../../src/compile/backend.js";
import {
  inThread,
  runStudy,
  type Study,
  type StudyOptions,
  type StudyProgress,
  study,
} from "../../src/lab/index.js";
import { blobs } from "../../src/learn/datasets/index.js";
import { perceptron } from "../../src/learn/models/index.js";
import { adam, momentum, sgd } from "../../src/learn/optimizers/index.js";
import { classificationProblem, linearRegression } from "../../src/learn/problems/index.js";
import { loadStudy, openStore, type Store, type StoredRun } from "../../src/runs/index.js";

let root: string;
let store: Store;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "slalom-lab-"));
  store = openStore(root);
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const source = blobs({ count: 130, dimensions: 3, split: { train: 100, validation: 30 } });

/** 3 settings x 2 seeds: tasks of two lanes and of one. */
const small = (options: Partial<StudyOptions> = {}): Study =>
  study({
    problem: classificationProblem({ dataset: source, model: perceptron({ hidden: [4] }) }),
    optimizers: [sgd({ lr: [0.01, 0.1] }), adam({ lr: 0.01 })],
    seeds: 2,
    epochs: 4,
    batchSize: 20,
    targets: [{ metric: "validationAccuracy", value: 0.5 }],
    ...options,
  });

/** Exercise 1: two rates converge, one diverges. */
const exact = (options: Partial<StudyOptions> = {}): Study =>
  study({
    problem: linearRegression(),
    optimizers: [sgd({ lr: [0.01, 0.02, 1] }), momentum({ lr: 0.01, momentum: 0.6 })],
    steps: 600,
    dtype: "float64",
    ...options,
  });

/** A backend that counts what it compiles, and can fail or be watched. */
const watched = (backend: Backend, onCompile: (name: string) => void): Backend => ({
  ...backend,
  compile: (program) => {
    onCompile(program.name);
    return backend.compile(program);
  },
});

/** What of stored runs does not depend on the clock or the process. */
const resultsOf = (name: string) =>
  loadStudy(join(root, name))
    .runs.map(({ id, status, summary }: StoredRun) => ({
      id,
      status,
      final: summary?.final,
      best: summary?.best,
      stepsDone: summary?.stepsDone,
      divergence: summary?.divergence,
      targets: summary?.targets.map(({ timeS: _, ...target }) => target),
    }))
    .sort((a, b) => (a.id < b.id ? -1 : 1));

describe.each([
  ["reference", referenceBackend],
  ["cpu", cpuBackend],
] as const)("on %s", (_, backend) => {
  test("every run of the grid gets its result, and what is stored is not repeated", async () => {
    const first = await runStudy(small(), { store, executor: inThread(backend()) });
    expect(first).toMatchObject({
      folder: join(root, "blobs-perceptron"),
      status: "completed",
      runsTotal: 6,
      runsTrained: 6,
      runsStoredBefore: 0,
      versionChanges: [],
    });
    const results = resultsOf("blobs-perceptron");
    expect(results.map(({ status, stepsDone }) => [status, stepsDone])).toEqual(
      new Array(6).fill(["completed", 20]),
    );
    for (const { final } of results) expect(final!.validationAccuracy).toBeGreaterThan(0.2);
    const compiled: string[] = [];
    const again = await runStudy(small(), {
      store,
      executor: inThread(watched(backend(), (name) => compiled.push(name))),
    });
    expect(again).toMatchObject({ status: "completed", runsTrained: 0, runsStoredBefore: 6 });
    expect(compiled).toEqual([]);
    expect(resultsOf("blobs-perceptron")).toEqual(results);
  });
});

test("a study asked otherwise is refused by name, and one that is there if so wished", async () => {
  const executor = inThread(referenceBackend());
  await runStudy(small({ epochs: 1 }), { store, executor });
  await expect(runStudy(small({ epochs: 2 }), { store, executor })).rejects.toThrow(
    /study "blobs-perceptron" is stored with other settings: epochs is 1 there and 2 here/,
  );
  await expect(runStudy(small({ epochs: 1 }), { store, executor, ifExists: "refuse" })).rejects.toThrow(
    /exists already/,
  );
});

test("where a seed changes nothing one is kept, and recorded so", async () => {
  const outcome = await runStudy(exact({ seeds: 5 }), { store, executor: inThread(cpuBackend()) });
  expect(outcome.runsTotal).toBe(4);
  const { record, runs } = loadStudy(outcome.folder);
  expect(record).toMatchObject({ deterministic: true, seeds: [0] });
  const byStatus = runs.map(({ configuration, status }) => [configuration.hyperparameters.lr, status]);
  expect(byStatus).toContainEqual([1, "diverged"]);
  expect(byStatus.filter(([, status]) => status === "completed")).toHaveLength(3);
  const shuffled = await runStudy(small({ epochs: 1 }), { store, executor: inThread(cpuBackend()) });
  expect(loadStudy(shuffled.folder).record.deterministic).toBeUndefined();
});

describe("progress", () => {
  test("adds up: it never falls, and ends with all runs and no time left", async () => {
    const seen: StudyProgress[] = [];
    await runStudy(exact(), {
      store,
      executor: inThread(cpuBackend()),
      onProgress: (progress) => seen.push(progress),
    });
    expect(seen.length).toBeGreaterThan(4);
    for (const [i, progress] of seen.entries()) {
      const before = seen[Math.max(0, i - 1)];
      expect(progress.work).toBeGreaterThanOrEqual(before.work);
      expect(progress.runsDone).toBeGreaterThanOrEqual(before.runsDone);
      expect(progress.work).toBeLessThanOrEqual(progress.runsTotal);
      for (const { step, steps, lanes } of progress.running) {
        expect(step).toBeLessThanOrEqual(steps);
        expect(lanes).toBeGreaterThan(0);
      }
    }
    expect(seen[0].running[0]).toMatchObject({ label: "Gradient descent", seed: 0, steps: 600 });
    expect(seen.at(-1)).toMatchObject({
      runsTotal: 4,
      runsDone: 4,
      runsStoredBefore: 0,
      diverged: 1,
      work: 4,
      secondsLeft: 0,
      running: [],
    });
  });

  test("counts what was stored before as done, and not as work of now", async () => {
    const executor = inThread(cpuBackend());
    const folder = (await runStudy(small(), { store, executor })).folder;
    const [{ id }] = loadStudy(folder).runs;
    rmSync(join(folder, "runs", id), { recursive: true });
    const seen: StudyProgress[] = [];
    const outcome = await runStudy(small(), { store, executor, onProgress: (p) => seen.push(p) });
    expect(outcome).toMatchObject({ runsTrained: 1, runsStoredBefore: 5 });
    expect(seen[0].work).toBeGreaterThan(5);
    expect(seen.at(-1)).toMatchObject({ runsDone: 6, runsStoredBefore: 5, work: 6 });
  });
});

test("a task that fails marks its runs as failed, rejects with the cause, and is repeated when asked again", async () => {
  let compiled = 0;
  const breaking = watched(cpuBackend(), () => {
    if (++compiled === 2) throw new SlalomError("device", "no memory left for a test");
  });
  await expect(runStudy(small(), { store, executor: inThread(breaking) })).rejects.toThrow(
    "no memory left for a test",
  );
  const runs = loadStudy(join(root, "blobs-perceptron")).runs;
  const failed = runs.filter(({ status }) => status === "failed");
  expect(failed).toHaveLength(2);
  for (const { summary } of failed) expect(summary!.error).toBe("no memory left for a test");
  expect(runs.filter(({ status }) => status === "completed")).toHaveLength(2);
  const outcome = await runStudy(small(), { store, executor: inThread(cpuBackend()) });
  expect(outcome).toMatchObject({ status: "completed", runsStoredBefore: 2, runsTrained: 4 });
});

test("an aborted study keeps what is done, and continues to the results of an undisturbed one", async () => {
  const undisturbed = small({ name: "undisturbed" });
  await runStudy(undisturbed, { store, executor: inThread(cpuBackend({ gemm: "wasm" })) });
  const disturbed = small({ name: "disturbed" });
  const seen: StudyProgress[] = [];
  let stops = 0;
  for (;;) {
    const controller = new AbortController();
    const outcome = await runStudy(disturbed, {
      store,
      executor: inThread(cpuBackend({ gemm: "wasm" })),
      signal: controller.signal,
      onProgress: (progress) => {
        seen.push(progress);
        // In the middle of a task, each time one task later.
        if (progress.runsDone >= 2 * stops && progress.running.length > 0) controller.abort();
      },
    });
    expect(outcome.runsStoredBefore + outcome.runsTrained).toBe(seen.at(-1)!.runsDone);
    if (outcome.status === "completed") break;
    stops++;
    const statuses = loadStudy(outcome.folder).runs.map(({ status }) => status);
    expect(statuses).toContain("interrupted");
    expect(outcome.runsTrained).toBeLessThan(outcome.runsTotal - outcome.runsStoredBefore);
  }
  expect(stops).toBe(3);
  expect(resultsOf("disturbed")).toEqual(resultsOf("undisturbed"));
});

test("what a killed process was writing is gone once every run has its result", async () => {
  const executor = inThread(cpuBackend());
  const { folder } = await runStudy(exact(), { store, executor });
  const checkpoints = join(folder, "checkpoints");
  mkdirSync(checkpoints, { recursive: true });
  writeFileSync(join(checkpoints, ".0123456789abcdef.safetensors.aside"), "half");
  await runStudy(exact(), { store, executor });
  expect(readdirSync(checkpoints)).toEqual([]);
});

test("an abort after the last run is a completed study", async () => {
  const controller = new AbortController();
  const outcome = await runStudy(exact(), {
    store,
    executor: inThread(cpuBackend()),
    signal: controller.signal,
    onProgress: ({ runsDone, runsTotal }) => {
      if (runsDone === runsTotal) controller.abort();
    },
  });
  expect(outcome).toMatchObject({ status: "completed", runsTrained: 4 });
});

test("runs that stop early are results, recorded with what decides when", async () => {
  // A rate of 0 never learns: its first evaluation stays the best.
  const asked = (options: Partial<StudyOptions> = {}) =>
    small({
      name: "stopping",
      optimizers: [sgd({ lr: [0, 0.1] })],
      evaluateEvery: { epochs: 0.4 },
      earlyStopping: { patience: 2 },
      ...options,
    });
  const executor = inThread(cpuBackend());
  const outcome = await runStudy(asked(), { store, executor });
  const { record, runs } = loadStudy(outcome.folder);
  const earlyStopping = { patience: 2, metric: "validationLoss", minDelta: 0 };
  expect(record).toMatchObject({ earlyStopping, options: { evaluateEvery: { epochs: 0.4 } } });
  for (const { configuration, status, summary } of runs) {
    expect(configuration.earlyStopping).toEqual({ ...earlyStopping, evaluateEvery: 2 });
    expect(status).toBe("completed");
    if (configuration.hyperparameters.lr !== 0) continue;
    // Five steps an epoch: evaluations at 2, 4 and 6.
    expect(summary).toMatchObject({ stepsDone: 6, stoppedEarly: { step: 6 } });
  }
  expect((await runStudy(asked(), { store, executor })).runsTrained).toBe(0);
  await expect(runStudy(asked({ earlyStopping: { patience: 3 } }), { store, executor })).rejects.toThrow(
    "earlyStopping.patience is 2 there and 3 here",
  );
  await expect(runStudy(asked({ evaluateEvery: 1 }), { store, executor })).rejects.toThrow(
    'options.evaluateEvery is {"epochs":0.4} there and 1 here',
  );
  const unknown = runStudy(
    asked({ name: "other", earlyStopping: { patience: 1, metric: "trainAccuracy" } }),
    {
      store,
      executor,
    },
  );
  await expect(unknown).rejects.toThrow(
    /unknown metric of early stopping "trainAccuracy".* Valid: .*validationAccuracy/,
  );
  expect(store.has("other")).toBe(false);
});

test("a target on an unknown metric is refused before anything is stored", async () => {
  const typo = exact({ targets: [{ metric: "trainloss", value: 1 }] });
  await expect(runStudy(typo, { store, executor: inThread(cpuBackend()) })).rejects.toThrow(
    /"trainloss"\. Did you mean "trainLoss"\?/,
  );
  expect(store.studies()).toEqual([]);
});
