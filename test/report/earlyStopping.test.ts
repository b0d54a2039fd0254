/** Runs of different lengths: what words, tables, curves and budgets make of those that stopped early. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { settingSeries } from "../../src/report/curves.js";
import {
  analyse,
  figuresOf,
  findingsOf,
  htmlPage,
  tablesOf,
  terminalSummary,
} from "../../src/report/index.js";
import {
  loadStudy,
  type MetricRow,
  openStore,
  type StoredStudy,
  type StudyRecord,
} from "../../src/runs/index.js";

const root = mkdtempSync(join(tmpdir(), "slalom-stopped-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));

/** Epochs that each seed makes of ten, by optimizer; five steps an epoch. */
const lengths = { adam: [4, 10, 6], sgd: [10, 10, 10] } as const;

const lossAt = (epoch: number, seed: number): number => 1 / (epoch + 1) + seed;

function stored(name: string, changes: Partial<StudyRecord> = {}): StoredStudy {
  const store = openStore(root);
  if (store.has(name)) return loadStudy(store.openStudy(name).folder);
  const study = store.createStudy({
    name,
    problem: "p",
    optimizers: Object.keys(lengths).map((optimizer) => ({ optimizer, hyperparameters: { lr: [0.1] } })),
    seeds: [0, 1, 2],
    epochs: 10,
    batchSize: 20,
    targets: [],
    earlyStopping: { patience: 2, metric: "validationLoss", minDelta: 0 },
    versions: { slalom: "0", node: "0", backend: "b", cpu: "c" },
    created: "2025-01-01T00:00:00.000Z",
    ...changes,
  });
  for (const [optimizer, epochs] of Object.entries(lengths)) {
    for (const [seed, length] of epochs.entries()) {
      const writer = study.createRun({
        problem: "p",
        optimizer,
        hyperparameters: { lr: 0.1 },
        seed,
        batchSize: 20,
        epochs: 10,
        steps: 50,
        shuffle: true,
        dtype: "float32",
        backend: "b",
      });
      writer.append(
        Array.from({ length }, (_, i) => {
          const validationLoss = lossAt(i + 1, seed);
          return { step: 5 * (i + 1), epoch: i + 1, timeS: i, validationLoss } as MetricRow;
        }),
      );
      writer.finish({
        status: "completed",
        ...(length < 10 && { stoppedEarly: { step: 5 * length, reason: "it was no better" } }),
      });
    }
  }
  return loadStudy(study.folder);
}

const finding = (study: StoredStudy): string | undefined =>
  findingsOf(study).find(({ id }) => id === "early-stopping")?.text;

test("a finding says how many stopped, how soon, and with how many steps", () => {
  expect(finding(stored("some"))).toBe(
    "2 runs of 6 stopped early, after 2 evaluations without a better validation loss and 40 % to 60 % (median 50 %) of their steps: adam 2 of 3, which made 100 steps together; sgd 0 of 3, which made 150 steps together.",
  );
  const restoring = stored("restored", {
    earlyStopping: { patience: 2, metric: "validationLoss", minDelta: 0, restore: "best" },
  });
  expect(finding(restoring)).toMatch(/ Final values of every run are those of its best evaluation\.$/);
  expect(finding(stored("never", { earlyStopping: undefined }))).toBeUndefined();
});

test("budgets count the steps that were made", () => {
  expect(analyse(stored("some")).budgets.optimizers.map(({ steps }) => steps)).toEqual([100, 150]);
});

test("a final value is that of a run's own end, and words say so", () => {
  const study = stored("some");
  const analysis = analyse(study);
  expect(analysis.select.words).toBe("validation loss after at most 10 epochs");
  const [adam] = analysis.optimizers;
  const finals = [lossAt(4, 0), lossAt(10, 1), lossAt(6, 2)];
  expect(adam.best?.evidence.values.map(({ value }) => value)).toEqual(finals);
  expect(terminalSummary(study)).toContain("on 3 seeds, at most 10 epochs each;");
  const restoring = stored("restored", {
    earlyStopping: { patience: 2, metric: "validationLoss", minDelta: 0, restore: "best" },
  });
  expect(analyse(restoring).select.words).toBe("validation loss at the best evaluation within 10 epochs");
  expect(analyse(stored("never", { earlyStopping: undefined })).select.words).toBe(
    "validation loss after 10 epochs",
  );
});

test("tables count them", () => {
  const tables = tablesOf(stored("some"));
  const cellsOf = (id: string, label: string): string[] => {
    const { columns, rows } = tables.find((table) => table.id === id)!;
    const column = columns.findIndex((one) => one.label === label);
    return rows.map((row) => `${row[0].text}: ${row[column].text}`).sort();
  };
  expect(cellsOf("tuning", "Stopped early")).toEqual(["adam: 2", "sgd: 0"]);
  expect(cellsOf("settings", "Outcome")).toEqual([
    "adam: best of its optimizer, 2 of 3 seeds stopped early",
    "sgd: best of its optimizer",
  ]);
  const without = tablesOf(stored("never", { earlyStopping: undefined })).find(({ id }) => id === "tuning")!;
  expect(without.columns.map(({ label }) => label)).not.toContain("Stopped early");
});

test("a mean over seeds goes on to the longest, with the last value of those that stopped", () => {
  const study = stored("some");
  const runs = study.runs.filter(({ configuration }) => configuration.optimizer === "adam");
  const [series] = settingSeries(runs, "validationLoss", "epoch", { label: "adam" });
  expect(series.x).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
  Array.from(series.x).forEach((epoch, i) => {
    const values = lengths.adam.map((length, seed) => lossAt(Math.min(epoch, length), seed));
    expect(series.y[i]).toBeCloseTo(values.reduce((sum, value) => sum + value, 0) / 3, 12);
    expect([series.lower![i], series.upper![i]]).toEqual([Math.min(...values), Math.max(...values)]);
  });
  const captions = figuresOf(study).map(({ caption }) => caption);
  expect(captions.some((caption) => caption.includes("A run that stopped early keeps its last value."))).toBe(
    true,
  );
  // Alone it ends where it stopped.
  const [alone] = settingSeries(runs.slice(0, 1), "validationLoss", "epoch", { label: "adam" });
  expect(alone.x).toEqual([1, 2, 3, 4]);
});

test("the page tells the rule", () => {
  expect(htmlPage(stored("some"))).toContain(
    "<dt>Early stopping</dt><dd>patience: 2; metric: validationLoss; minDelta: 0</dd>",
  );
});
