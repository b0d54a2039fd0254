/** What the launch scripts of the exercises share: a scheduler's signal reaches the training, which is queued again. */
import { spawn, spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
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

test.each([
  // Whoever sends it queues the job again, or has cancelled it.
  ["SIGTERM", ""],
  ["SIGUSR2", "requeue 42\n"],
] as const)(
  "%s ends the training with 75 and keeps it; Slurm is asked %j",
  async (signal, asked) => {
    const place = mkdtempSync(join(folder, "exercise-"));
    const commands = join(place, "bin");
    mkdirSync(commands);
    writeFileSync(join(place, "asked"), "");
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
    // As Slurm does, which signals every process of a job.
    for (const one of [child.pid!, ...childrenOf(child.pid!)]) process.kill(one, signal);
    expect(await ended).toBe(75);
    expect(readFileSync(join(place, "asked"), "utf8")).toBe(asked);
    expect(newest(join(place, "runs/launched/checkpoints"))).toBeGreaterThan(0);
  },
  60_000,
);

/** Where the system tells them. */
function childrenOf(pid: number): number[] {
  const path = `/proc/${pid}/task/${pid}/children`;
  return existsSync(path) ? readFileSync(path, "utf8").split(" ").filter(Boolean).map(Number) : [];
}

test.each([
  ["ex1-linear-model/launch_ex1.sh", "run exercises/ex1-linear-model/study.ts"],
  ["ex2-mnist/launch_ex2.sh", "run exercises/ex2-mnist/study.ts"],
  ["ex3-cnn/launch_ex3.sh", "run exercises/ex3-cnn/study.ts"],
  ["ex4-devices/launch_ex4.sh", "scale exercises/ex4-devices/study.ts"],
])("%s says from anywhere what it would do, and does nothing", (script, command) => {
  const { status, stdout, stderr } = spawnSync(
    "bash",
    [join(repository, "exercises", script), "--dry-run", "--out", join(folder, "dry")],
    { cwd: folder, encoding: "utf8" },
  );
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  expect(stdout).toContain(`would run: node dist/cli/main.js ${command}`);
  expect(stdout).toContain(join(folder, "dry"));
  expect(existsSync(join(folder, "dry"))).toBe(false);
});

test("the script of exercise 4 takes as many ranks as it is told, in powers of two", () => {
  const script = join(repository, "exercises/ex4-devices/launch_ex4.sh");
  const told = (...words: string[]) =>
    spawnSync("bash", [script, "--dry-run", ...words], { cwd: folder, encoding: "utf8" });
  expect(told("--ranks", "7").stdout).toContain("--mode strong --batch 50,500,5000 --ranks 1,2,4 --target");
  expect(told("--ranks", "1").stdout).toContain("Processes are not measured: one core is one rank.");
  expect(told("--rank", "2")).toMatchObject({ status: 2, stdout: "" });
  expect(told("--rank", "2").stderr).toContain(
    "--rank: unknown; expected --dry-run, --short, --out DIR or --ranks N.",
  );
});
