/** `slalom scale` as a user meets it: what is printed, kept and refused. */
import { existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import type { StudyForecast } from "../../src/lab/forecast.js";
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
    expect(out).toContain(
      "To validation accuracy ≥ 60 %, in at most 9 epochs, looked at every epoch, seed 0",
    );
    expect(out).toMatch(/batch +rule +learning rate +epochs +best +time, 1 rank/);
    expect(out).toMatch(/80 +linear +0\.004, after 10 steps/);
    expect(err).toMatch(/scaled: batch 80, linear: [\d.]+ epochs? to validation accuracy ≥ 60 %/);
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
    expect(out).toContain(
      "with figures of the same name: speed-up, efficiency, throughput, epochs-to-target and time-to-target",
    );
    for (const id of ["speed-up", "efficiency", "throughput", "epochs-to-target", "time-to-target"])
      expect(existsSync(inStore(`strong-${id}.png`))).toBe(true);
  }, 60_000);

  test("trains to a target with several seeds, and tells the middle and the range", async () => {
    const { code, out, err } = await slalom(
      folder.path,
      "scale study.ts --ranks 1 --target 0.6 --rule kept --epochs 9 --seeds 3",
    );
    expect(code, err).toBe(0);
    expect(out).toContain("the median of seeds 0, 1 and 2, with the range; the rules start from batch 40");
    expect(out).toMatch(/^ *40 +kept +0\.002 +[\d.]+ \([\d.]+ to ([\d.]+|-)\) /m);
    expect(out).toContain("One training for each batch, rule and seed, on 1 ranks");
    const [{ seeds }] = kept<ScalingStudy>("strong.json").target!.trainings;
    expect(seeds!.map(({ seed }) => seed).sort()).toEqual([0, 1, 2]);
    const alone = await slalom(folder.path, "scale study.ts --ranks 1 --seeds 3");
    expect(alone.code).toBe(2);
    expect(alone.err).toContain("--seeds goes with --target; give both");
  }, 60_000);

  test("forecasts from what it measured, and holds that against it", async () => {
    const { code, out, err } = await slalom(
      folder.path,
      "scale study.ts --ranks 1 --batch 20,40 --mode weak --forecast 4 --link alpha=1e-5,beta=1e-9",
    );
    expect(code, err).toBe(0);
    expect(out).toMatch(/Forecast for scaled, Adam: weak scaling\. Not measured: from the measured steps/);
    expect(out).toMatch(/efficiency +measured +forecast\/measured/);
    expect(out).toContain("over alpha=1e-5,beta=1e-9: 10 µs a message, 1 GB/s (given)");
    const made = kept<StudyForecast>("weak-forecast.json");
    expect(readFileSync(inStore("weak-forecast.svg"), "utf8")).toContain("Forecast: weak scaling of Adam");
    const { curves } = kept<ScalingStudy>("weak.json");
    expect(made.steps).toEqual(
      curves.map(({ batchSize, points }) => ({ batchSize, seconds: points[0].stepS.median })),
    );
    for (const [i, { points }] of made.curves.entries()) {
      const { median } = curves[i].points[0].stepS;
      expect(points.map(({ ranks }) => ranks)).toEqual([1, 4]);
      expect(points[0].measured).toEqual({ stepS: median, ratio: points[0].stepS / median });
      expect(points[1].measured).toBeUndefined();
      expect(points[1].allReduceS).toBeCloseTo(6 * (1e-5 + (made.bytes / 4) * 1e-9), 12);
    }
  }, 60_000);

  test("forecasts from steps that were measured elsewhere", async () => {
    const { code, out, err } = await slalom(
      folder.path,
      "scale study.ts --step 50=0.0004,5000=0.006 --forecast 2,8 --link nvlink --overlap 0.5",
    );
    expect(code, err).toBe(0);
    expect(out).toContain("from given steps of one rank");
    expect(out).toContain("50 % of the backward pass hides it");
    expect(out).not.toContain("forecast/measured");
    const { curves, link, stepsFrom, overlap } = kept<StudyForecast>("strong-forecast.json");
    expect({ name: link.name, stepsFrom, overlap }).toEqual({
      name: "nvlink",
      stepsFrom: "given",
      overlap: 0.5,
    });
    expect(curves.map(({ points }) => points.map(({ ranks }) => ranks))).toEqual([
      [1, 2, 8],
      [1, 2, 8],
    ]);
    expect(curves[0].points[0].stepS).toBeCloseTo(0.0004, 10);
    expect(curves[1].points[0].stepS).toBeCloseTo(0.006, 10);
  }, 60_000);

  test("figures draws again what was kept, without measuring", async () => {
    const drawn = [
      "strong-speed-up.svg",
      "strong-time-to-target.png",
      "weak-throughput.svg",
      "weak-forecast.png",
    ];
    const before = drawn.map((name) => readFileSync(inStore(name)));
    for (const name of drawn) rmSync(inStore(name));
    for (const which of ["scaled", join(folder.path, "runs/scaled")]) {
      const { code, out, err } = await slalom(folder.path, `figures ${which}`);
      expect(code, err).toBe(0);
      for (const name of drawn) expect(out).toContain(join("runs/scaled/scaling", name));
    }
    expect(drawn.map((name) => readFileSync(inStore(name)).equals(before[drawn.indexOf(name)]))).toEqual(
      drawn.map(() => true),
    );
  }, 60_000);

  test.each([
    ["--batch 40", /expected --ranks to measure, or --step with --forecast; give one of them/],
    ["--ranks 1 --step 1=1 --forecast 2 --link nvlink", /give one of them/],
    ["--step 50=0.1 --link nvlink", /--link goes with --forecast; give both/],
    ["--ranks 1 --forecast 4", /one rank alone has no link to measure; give --link/],
    ["--ranks 1 --forecast 4 --link wire", /Expected nvlink, infiniband, ethernet, measured/],
    ["--ranks 1 --forecast 4 --link alpha=1", /such as alpha=2e-6,beta=1e-10/],
    ["--ranks 1 --forecast 4 --link nvlink --overlap 2", /Expected a share from 0 to 1/],
    ["--step 50 --forecast 4 --link nvlink", /such as 50=0\.0004,5000=0\.006/],
    ["--step 50=1 --forecast 4 --link nvlink --target 0.9", /--target goes with --ranks/],
    ["--ranks 1 --rule kept", /--rule goes with --target; give both/],
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
