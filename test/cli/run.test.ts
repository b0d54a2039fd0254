import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { StudyMemory } from "../../src/lab/index.js";
import { smallStudy, temporaryFolder } from "../launch/support.js";
import { type Ended, json, slalom, start } from "./cli.js";

const folder = temporaryFolder();
afterAll(() => folder.remove());

// biome-ignore lint/suspicious/noControlCharactersInRegex: escape codes are what it looks for
const escapeCode = /\x1b/;

describe("slalom run and what reads its store", () => {
  let first: Ended;
  beforeAll(async () => {
    folder.file("small.ts", smallStudy);
    first = await slalom(folder.path, "run small.ts");
  });

  it("trains a user's study in a folder without node_modules, summarises and draws it", () => {
    expect(first).toMatchObject({ code: 0 });
    expect(first.err).toMatch(/^linear regression\n3 runs · 2 optimizers · 1 seed · 50 steps · cpu \(/);
    expect(first.err).toMatch(/\n1 worker takes about [\d.]+ [kM]B; [\d.]+ [MGT]B are available \(\w/);
    expect(first.err).toMatch(/\nTrained 3 of 3 runs in /);
    expect(first.out).toMatch(/^linear regression\n/);
    expect(first.out).toContain("Best settings");
    expect(first.out).toMatch(/\d+ figures and the page runs\/small\/report\.html\n$/);
    expect(readFileSync(join(folder.path, "runs/small/report.html"), "utf8")).toMatch(/^<!doctype html>/i);
    expect(first.out + first.err).not.toMatch(escapeCode);
  });

  it("repeats nothing: a second time, with or without --resume, all is stored", async () => {
    const summaries = () =>
      readdirSync(join(folder.path, "runs/small/runs")).map((run) => {
        const path = join(folder.path, "runs/small/runs", run, "summary.json");
        return [run, statSync(path).mtimeMs, readFileSync(path, "utf8")];
      });
    const before = summaries();
    const again = await slalom(folder.path, "run small.ts --resume --no-figures");
    expect(again.err).toContain("All 3 runs are stored already: nothing to train.");
    const result = await json(folder.path, "run small.ts --no-figures");
    expect(result.studies).toMatchObject([{ name: "small", runsTrained: 0, runsStoredBefore: 3 }]);
    expect(result.runs.map(({ status }) => status)).toEqual(["completed", "completed", "completed"]);
    expect(summaries()).toEqual(before);
  });

  it("refuses another question under the same name, and --fresh starts anew", async () => {
    const other = await slalom(folder.path, "run small.ts --steps 60");
    expect(other).toMatchObject({ code: 1, out: "" });
    expect(other.err).toMatch(
      /study "small" is stored with other settings: steps is 50 there and 60 here\. Choose another name/,
    );
    const named = await json(
      folder.path,
      "run small.ts --steps 60 --name sixty --no-figures --backend reference",
    );
    expect(named.runs.map(({ stepsDone }) => stepsDone)).toEqual([60, 60, 60]);
    const fresh = await json(folder.path, "run small.ts --steps 61 --name sixty --fresh --no-figures");
    expect(fresh.studies).toMatchObject([{ runsTrained: 3, runsStoredBefore: 0 }]);
  });

  it("stores the same numbers as a run by itself, and prints them as JSON alone", async () => {
    folder.file("loud.ts", `console.log("loud");\n${smallStudy.replace('"small"', '"loud"')}`);
    const { runs, studies } = await json(folder.path, "run loud.ts");
    const sgd = runs.find(({ configuration }) => configuration.hyperparameters.lr === 0.02);
    const [alone] = (
      await json(folder.path, "train linear-regression -O sgd -s lr=0.02 --steps 50 --dtype float64")
    ).runs;
    expect(sgd?.final).toEqual(alone.final);
    expect(sgd?.parameters).toEqual(alone.parameters);
    expect(sgd).toMatchObject({
      study: "loud",
      seed: 0,
      status: "completed",
      targets: [{ metric: "trainLoss" }],
    });
    expect(existsSync(studies[0].html!)).toBe(false);
    expect(existsSync(join(folder.path, studies[0].html!))).toBe(true);
  });

  it("compiles with --backend null and stores nothing", async () => {
    const { code, out } = await slalom(folder.path, "run small.ts --backend null --name dry");
    expect({ code, out }).toEqual({
      code: 0,
      out: "dry: the programs of its 3 runs compile; nothing was trained or stored.\n",
    });
    expect(existsSync(join(folder.path, "runs/dry"))).toBe(false);
  });

  it("list, show, compare and figures read the store, for people and as JSON", async () => {
    expect((await slalom(folder.path, "list")).out).toMatch(
      /^small +linear-regression +3\/3 +complete +\d{4}-/m,
    );
    expect((await json(folder.path, "list")).studies.map(({ name }) => name)).toContain("small");

    const show = await slalom(folder.path, "show small --runs");
    expect(show.out).toContain("Best settings");
    expect(show.out).toMatch(/^Gradient descent +0\.02 +0 +completed +50 /m);
    expect((await json(folder.path, "show runs/small")).runs).toHaveLength(3);
    expect((await json(folder.path, "show small.ts --rows")).runs[0].rows?.trainLoss.value[0]).toBeCloseTo(
      23.66,
      12,
    );

    const compared = (await json(folder.path, "compare small adam sgd")) as unknown as {
      comparisons: { first: string; second: string; verdict: string }[];
      optimizers: { name: string; hyperparameters: { lr: number } }[];
    };
    expect(compared.comparisons).toMatchObject([{ first: "Adam", second: "Gradient descent" }]);
    expect((await slalom(folder.path, "compare small")).out).toMatch(
      /^(Adam|Gradient descent) is better than /m,
    );
    expect((await slalom(folder.path, "compare small adm sgd")).err).toMatch(
      /unknown optimizer of the study "adm"/,
    );

    const drawn = (await json(folder.path, "figures small")) as unknown as {
      html: string;
      figures: { svg: string; png: string }[];
    };
    for (const path of [drawn.html, ...drawn.figures.flatMap(({ svg, png }) => [svg, png])]) {
      expect(existsSync(join(folder.path, path)), path).toBe(true);
    }
  });

  it("explain counts what a step does", async () => {
    const { out } = await slalom(folder.path, "explain small.ts --graph");
    expect(out).toMatch(/graph of "step":\n[\s\S]*parameter\/W <- /);
    expect(out).toMatch(/entry "step": \d+ kernels?\n/);
    expect(out).toContain("--optimizer adam");
    const softmax = (await json(folder.path, "explain mnist-softmax")) as unknown as {
      entries: { name: string; kernels: { kind: string; flops: number; shape: string }[] }[];
      peaks: { gemmGflops: number };
      memory: StudyMemory;
    };
    const step = softmax.entries.find(({ name }) => name === "step");
    // Forward [100,784] x [784,10], and the gradient of the weights.
    const products = step?.kernels.filter(({ kind }) => kind === "gemm").map(({ flops }) => flops);
    expect(products).toEqual([2 * 100 * 784 * 10, 2 * 100 * 784 * 10]);
    expect(softmax.peaks.gemmGflops).toBeGreaterThan(0);
    expect(out).toMatch(
      /\n {2}parameters +128 B\n[\s\S]*\nthe program, 2 lanes +[\d.]+ kB\n[\s\S]*\navailable \(\w/,
    );
    // 784 weights and a bias for each of 10 classes; 70,000 images and labels of a byte, in the program and as loaded.
    expect(softmax.memory).toMatchObject({ lanes: 1, ranks: 1, workers: 1, loadedDataBytes: 70_000 * 785 });
    expect(softmax.memory.program[0]).toEqual({ what: "parameters", bytes: 31_360 + 64 });
    expect(softmax.memory.programDataBytes).toBeGreaterThanOrEqual(70_000 * 785);
  });

  it("refuses what does not fit into memory before training, with the figures; explain shows them all the same", async () => {
    // A Node process has more than that already.
    const job = { SLURM_MEM_PER_NODE: "20" };
    folder.file("large.ts", smallStudy.replace('"small"', '"large"'));
    const { code, err } = await slalom(folder.path, "run large.ts --no-figures", job);
    expect(code).toBe(1);
    expect(err).toMatch(
      /study "large": 1 worker takes [\d.]+ kB of memory, and 0 B are available \(Slurm job\)/,
    );
    expect(err).toMatch(/\n {2}slots of the optimizer +\d+ B\n/);
    expect(err).not.toContain("    at ");
    expect(readdirSync(join(folder.path, "runs/large/runs"))).toEqual([]);
    const explained = await slalom(folder.path, "explain large.ts", job);
    expect(explained).toMatchObject({ code: 0 });
    expect(explained.out).toMatch(/\navailable \(Slurm job\) +0 B\n/);
  });

  it("colours its output only where it is asked to, or on a terminal", async () => {
    expect((await slalom(folder.path, "show small", { FORCE_COLOR: "1" })).out).toMatch(escapeCode);
    expect((await slalom(folder.path, "show small", { FORCE_COLOR: "1", NO_COLOR: "1" })).out).not.toMatch(
      escapeCode,
    );
  });
});

describe("Ctrl-C", () => {
  // The first optimizer diverges at once, the second takes seconds.
  const twoPaces = `import { linearRegression, momentum, sgd, study } from "slalom";
export default study({
  name: "paces",
  problem: linearRegression(),
  optimizers: [sgd({ lr: [0.5, 1, 2] }), momentum({ lr: 0.01 })],
  steps: 4_000_000,
  recordEvery: 1_000_000,
});
`;
  const results = (root: string): string[] => {
    const runs = join(folder.path, root, "paces/runs");
    if (!existsSync(runs)) return [];
    return readdirSync(runs).filter((run) => existsSync(join(runs, run, "summary.json")));
  };
  const interrupted = async (words: string[], root: string) => {
    const running = start(folder.path, words);
    const begun = (): number => readdirSync(join(folder.path, root, "paces/runs")).length;
    while ((results(root).length < 3 || begun() < 4) && running.process.exitCode === null)
      await setTimeout(10);
    running.process.kill("SIGINT");
    return running.ended;
  };

  it("keeps what was done, ends with 130, and the next run repeats none of it", async () => {
    folder.file("paces.ts", twoPaces);
    const { code, err } = await interrupted(["run", "paces.ts", "--workers", "1", "--out", "a"], "a");
    expect(code).toBe(130);
    expect(err).toContain("Stopping after the present steps.");
    expect(err).toMatch(/Everything is kept in a; the same command goes on from there\.\n$/);
    const kept = (await json(folder.path, "show paces --out a")).runs;
    expect(kept.filter(({ status }) => status === "diverged")).toHaveLength(3);
    expect(kept.filter(({ status }) => status === "interrupted")).toHaveLength(1);

    const rest = await json(folder.path, "run paces.ts --resume --no-figures --out a");
    expect(rest.studies).toMatchObject([{ runsTrained: 1, runsStoredBefore: 3 }]);
    expect(rest.runs.find(({ configuration }) => configuration.optimizer === "momentum")).toMatchObject({
      status: "completed",
      stepsDone: 4_000_000,
    });
  });

  it("prints JSON that says so", async () => {
    folder.file("paces.ts", twoPaces);
    const { code, out } = await interrupted(
      ["run", "paces.ts", "--workers", "1", "--out", "b", "--json"],
      "b",
    );
    expect(code).toBe(130);
    const result = JSON.parse(out) as { status: string; runs: { status: string }[] };
    expect(result.status).toBe("interrupted");
    expect(result.runs.map(({ status }) => status).sort()).toEqual([
      "diverged",
      "diverged",
      "diverged",
      "interrupted",
    ]);
  });
});
