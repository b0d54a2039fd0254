/** A study that keeps what its runs have learned: files beside the rows, and what they say. */
import { existsSync, mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { cpuBackend } from "../../src/backends/cpu/index.js";
import { inThread, runStudy, study } from "../../src/lab/index.js";
import { blobs } from "../../src/learn/datasets/index.js";
import { perceptron } from "../../src/learn/models/index.js";
import { sgd } from "../../src/learn/optimizers/index.js";
import { classificationProblem } from "../../src/learn/problems/index.js";
import { loadStudy, openStore, readModel, readPredictions } from "../../src/runs/index.js";

const root = mkdtempSync(join(tmpdir(), "slalom-models-"));
const source = blobs({ classes: 3, count: 200, separation: 2, split: { validation: 50, test: 50 } });
const options = {
  problem: classificationProblem({ dataset: source, model: perceptron({ hidden: [5] }) }),
  optimizers: [sgd({ lr: [0.1, 0.2] })],
  epochs: 6,
  batchSize: 20,
  test: "end",
} as const;
const run = async (name: string, changes: object) => {
  const outcome = await runStudy(study({ ...options, name, ...changes }), {
    store: openStore(root),
    executor: inThread(cpuBackend()),
  });
  return loadStudy(outcome.folder);
};

test("each run keeps its last and best model, and the best one's predictions", async () => {
  const { runs, record } = await run("kept", { keepModel: true });
  expect(record.options).toEqual({ test: "end", keepModel: true });
  const { test: split } = await source.load();
  for (const { folder, id, summary } of runs) {
    const [last, best] = (["last", "best"] as const).map((which) => readModel(folder, which));
    expect([last.run, last.step, best.step]).toEqual([id, 30, summary!.final.bestStep]);
    expect(Object.entries(best.values).map(([name, { shape }]) => [name, shape])).toEqual([
      ["dense1.weight", [5, 2]],
      ["dense1.bias", [5]],
      ["dense2.weight", [3, 5]],
      ["dense2.bias", [3]],
    ]);
    const { labels, classes, probabilities } = readPredictions(folder)!;
    expect(labels).toEqual([...split!.targets.data]);
    const right = classes.filter((value, i) => value === labels[i]).length;
    expect(right / labels.length).toBeCloseTo(summary!.final.bestTestAccuracy, 6);
    expect(probabilities.every((p) => p >= 1 / 3 && p <= 1)).toBe(true);
  }
});

test("nothing is kept unless it is asked for", async () => {
  const { runs } = await run("plain", {});
  for (const { folder } of runs) {
    expect(existsSync(join(folder, "last.safetensors"))).toBe(false);
    expect(readPredictions(folder)).toBeUndefined();
    expect(() => readModel(folder, "best")).toThrow(/can't read .*best\.safetensors: it does not exist/);
  }
});
