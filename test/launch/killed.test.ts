/** Trainings of a network with everything that has a state, killed again and again, end as if nothing had happened. */
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { afterAll, describe, expect, test } from "vitest";
import { keyFromSeed, randomBits, uniformFromBits } from "../../src/base/random.js";
import { readSafetensors } from "../../src/runs/index.js";
import { start } from "../cli/cli.js";
import { namesIn, newest, outcomes, waitFor } from "./outcomes.js";

const root = mkdtempSync(join(tmpdir(), "slalom-killed-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));

/** 74,000 parameters and two slots of each: a checkpoint of a megabyte, written after every call. */
const file = `
import { adam, classification, classificationProblem, convNet, sourceOf, study } from "slalom";
const count = 120;
const images = Float32Array.from({ length: count * 144 }, (_, i) => Math.sin(i * i) ** 2);
const labels = Uint8Array.from({ length: count }, (_, i) => (i * 7) % 3);
const dataset = sourceOf(
  classification({
    name: "patterns",
    inputs: images,
    targets: labels,
    exampleShape: [12, 12, 1],
    split: { validation: 24 },
  }),
);
export default study({
  name: "killed",
  problem: classificationProblem({
    dataset,
    model: convNet({ filters: [4, 8], hidden: 1024, dropout: 0.5, batchNorm: true }),
  }),
  optimizers: [adam({ lr: 0.001 })],
  steps: 900,
  batchSize: 16,
  evaluateEvery: 100,
  trainMetrics: true,
  keepModel: true,
  checkpointEvery: { steps: 1 },
});
`;

describe("a CNN with dropout and batch norm under Adam", () => {
  const numbers = [1, 2].filter((ranks) => ranks <= availableParallelism());
  test.each(numbers)(
    "goes on bit for bit on %i ranks, wherever SIGKILL met it",
    async (ranks) => {
      const folder = mkdtempSync(join(root, "cnn-"));
      writeFileSync(join(folder, "study.ts"), file);
      const words = (out: string) => ["run", "study.ts", "--no-figures", "--ranks", `${ranks}`, "--out", out];
      expect(await start(folder, words("whole")).ended).toMatchObject({ code: 0 });
      const expected = outcomes(join(folder, "whole"), "killed");
      expect(Object.values(expected).map(({ status }) => status)).toEqual(["completed"]);

      const checkpoints = join(folder, "torn/killed/checkpoints");
      const isAside = (name: string): boolean => name.endsWith(".aside");
      let [kills, torn] = [0, 0];
      let isDone = false;
      for (; kills < 8 && !isDone; kills++) {
        const running = start(folder, words("torn"));
        const before = newest(checkpoints);
        await waitFor(running, () => newest(checkpoints) !== before);
        // At any moment, or amid the writing of a checkpoint.
        if (kills % 2 === 0) await setTimeout(80 * uniformFromBits(randomBits(keyFromSeed(3), kills)));
        else await waitFor(running, () => namesIn(checkpoints).some(isAside));
        running.process.kill("SIGKILL");
        isDone = (await running.ended).code === 0;
        if (namesIn(checkpoints).some(isAside)) torn++;
        for (const name of namesIn(checkpoints).filter((one) => !isAside(one)))
          expect(readSafetensors(join(checkpoints, name)).tensors).toHaveProperty("step");
      }
      if (!isDone) expect(await start(folder, words("torn")).ended).toMatchObject({ code: 0 });
      expect(kills).toBeGreaterThan(3);
      expect(torn).toBeGreaterThan(0);
      expect(outcomes(join(folder, "torn"), "killed")).toEqual(expected);
      expect(readdirSync(checkpoints)).toEqual([]);
    },
    300_000,
  );
});
