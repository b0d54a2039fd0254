/** The time ledger of stored runs: what loading data and checkpoints took, and where one that goes on counts from. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { afterAll, expect, test } from "vitest";
import { cpuBackend } from "../../src/backends/cpu/index.js";
import { SlalomError } from "../../src/base/errors.js";
import type { Backend } from "../../src/compile/backend.js";
import { inThread, runStudy, study } from "../../src/lab/index.js";
import { blobs } from "../../src/learn/datasets/index.js";
import { perceptron } from "../../src/learn/models/index.js";
import { sgd } from "../../src/learn/optimizers/index.js";
import { classificationProblem } from "../../src/learn/problems/index.js";
import { loadStudy, openStore, type TimeLedger, totalS } from "../../src/runs/index.js";
import { stepEntry } from "../../src/train/index.js";
import { withCalls } from "../support/executables.js";

const root = mkdtempSync(join(tmpdir(), "slalom-ledger-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));

const loadingMs = 200;
const source = blobs({ count: 130, dimensions: 3, split: { train: 100, validation: 30 } });
let loads = 0;
const slowSource = {
  ...source,
  load: async () => {
    loads++;
    await setTimeout(loadingMs);
    return source.load();
  },
};

const question = study({
  name: "kept",
  problem: classificationProblem({ dataset: slowSource, model: perceptron({ hidden: [4] }) }),
  optimizers: [sgd({ lr: [0.01, 0.1] })],
  epochs: 400,
  batchSize: 20,
  checkpointEvery: { steps: 50 },
});

const ledgers = (): TimeLedger[] => loadStudy(join(root, "kept")).runs.map(({ summary }) => summary!.ledger!);

test("an interrupted run tells its own time, and one that goes on counts from its checkpoint", async () => {
  const store = openStore(root);
  const controller = new AbortController();
  const first = await runStudy(question, {
    store,
    executor: inThread(cpuBackend()),
    signal: controller.signal,
    onProgress: ({ running }) => {
      if (running.some(({ step }) => step >= 100)) controller.abort();
    },
  });
  expect(first.status).toBe("interrupted");
  // Once for the study, once for its training.
  expect(loads).toBe(2);
  const interrupted = ledgers();
  expect(interrupted).toHaveLength(2);
  for (const { fromStep, lanes, ranks } of interrupted) {
    expect({ fromStep, lanes }).toEqual({ fromStep: 0, lanes: 2 });
    // Timers may be a millisecond early.
    expect(ranks[0].accounts.input).toBeGreaterThan(loadingMs / 1000 - 0.002);
    expect(ranks[0].accounts.checkpoint).toBeGreaterThan(0);
  }
  const again = await runStudy(question, { store, executor: inThread(cpuBackend()) });
  expect(again.status).toBe("completed");
  const [continued] = ledgers();
  expect(continued.training).not.toBe(interrupted[0].training);
  expect(continued.fromStep).toBeGreaterThan(0);
  expect(continued.fromStep).toBeLessThan(2000);
  expect(totalS(continued.ranks[0].accounts)).toBeCloseTo(continued.wallS, 9);
});

test("a run that failed tells what was spent until then", async () => {
  const cpu = cpuBackend();
  let calls = 0;
  const breaking: Backend = {
    ...cpu,
    compile(program) {
      const executable = cpu.compile(program);
      return withCalls(executable, {
        run(entry, steps) {
          if (entry === stepEntry && ++calls === 3) throw new SlalomError("device", "it broke");
          executable.run(entry, steps);
        },
      });
    },
  };
  const store = openStore(join(root, "broken"));
  await expect(runStudy(question, { store, executor: inThread(breaking) })).rejects.toThrow("it broke");
  const { runs } = loadStudy(join(root, "broken", "kept"));
  expect(runs.map(({ status }) => status)).toEqual(["failed", "failed"]);
  for (const { summary } of runs) {
    const { ranks, wallS, lanes, fromStep } = summary!.ledger!;
    expect({ lanes, fromStep, ranks: ranks.length }).toEqual({ lanes: 2, fromStep: 0, ranks: 1 });
    const [{ accounts }] = ranks;
    expect(accounts.input).toBeGreaterThan(loadingMs / 1000 - 0.002);
    expect(accounts.forwardBackward).toBeGreaterThan(0);
    expect(totalS(accounts)).toBeCloseTo(wallS, 9);
  }
  expect(runs[0].summary!.ledger!.training).toBe(runs[1].summary!.ledger!.training);
});
