/** `slalom run --gradient-noise`: what is measured, stored and said, by micro-batches and by ranks. */
import { existsSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { temporaryFolder } from "../launch/support.js";
import { json, slalom } from "./cli.js";

const folder = temporaryFolder();
afterAll(() => folder.remove());

const file = (
  more: string,
): string => `import { classificationProblem, momentum, perceptron, spirals, study } from "slalom";
export default study({
  name: "noisy",
  problem: classificationProblem({ dataset: spirals({ count: 400 }), model: perceptron({ hidden: [12] }) }),
  optimizers: [momentum({ lr: [0.03, 0.1] })],
  batchSize: 40,
  epochs: 8,
  ${more}
});
`;
folder.file("noisy.ts", file(""));
folder.file("asking.ts", file("gradientNoise: true,"));

test.each([
  ["micro-batches", "--micro-batch 10", 1],
  ["the shares of two ranks", "--ranks 2 --workers 1", 2],
])("by %s", async (_, options, cores) => {
  if (cores > availableParallelism()) return;
  const name = `noisy-${cores}`;
  const { runs } = await json(folder.path, `run noisy.ts --gradient-noise ${options} --name ${name}`);
  expect(runs).toHaveLength(2);
  for (const { final } of runs) expect(final.gradientVariance).toBeGreaterThan(0);
  expect(existsSync(join(folder.path, "runs", name, "figures/gradient-noise.svg"))).toBe(true);
  const { out } = await slalom(folder.path, `show ${name}`);
  expect(out.replaceAll(/\s+/g, " ")).toMatch(
    /- Gradient noise scale at the best settings: Momentum ([\d,.]+ examples|too large to tell)/,
  );
});

test("whole batches of one rank are refused, with what would tell", async () => {
  const { code, err } = await slalom(folder.path, "run asking.ts --name whole");
  expect(code).not.toBe(0);
  expect(err).toContain("a microBatch of at most half of one, or several ranks.");
  const explained = await slalom(folder.path, "explain asking.ts");
  expect(explained.code).toBe(0);
});
