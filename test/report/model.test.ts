/** Figures of what a study's models have learned, from a small network trained and stored here. */
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { cpuBackend } from "../../src/backends/cpu/index.js";
import { inThread, runStudy, study } from "../../src/lab/index.js";
import { sourceOf } from "../../src/learn/datasets/dataset.js";
import { classification } from "../../src/learn/datasets/index.js";
import { convNet } from "../../src/learn/models/index.js";
import { adam } from "../../src/learn/optimizers/index.js";
import { classificationProblem } from "../../src/learn/problems/index.js";
import { figuresOf } from "../../src/report/index.js";
import { loadStudy, openStore, readPredictions, writePredictions } from "../../src/runs/index.js";

/** 8 x 8 noise, brighter in one half: left is class 0, right is class 1. */
function halves() {
  const count = 120;
  const pixels = Uint8Array.from({ length: count * 64 }, (_, i) => {
    const [n, column] = [Math.floor(i / 64), i % 8];
    return ((i * 7919 + n * 104729) % 200) + (Number(column >= 4) === n % 2 ? 25 : 0);
  });
  return classification({
    name: "halves",
    inputs: { shape: [count, 8, 8, 1], dtype: "uint8", data: pixels },
    targets: Uint8Array.from({ length: count }, (_, n) => n % 2),
    classes: 2,
    scale: 1 / 255,
    split: { train: 60, validation: 30, test: 30 },
  });
}

test("learning curves, confusion matrix and filters are drawn where a study keeps its models", async () => {
  const dataset = halves();
  const options = {
    name: "halves",
    problem: classificationProblem({
      dataset: sourceOf(dataset),
      model: convNet({ filters: [6, 2], hidden: 8, dropout: 0.1, initializer: "he" }),
    }),
    optimizers: [adam({ lr: 1e-3 })],
    seeds: 2,
    epochs: 4,
    batchSize: 20,
    test: "end",
    trainMetrics: true,
    keepModel: true,
  } as const;
  const store = openStore(mkdtempSync(join(tmpdir(), "slalom-model-figures-")));
  const outcome = await runStudy(study(options), { store, executor: inThread(cpuBackend()) });
  const stored = loadStudy(outcome.folder);
  const figures = figuresOf(stored);
  const ids = figures.map(({ id }) => id);
  for (const id of ["learning-loss-adam", "learning-accuracy-adam", "confusion-adam", "filters-adam"])
    expect(ids).toContain(id);
  const predictions = stored.runs.map(({ folder }) => readPredictions(folder)!);
  const wrong = predictions.reduce(
    (sum, { labels, classes }) => sum + labels.filter((label, i) => label !== classes[i]).length,
    0,
  );
  const confusion = figures.find(({ id }) => id === "confusion-adam")!;
  expect(confusion.section).toBe("model");
  expect(confusion.caption).toContain(`${wrong} of 60 test predictions are wrong, 2 seeds together`);

  // As of ten seeds on a large test split.
  const many = 70_000;
  for (const { folder } of stored.runs) {
    const labels = Array.from({ length: many }, (_, i) => i % 2);
    const classes = labels.map((label, i) => (i % 1000 === 0 ? 1 - label : label));
    writePredictions(folder, { split: "test", labels, classes, probabilities: labels.map(() => 0.9) });
  }
  const large = figuresOf(stored).find(({ id }) => id === "confusion-adam")!;
  expect(large.caption).toContain("140 of 140,000 test predictions are wrong, 2 seeds together");

  const filters = figures.find(({ id }) => id === "filters-adam")!;
  expect(filters.caption).toMatch(/^The 6 filters of conv1\.weight, seed 0, at the best validation/);
  expect(filters.svg.match(/<image /g)).toHaveLength(6);
  const accuracy = figures.find(({ id }) => id === "learning-accuracy-adam")!;
  const finals = stored.runs.map(({ summary }) => summary!.final.validationAccuracy);
  const mean = (100 * (finals[0] + finals[1])) / 2;
  expect(accuracy.caption).toContain(`validation accuracy ends at ${mean.toFixed(2)} %`);
});
