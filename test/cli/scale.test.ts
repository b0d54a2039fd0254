/** `slalom scale` as a user meets it: what is printed, kept and refused. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import type { ScalingStudy } from "../../src/lab/scaling.js";
import { decode } from "../../src/runs/json.js";
import { temporaryFolder } from "../launch/support.js";
import { slalom } from "./cli.js";

const folder = temporaryFolder();
afterAll(() => folder.remove());

folder.file(
  "study.ts",
  `import { adam, blobs, classificationProblem, perceptron, study } from "slalom";

export default study({
  name: "scaled",
  problem: classificationProblem({
    dataset: blobs({ classes: 4, count: 500 }),
    model: perceptron({ hidden: [16] }),
  }),
  optimizers: [adam({ lr: 2e-3 })],
  epochs: 10,
  batchSize: 40,
});
`,
);

const inStore = (file: string): string => join(folder.path, "runs/scaled/scaling", file);
const kept = <T>(file: string): T => decode(readFileSync(inStore(file), "utf8")) as T;

describe("slalom scale", () => {
  test("trains each batch to a target by each rule, and keeps what came of it", async () => {
    const { code, out, err } = await slalom(
      folder.path,
      "scale study.ts --ranks 1 --batch 40,80 --target 0.6 --rule kept,linear --epochs 9 --warmup 2",
    );
    expect(code, err).toBe(0);
    expect(out).toContain("To validation accuracy ≥ 60 %, in at most 9 epochs, seed 0");
    expect(out).toMatch(/batch +rule +learning rate +epochs +best +time, 1 rank/);
    expect(out).toMatch(/80 +linear +0\.004, after 10 steps/);
    expect(err).toMatch(/scaled: batch 80, linear: [\d.]+ epochs to validation accuracy ≥ 60 %/);
    const { curves, target } = kept<ScalingStudy>("strong.json");
    expect(target!.trainings.map(({ batchSize, rule }) => [batchSize, rule])).toEqual([
      [40, "kept"],
      [40, "linear"],
      [80, "kept"],
      [80, "linear"],
    ]);
    for (const { reached, times, batchSize } of target!.trainings) {
      const { points } = curves.find((curve) => curve.batchSize === batchSize)!;
      expect(times).toEqual([{ ranks: 1, seconds: reached!.steps * points[0].stepS.median }]);
    }
    expect(existsSync(inStore("strong.png"))).toBe(true);
  }, 60_000);

  test.each([
    ["--ranks 1 --rule kept", /--rule is about trainings to a target; give --target too/],
    ["--ranks 1 --target soon", /Expected a value, such as "0\.99" or "validationLoss=0\.05"/],
    ["--ranks 1 --target 0.9 --rule cubic", /"cubic" is no rule\. Expected some of kept,linear,sqrt/],
    ["--ranks 1 --target 0.9 --warmup 0", /Expected a number above 0/],
    ["--ranks 1 --target trainLos=0.9", /metric of the target "trainLos".*trainLoss/],
  ])("refuses %s", async (words, message) => {
    const { code, err } = await slalom(folder.path, `scale study.ts ${words}`);
    expect(code).not.toBe(0);
    expect(err.replace(/\s+/g, " ")).toMatch(message);
  });
});
