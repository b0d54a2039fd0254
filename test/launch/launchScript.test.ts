/** What the launch scripts of the exercises share: a scheduler's signal reaches the training, which is queued again. */
import { spawn } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, expect, test } from "vitest";
import { namesIn, newest } from "./outcomes.js";

const repository = fileURLToPath(new URL("../..", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "slalom-launch-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const study = `
import { classificationProblem, momentum, perceptron, spirals, study } from "slalom";
export default study({
  name: "launched",
  problem: classificationProblem({ dataset: spirals(), model: perceptron({ hidden: [64] }) }),
  optimizers: [momentum({ lr: 0.01, momentum: 0.9 })],
  steps: 3_000_000,
  batchSize: 32,
});
`;

test.each(["SIGTERM", "SIGUSR2"] as const)(
  "%s ends the training with 75, keeps it, and puts the job of Slurm back into the queue",
  async (signal) => {
    const place = mkdtempSync(join(folder, "exercise-"));
    const commands = join(place, "bin");
    mkdirSync(commands);
    writeFileSync(join(commands, "scontrol"), `#!/bin/sh\necho "$@" > "${join(place, "asked")}"\n`);
    chmodSync(join(commands, "scontrol"), 0o755);
    writeFileSync(join(place, "study.ts"), study);
    const script = `
      set -euo pipefail
      root=$PWD dry_run=0 studies=launched
      . exercises/environment.sh
      launch "${join(place, "study.ts")}" --no-figures --out "${join(place, "runs")}" --workers 1
    `;
    const child = spawn("bash", ["-c", script], {
      cwd: repository,
      env: { ...process.env, PATH: `${commands}:${process.env.PATH}`, SLURM_JOB_ID: "42" },
    });
    const ended = new Promise<number | null>((resolve) => child.on("close", resolve));
    const runs = join(place, "runs/launched/runs");
    while (namesIn(runs).length === 0 && child.exitCode === null)
      await new Promise((go) => setTimeout(go, 20));
    child.kill(signal);
    expect(await ended).toBe(75);
    expect(readFileSync(join(place, "asked"), "utf8")).toBe("requeue 42\n");
    expect(newest(join(place, "runs/launched/checkpoints"))).toBeGreaterThan(0);
  },
  60_000,
);
