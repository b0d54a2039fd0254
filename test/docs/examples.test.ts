/** The examples do what they say: each is trained in full and its result held against what is known. */
import { execFile } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, describe, expect, test } from "vitest";
import { cpuBackend } from "../../src/backends/cpu/index.js";
import { inThread, runStudy } from "../../src/lab/index.js";
import { loadStudies } from "../../src/launch/studySource.js";
import { fashionMnist, findFolder, placesOf } from "../../src/learn/datasets/index.js";
import { openStore, type StoredRun } from "../../src/runs/index.js";
import { root } from "../support/sources.js";

const folder = mkdtempSync(join(tmpdir(), "slalom-examples-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** The runs of all studies of an example. */
async function runsOf(example: string): Promise<StoredRun[]> {
  const store = openStore(folder);
  const runs: StoredRun[] = [];
  for (const study of await loadStudies(join(root, "examples", example))) {
    await runStudy(study, { store, executor: inThread(cpuBackend()) });
    runs.push(...store.openStudy(study.name).runs());
  }
  return runs;
}

const finals = (runs: readonly StoredRun[], metric: string): number[] =>
  runs.map(({ summary }) => summary!.final[metric]);

describe("examples", () => {
  test("own-optimizer: Lion learns the spirals, too small a rate does not", async () => {
    const lion = (await runsOf("own-optimizer.ts")).filter((run) => run.configuration.optimizer === "lion");
    const at = (lr: number) => lion.filter(({ configuration }) => configuration.hyperparameters.lr === lr);
    expect(lion).toHaveLength(21);
    expect(Math.min(...finals(at(0.01), "validationAccuracy"))).toBeGreaterThan(0.9);
    expect(Math.max(...finals(at(1e-4), "validationAccuracy"))).toBeLessThan(0.7);
  });

  test("own-dataset: the ring is learnt", async () => {
    const runs = await runsOf("own-dataset.ts");
    expect(Math.max(...finals(runs, "validationAccuracy"))).toBeGreaterThan(0.9);
  });

  test("own-model: both models learn the blobs better than chance", async () => {
    const runs = await runsOf("own-model.ts");
    const problems = new Set(runs.map(({ configuration }) => configuration.problem));
    expect(problems).toEqual(new Set(["blobs-radial", "blobs-narrow"]));
    for (const problem of problems) {
      const own = runs.filter(({ configuration }) => configuration.problem === problem);
      expect(Math.max(...finals(own, "validationAccuracy"))).toBeGreaterThan(0.5);
    }
  });

  test("own-problem: the least loss is found", async () => {
    // Minimum of sum sqrt(1 + r^2) - 1 over slope and offset, by Newton's method in double precision.
    const expected = leastRobustLoss();
    const runs = await runsOf("own-problem.ts");
    expect(Math.min(...finals(runs, "trainLoss"))).toBeCloseTo(expected, 6);
  });

  const clothes = fashionMnist().published!;
  test.skipIf(!findFolder(clothes.files, placesOf(clothes)))(
    "fashion-mnist: clothes are told apart (needs dataset-fashion-mnist, or slalom fetch fashion-mnist)",
    async () => {
      const runs = await runsOf("fashion-mnist.ts");
      expect(runs).toHaveLength(4);
      expect(Math.max(...finals(runs, "validationAccuracy"))).toBeGreaterThan(0.72);
      expect(Math.max(...finals(runs, "testAccuracy"))).toBeGreaterThan(0.7);
    },
  );

  test.skipIf(!existsSync(join(root, "dist/index.js")))(
    "library-use: prints a line for each run",
    async () => {
      const jiti = join(root, "node_modules/jiti/lib/jiti-cli.mjs");
      const { stdout } = await promisify(execFile)(process.execPath, [jiti, "examples/library-use.ts"], {
        cwd: root,
      });
      const lines = stdout.trim().split("\n");
      expect(lines[0]).toMatch(/^5 runs in /);
      expect(lines.slice(1).map((line) => line.replace(/:.*/, ""))).toEqual([
        "sgd, learning rate 0.0001",
        "sgd, learning rate 0.001",
        "sgd, learning rate 0.01",
        "adam, learning rate 0.01",
        "adam, learning rate 0.1",
      ]);
      expect(lines[3]).toMatch(/diverged at step \d+$/);
      expect(lines[5]).toMatch(/at 0\.01 after \d+ steps$/);
    },
  );
});

/** An independent minimizer of the example's loss: Newton's method from the line through the good points. */
function leastRobustLoss(): number {
  const x = [-2, -1, 0, 1, 2, 3];
  const y = [-5.1, -2.9, -1, 1.1, 3, 40];
  let [slope, offset] = [2, -1];
  for (let i = 0; i < 50; i++) {
    let [gs, go, ss, so, oo] = [0, 0, 0, 0, 0];
    x.forEach((xi, k) => {
      const r = slope * xi + offset - y[k];
      const distance = Math.sqrt(1 + r * r);
      const curvature = 1 / distance ** 3;
      gs += (r / distance) * xi;
      go += r / distance;
      ss += curvature * xi * xi;
      so += curvature * xi;
      oo += curvature;
    });
    const determinant = ss * oo - so * so;
    slope -= (oo * gs - so * go) / determinant;
    offset -= (ss * go - so * gs) / determinant;
  }
  return x.reduce((sum, xi, k) => sum + Math.sqrt(1 + (slope * xi + offset - y[k]) ** 2) - 1, 0);
}
