/** Studies trained by several processes under mpirun: what they come to, and how they end. */
import type { ChildProcess } from "node:child_process";
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, test } from "vitest";
import type { Certificate } from "../../src/lab/certificate.js";
import { loadStudy, type TimeLedger, totalS } from "../../src/runs/index.js";
import { decode } from "../../src/runs/json.js";
import { start } from "../cli/cli.js";
import { type Launched, type Launcher, launch, launchers } from "../collectives/worlds.js";
import { namesIn, outcomes } from "./outcomes.js";

const root = mkdtempSync(join(tmpdir(), "slalom-processes-"));
const running: ChildProcess[] = [];
afterAll(() => {
  for (const process of running) process.kill("SIGKILL");
  rmSync(root, { recursive: true, force: true });
});

/** Dropout and two lanes, of which one diverges. */
const file = (steps: number): string => `
import { classificationProblem, momentum, perceptron, spirals, study } from "slalom";
export default study({
  name: "together",
  problem: classificationProblem({
    dataset: spirals({ classes: 3, count: 330, split: { validation: 60 } }),
    model: perceptron({ hidden: [60, 50], dropout: 0.2 }),
  }),
  optimizers: [momentum({ lr: [0.02, 1e6], momentum: 0.9 })],
  steps: ${steps},
  batchSize: 24,
  evaluateEvery: 20,
  keepModel: true,
});
`;

/** Ranks sum the statistics amid the forward pass. */
const normalized = `
import { activation, batchNorm, classificationProblem, dense, layersModel, sgd, spirals, study } from "slalom";
const synchronized = true;
export default study({
  name: "together",
  problem: classificationProblem({
    dataset: spirals({ classes: 3, count: 330, split: { validation: 60 } }),
    model: layersModel({
      name: "normalized",
      layers: (outputs) => [dense(20), batchNorm({ synchronized }), activation("relu"), dense(outputs)],
    }),
  }),
  optimizers: [sgd({ lr: 0.1 })],
  steps: 40,
  batchSize: 24,
});
`;

const main = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));

/** Starts `slalom ...` as so many processes. */
function together(launcher: Launcher, size: number, folder: string, line: string): Launched {
  const launched = launch(launcher, size, [main, ...line.split(" ")], folder);
  running.push(launched.process);
  return launched;
}

function folderWith(text: string): string {
  const folder = mkdtempSync(join(root, "study-"));
  writeFileSync(join(folder, "study.ts"), text);
  return folder;
}

/** Of each run its status, steps, and validation losses. */
const resultsOf = (store: string): { status: string; steps: number; losses: number[] }[] =>
  loadStudy(join(store, "together")).runs.map((run) => ({
    status: run.status,
    steps: run.summary!.stepsDone,
    losses: run.status === "completed" ? [...run.rows().curve("validationLoss").value] : [],
  }));

/** The process that writes the study's runs. */
const writerIn = (store: string): number => {
  const [run] = namesIn(join(store, "together/runs"));
  return JSON.parse(readFileSync(join(store, "together/runs", run, "run.json"), "utf8")).writer.pid;
};

const certificatesIn = (folder: string): Certificate[] =>
  namesIn(folder).map((name) => decode(readFileSync(join(folder, name), "utf8")) as Certificate);

/** Each rank says what it did; the first of each process sums with the others. */
function expectLedger({ wallS, ranks: all, slowest }: TimeLedger, processes: number, ranks: number): void {
  expect(all).toHaveLength(processes * ranks);
  for (const [rank, { accounts }] of all.entries()) {
    expect(totalS(accounts)).toBeCloseTo(wallS, 9);
    expect(accounts.forwardBackward).toBeGreaterThan(0);
    expect(accounts.allReduce > 0).toBe(rank % ranks === 0);
  }
  const computing = all.map(({ accounts }) => accounts.forwardBackward + accounts.update);
  expect(computing[slowest!]).toBe(Math.max(...computing));
}

describe.each(launchers)("$title", ({ launcher, absence }) => {
  if (launcher === undefined) {
    test("is absent", ({ skip }) => skip(absence));
    return;
  }

  test.each([
    [2, 1],
    [3, 1],
    [2, 2],
  ])(
    "%i processes, each with %i ranks, train what one rank trains, up to rounding",
    async (processes, ranks) => {
      if (ranks > availableParallelism()) return;
      const folder = folderWith(file(60));
      const one = start(folder, "run study.ts --no-figures --workers 1 --out alone".split(" "));
      expect((await one.ended).code).toBe(0);
      const line = `run study.ts --no-figures --ranks ${ranks} --out shared`;
      const { code, text } = await together(launcher, processes, folder, line).ended;
      expect(text).toContain(`${processes * ranks} ranks, ${processes} processes)`);
      expect(code).toBe(0);
      const [alone, shared] = ["alone", "shared"].map((store) => resultsOf(join(folder, store)));
      expect(alone.map(({ status }) => status)).toEqual(["completed", "diverged"]);
      expect(shared.map(({ losses: _, ...rest }) => rest)).toEqual(
        alone.map(({ losses: _, ...rest }) => rest),
      );
      expect(alone[0].losses.length).toBe(3);
      alone[0].losses.forEach((loss, i) => {
        expect(Math.abs(shared[0].losses[i] - loss)).toBeLessThan(1e-4 * loss);
      });
      for (const { summary } of loadStudy(join(folder, "shared/together")).runs)
        expectLedger(summary!.ledger!, processes, ranks);
    },
    120_000,
  );

  test("a study that is interrupted by SIGUSR2 goes on bit for bit", async () => {
    const folder = folderWith(file(6000));
    const line = (out: string): string => `run study.ts --no-figures --out ${out}`;
    expect((await together(launcher, 2, folder, line("whole")).ended).code).toBe(0);
    const world = together(launcher, 2, folder, line("torn"));
    while (namesIn(join(folder, "torn/together/runs")).length < 2) await setTimeout(20);
    await setTimeout(200);
    // Open MPI hands signals on to its processes; MPICH does not, so they reach rank 0 alone.
    if (launcher.title === "Open MPI") world.process.kill("SIGUSR2");
    else process.kill(writerIn(join(folder, "torn")), "SIGUSR2");
    const { text } = await world.ended;
    expect(text).toContain("Everything is kept in torn");
    expect(readdirSync(join(folder, "torn/together/checkpoints")).length).toBe(1);
    expect((await together(launcher, 2, folder, line("torn")).ended).code).toBe(0);
    expect(outcomes(join(folder, "torn"), "together")).toEqual(outcomes(join(folder, "whole"), "together"));
  }, 120_000);

  test("what is stored already is not trained again, and all processes end", async () => {
    const folder = folderWith(file(40));
    const line = "run study.ts --no-figures --out kept";
    expect((await together(launcher, 2, folder, line).ended).code).toBe(0);
    const { code, text } = await together(launcher, 2, folder, line).ended;
    expect(code).toBe(0);
    expect(text).toContain("All 2 runs are stored already: nothing to train");
  }, 60_000);

  test("a study that can't be trained ends all of them with its error, once", async () => {
    const folder = folderWith(file(40));
    const { code, text } = await together(launcher, 5, folder, "run study.ts --no-figures --out kept").ended;
    expect(code).not.toBe(0);
    expect(text.match(/a batch of 24 examples on 5 ranks; expected a multiple of 5/g)?.length).toBe(1);
  }, 60_000);

  test.skipIf(launcher.title !== "Open MPI")(
    "processes that are bound to a core are told how to be free",
    async () => {
      const bound = { ...launcher, words: ["--oversubscribe", "--bind-to", "core:overload-allowed"] };
      const launched = launch(
        bound,
        2,
        [main, ..."run study.ts --ranks 2 --out kept".split(" ")],
        folderWith(file(40)),
      );
      running.push(launched.process);
      const { code, text } = await launched.ended;
      expect(code).not.toBe(0);
      expect(text).toMatch(
        /1 worker of 2 ranks were asked for, and this process may use 1 core; expected .* mpirun --bind-to none\./,
      );
    },
    120_000,
  );

  /** Two processes that were told different things, or are different programs. */
  const mixed = (folder: string, first: readonly string[], second: readonly string[]) => {
    const launched = launch(launcher, 1, [...first, ":", "-np", "1", process.execPath, ...second], folder);
    running.push(launched.process);
    return launched.ended;
  };

  test("one that was given another study, or another library, is named, and all end", async () => {
    const folder = folderWith(file(40));
    const line = [main, ..."run study.ts --no-figures --out kept".split(" ")];
    const { code, text } = await mixed(folder, line, [main, "run", "other.ts", "--gemm", "wasm"]);
    expect(code).not.toBe(0);
    expect(text).toMatch(
      /2 processes train together: rank 1 \(process \d+ on node \S+\) differs from rank 0 \(.*\), which has command run study\.ts --no-figures --out kept, and run other\.ts --gemm wasm there/,
    );
    expect(text.match(/Expected the same of all: start them by one command/g)).toHaveLength(1);
    expect(namesIn(join(folder, "kept/together/runs"))).toEqual([]);
  }, 120_000);

  test("one of another version is named, and all end", async () => {
    const folder = folderWith(file(40));
    const other = mkdtempSync(join(root, "version-"));
    const own = fileURLToPath(new URL("../..", import.meta.url));
    cpSync(join(own, "dist"), join(other, "dist"), { recursive: true });
    symlinkSync(join(own, "node_modules"), join(other, "node_modules"));
    const description = JSON.parse(readFileSync(join(own, "package.json"), "utf8"));
    writeFileSync(join(other, "package.json"), JSON.stringify({ ...description, version: "99.0.0" }));
    const words = "run study.ts --no-figures --out kept".split(" ");
    const { code, text } = await mixed(folder, [main, ...words], [join(other, "dist/cli/main.js"), ...words]);
    expect(code).not.toBe(0);
    expect(text).toMatch(
      /differs from rank 0 \(.*\), which has Slalom [\d.]+\S*, and 99\.0\.0 there\. Expected/,
    );
  }, 120_000);

  test.each([
    ["a perceptron", file(40)],
    ["batch statistics of all of them", normalized],
  ])(
    "they are certified, and the certificate is kept: %s",
    async (_, text) => {
      const folder = folderWith(text);
      const line = "certify study.ts --steps 20 --out kept";
      const { code, text: told } = await together(launcher, 2, folder, line).ended;
      expect(code).toBe(0);
      expect(told).toContain("PASSED: 2 ranks in 2 processes train what one rank trains");
      const [certificate, ...others] = certificatesIn(join(folder, "kept/together/certificates"));
      expect(others).toEqual([]);
      expect(certificate).toMatchObject({ ranks: 2, processes: 2, batchSize: 24, steps: 20, passed: true });
      expect(certificate.against).toBe("whole batches");
      expect(certificate.examplesPerRank).toBe(240);
    },
    60_000,
  );
});
