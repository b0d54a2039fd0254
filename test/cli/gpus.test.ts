/** Runs of a study divided over the GPUs of a machine, a worker for each. The GPUs are fakes that compute as the CPU does. */
import { mkdtempSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, it, vi } from "vitest";
import { loadStudy } from "../../src/runs/index.js";
import { namesIn, waitFor } from "../launch/outcomes.js";
import { temporaryFolder } from "../launch/support.js";
import { type Running, slalom, start } from "./cli.js";

// A busy machine may take its time for each of some commands.
vi.setConfig({ testTimeout: 300_000 });

const folder = temporaryFolder();
afterAll(() => folder.remove());

/** Eight runs, four of an optimizer each; a checkpoint after every call. */
const grid = (name: string, steps: number): string => `
import { linearRegression, momentum, sgd, study } from "slalom";

export default study({
  name: "${name}",
  problem: linearRegression(),
  optimizers: [
    sgd({ lr: [0.001, 0.002, 0.01, 0.02] }),
    momentum({ lr: [0.01, 0.02], momentum: [0.3, 0.6] }),
  ],
  steps: ${steps},
  recordEvery: ${Math.min(steps / 10, 100_000_000)},
  checkpointEvery: { steps: 1 },
});
`;
folder.file("grid.ts", grid("grid", 20_000));
folder.file("long.ts", grid("long", 2_000_000_000));

interface OnGpus extends Running {
  /** Numbers of the GPUs that compiled a program so far, and the programs of each. */
  programs(): Readonly<Record<string, readonly string[]>>;
}

/** Starts `slalom run ... --backend cuda` on a machine of four GPUs, one of which may have a fault. */
function onGpus(line: string, fault = ""): OnGpus {
  const log = mkdtempSync(join(folder.path, "log-"));
  const running = start(folder.path, [...line.split(" "), "--backend", "cuda"], {
    NODE_OPTIONS: `--import ${new URL("../launch/fakeGpus.mjs", import.meta.url).href}`,
    FAKE_GPUS: "4",
    FAKE_GPU_LOG: log,
    FAKE_GPU_FAULT: fault,
  });
  const programs = () =>
    Object.fromEntries(
      namesIn(log)
        .filter((name) => /^\d+$/.test(name))
        .map((gpu) => [gpu, readFileSync(join(log, gpu), "utf8").trimEnd().split("\n")]),
    );
  return { ...running, programs };
}

/** What every run came to, and every loss on the way. */
const curves = (out: string): object =>
  Object.fromEntries(
    loadStudy(join(folder.path, out, "grid")).runs.map(({ id, status, summary, rows }) => {
      const { step, value } = rows().curve("trainLoss");
      return [id, { status, parameters: summary!.parameters, steps: [...step], losses: [...value] }];
    }),
  );

describe("slalom run --backend cuda --devices ... --ranks 1", () => {
  it("trains a run on each GPU at a time; one that is killed goes on with the same command, bit for bit", async () => {
    const alone = onGpus("run grid.ts --out alone --no-figures");
    const { code, err } = await alone.ended;
    expect(code, err).toBe(0);
    expect(err).toContain(" · cuda (Fake GPU, 1 ranks) · 1 worker\n");
    expect(Object.keys(alone.programs())).toEqual(["0"]);

    const command = "run grid.ts --devices 3,1 --ranks 1 --out divided";
    const killed = onGpus(command, "1:killed");
    await killed.ended;
    expect(killed.process.signalCode).toBe("SIGKILL");
    const whole = onGpus(command);
    const ended = await whole.ended;
    expect(ended.code, ended.err).toBe(0);
    expect(ended.err).toContain(" · cuda (Fake GPU, 1 ranks) · 2 workers on GPUs 3, 1\n");
    expect(ended.err).toMatch(/; programs take [\d.]+ kB of the 2\.00 GB that are free on the devices\n/);
    expect(ended.err).toMatch(/\nTrained \d of 8 runs in /);
    expect(ended.out).toMatch(/\d+ figures and the page divided\/grid\/report\.html\n$/);
    // Lanes as on one GPU: those of an optimizer together.
    expect(Object.values(killed.programs()).flat().sort()).toEqual([
      "linear-regression momentum x4",
      "linear-regression sgd x4",
    ]);
    expect(Object.keys(killed.programs())).toEqual(["1", "3"]);
    const expected = curves("alone");
    expect(Object.values(expected).map(({ status }) => status)).toEqual(Array(8).fill("completed"));
    expect(curves("divided")).toEqual(expected);
  });

  it("names the GPU that fails, keeps what the others did, and ends all by one signal", async () => {
    const command = "run long.ts --devices 0,2 --ranks 1 --out long";
    const failing = await onGpus(command, "2:fails").ended;
    expect(failing.code).toBe(1);
    expect(failing.err).toMatch(
      /\nslalom: study "long", Momentum, seed 0 \(4 runs\), on GPU 2: an illegal memory access was encountered\n$/,
    );
    expect((await slalom(folder.path, "status --out long")).out).toMatch(
      /^long: 0 of 8 runs have results; 4 failed, 4 interrupted\n/,
    );
    expect(namesIn(join(folder.path, "long/long/checkpoints"))).toHaveLength(2);

    const again = onGpus(command);
    await waitFor(again, () => Object.keys(again.programs()).length === 2);
    again.process.kill("SIGINT");
    const { code, err } = await again.ended;
    expect(code, err).toBe(130);
    expect(err).toContain("Everything is kept in long; the same command goes on from there.");
    expect(namesIn(join(folder.path, "long/long/checkpoints"))).toHaveLength(2);
  });

  it("takes ranks and workers together, and says what a study on several GPUs is missing", async () => {
    const said = async (line: string): Promise<string> => (await onGpus(`run grid.ts ${line}`).ended).err;
    expect(await said("--devices 0,1 --workers 4 --steps 100 --name turns --no-figures")).toContain(
      " · 4 workers on GPUs 0, 1\n",
    );
    expect(await said("--devices 2,3 --workers 1 --steps 100 --name pair --no-figures")).toContain(
      " · cuda (Fake GPU, 2 ranks) · 1 worker\n",
    );
    expect(await said("--devices 2,3 --steps 100 --name hint --no-figures")).toContain(
      " · cuda (Fake GPU, 2 ranks), each run on all of them (--ranks 1: a run on each) · 1 worker\n",
    );
    expect(await said("--devices 0,1,2 --ranks 2")).toBe(
      "slalom: cuda: received 3 GPUs for trainings of 2 ranks each; expected a multiple of 2. Name as many (--devices).\n",
    );
    expect(await said("--devices 0,4 --ranks 1")).toMatch(
      /^slalom: cuda: received device 4, and 4 GPUs are visible; expected 0 to 3\./,
    );
  });
});
