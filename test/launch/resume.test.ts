/** Grids that are killed or stopped by signals, and go on bit for bit as if nothing had happened. */
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { afterAll, describe, expect, test } from "vitest";
import { keyFromSeed, randomBits, uniformFromBits } from "../../src/base/random.js";
import { readSafetensors } from "../../src/runs/index.js";
import { start } from "../cli/cli.js";
import { namesIn, newest, outcomes } from "./outcomes.js";

const root = mkdtempSync(join(tmpdir(), "slalom-resume-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));

/** Dropout, shuffled batches with a short last one, lanes of which one diverges, two seeds; about two seconds of steps. */
const file = (steps: number, more = "") => `
import { classificationProblem, momentum, perceptron, spirals, study } from "slalom";
export default study({
  name: "killed",
  problem: classificationProblem({
    dataset: spirals({ classes: 3, count: 330, split: { validation: 60 } }),
    model: perceptron({ hidden: [24, 16], dropout: 0.2 }),
  }),
  optimizers: [momentum({ lr: [0.01, 0.05, 1e6], momentum: 0.9 })],
  seeds: 2,
  steps: ${steps},
  batchSize: 32,
  evaluateEvery: 500,
  trainMetrics: true,
  keepModel: true,
  checkpointEvery: { steps: 5 },
  ${more}
});
`;

describe("a training that is killed", () => {
  test("goes on bit for bit, wherever SIGKILL met it", async () => {
    const folder = mkdtempSync(join(root, "kill-"));
    writeFileSync(join(folder, "study.ts"), file(12_000));
    const words = (out: string) => ["run", "study.ts", "--no-figures", "--out", out];
    expect((await start(folder, words("whole")).ended).code).toBe(0);
    const expected = outcomes(join(folder, "whole"), "killed");
    expect(
      Object.values(expected)
        .map(({ status }) => status)
        .sort(),
    ).toEqual(["completed", "completed", "completed", "completed", "diverged", "diverged"]);

    let [kills, resumed] = [0, 0];
    for (; kills < 40; kills++) {
      const running = start(folder, words("torn"));
      let ended = false;
      const end = running.ended.then((result) => {
        ended = true;
        return result;
      });
      // Once it has written a checkpoint of its own any moment may be the one, amid the writing of the next too.
      const checkpoints = join(folder, "torn/killed/checkpoints");
      const before = newest(checkpoints);
      while (!ended && newest(checkpoints) === before) await setTimeout(1);
      await setTimeout(120 * uniformFromBits(randomBits(keyFromSeed(9), kills)));
      if (ended && (await end).code === 0) break;
      running.process.kill("SIGKILL");
      await end;
      try {
        for (const name of readdirSync(checkpoints)) {
          if (!name.endsWith(".safetensors")) continue;
          // Every file under its name is whole.
          readSafetensors(join(checkpoints, name));
          resumed++;
        }
      } catch (error) {
        expect((error as NodeJS.ErrnoException).code).toBe("ENOENT");
      }
    }
    if (kills === 40) expect((await start(folder, words("torn")).ended).code).toBe(0);
    expect(kills).toBeGreaterThan(3);
    expect(resumed).toBeGreaterThan(3);
    expect(outcomes(join(folder, "torn"), "killed")).toEqual(expected);
    expect(readdirSync(join(folder, "torn/killed/checkpoints"))).toEqual([]);
  }, 120_000);
});

describe("signals", () => {
  test.each([
    ["SIGTERM", 75],
    ["SIGUSR2", 75],
    ["SIGINT", 130],
  ] as const)(
    "%s keeps the training, ends with %i, and the same command goes on",
    async (signal, code) => {
      const folder = mkdtempSync(join(root, "signal-"));
      writeFileSync(join(folder, "study.ts"), file(12_000, "checkpointEvery: { minutes: 60 },"));
      const words = ["run", "study.ts", "--no-figures", "--out", "kept"];
      expect((await start(folder, [...words.slice(0, -1), "whole"]).ended).code).toBe(0);
      const running = start(folder, words);
      const runs = join(folder, "kept/killed/runs");
      while (!started(runs)) await setTimeout(20);
      await setTimeout(150);
      running.process.kill(signal);
      const { code: received, err } = await running.ended;
      expect(received).toBe(code);
      expect(err).toContain("Everything is kept in kept; the same command goes on from there.");
      expect(readdirSync(join(folder, "kept/killed/checkpoints")).length).toBeGreaterThan(0);
      expect((await start(folder, words).ended).code).toBe(0);
      expect(outcomes(join(folder, "kept"), "killed")).toEqual(outcomes(join(folder, "whole"), "killed"));
    },
    60_000,
  );
});

const started = (runs: string): boolean => namesIn(runs).length >= 3;
