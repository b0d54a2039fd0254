/** What the launch scripts of the exercises share: a scheduler's signal reaches the training, which is queued again. */
import { spawn, spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, test } from "vitest";
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

describe("the script of exercise 4", () => {
  const script = join(repository, "exercises/ex4-devices/launch_ex4.sh");
  const told = (words: string, env: Readonly<Record<string, string>> = {}) =>
    spawnSync("bash", [script, "--dry-run", ...words.split(" ")], {
      cwd: folder,
      encoding: "utf8",
      env: { ...process.env, ...env },
    });
  /** A folder for the path, with a program that prints this. */
  const program = (name: string, text: string): string => {
    const place = mkdtempSync(join(folder, "bin-"));
    writeFileSync(join(place, name), `#!/bin/sh\nprintf '%s\\n' ${text}\n`);
    chmodSync(join(place, name), 0o755);
    return `${place}:${process.env.PATH}`;
  };

  test("takes as many ranks as it is told, in powers of two, and batches that they divide", () => {
    const { stdout } = told("--ranks 7");
    expect(stdout).toContain("--mode strong --batch 52,500,5000 --ranks 1,2,4 --target");
    expect(stdout).toContain("--mode weak --batch 50,500,2500 --ranks 1,2,4 --out");
    expect(stdout).toMatch(/--only ex4-batch-50 --ranks 2 .*\n.*--only ex4-batch-500 --ranks 4 /);
    expect(told("--ranks 1").stdout).toContain("Processes are not measured: one core is one rank.");
    expect(told("--rank 2")).toMatchObject({ status: 2, stdout: "" });
    expect(told("--rank 2").stderr).toContain(
      "--rank: unknown; expected --dry-run, --short, --out DIR, --ranks N or --gpus N.",
    );
  });

  const gpus = (count: number): string =>
    program(
      "nvidia-smi",
      Array.from({ length: count }, (_, i) => `'GPU ${i}: Fake (UUID: GPU-${i})'`).join(" ") || "''",
    );

  test("does on the GPUs that are here what it does on cores, and forecasts more", () => {
    const one = told("--ranks 1", { PATH: gpus(1) }).stdout;
    expect(one).toMatch(
      /scale \S+study\.ts --steps 10 --backend cuda --forecast 2,4,8 --link nvlink --mode strong --batch 50,500,5000 --ranks 1 --target 0\.98 --rule kept,linear,sqrt --out \S+\/gpus\n/,
    );
    expect(one).toMatch(/--only ex4-batch-500 --backend cuda --ranks 1 --workers 1 --out \S+\/gpus-1\n/);
    expect(one).not.toContain("gpu-processes");
    const four = told("--ranks 1", { PATH: gpus(4) }).stdout;
    expect(four).toContain("--mode weak --batch 50,500,2500 --ranks 1,2,4 --out");
    expect(four).toMatch(/--only ex4-batch-5000 --backend cuda --ranks 4 --workers 1 --out \S+\/gpus\n/);
    const some = told("--ranks 1", { PATH: gpus(4), CUDA_VISIBLE_DEVICES: "2,3" }).stdout;
    expect(some).toContain("--ranks 1,2 --target");
    const none = told("--ranks 1", { PATH: gpus(4), CUDA_VISIBLE_DEVICES: "-1" }).stdout;
    expect(none).toContain("GPUs are not measured: none can be used here.");
    expect(none).not.toContain("cuda");
  });

  test("asks Slurm for GPUs that are not here, or ends where there is none", () => {
    const submits = told("--short --gpus 4", { PATH: program("sbatch", "42"), CUDA_VISIBLE_DEVICES: "" });
    expect(submits.stdout).toMatch(
      /would run: sbatch --gres=gpu:4 \S+launch_ex4\.sh --short --gpus 4\nThe job:\n/,
    );
    expect(submits.stdout).toContain("--backend cuda");
    const lacking = spawnSync("bash", [script, "--gpus", "2"], {
      cwd: folder,
      encoding: "utf8",
      env: { ...process.env, CUDA_VISIBLE_DEVICES: "", SLURM_JOB_ID: "42", SLURM_SUBMIT_DIR: repository },
    });
    expect(lacking).toMatchObject({ status: 1, stdout: "" });
    expect(lacking.stderr).toMatch(
      /^2 GPUs were asked for, and 0 can be used here; expected at most as many\./,
    );
  });
});
