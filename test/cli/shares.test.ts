/** Shares by hand, what would be trained, cores of a job, and how a study stands without any job. */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { afterAll, describe, expect, it, vi } from "vitest";
import { namesIn } from "../launch/outcomes.js";
import { smallStudy, temporaryFolder } from "../launch/support.js";
import { json, slalom, start } from "./cli.js";

// A busy machine may take its time for each of some commands.
vi.setConfig({ testTimeout: 300_000 });

const folder = temporaryFolder();
afterAll(() => folder.remove());
folder.file("small.ts", smallStudy);
folder.file(
  "two.ts",
  smallStudy.replace("export default study(", "const one = study(") +
    'export default [one, study({ ...one, name: "other", seeds: [0] })];\n',
);

describe("slalom run --share", () => {
  it("trains its share and leaves the rest; all shares are the study", async () => {
    const first = await slalom(folder.path, "run small.ts --share 1/2 --out shares");
    expect(first).toMatchObject({ code: 0 });
    expect(first.err).toMatch(/\nTrained 1 of 1 run in /);
    expect(first.out).toBe("Share 1 of 2. When all are trained: slalom figures shares/small\n");
    expect((await slalom(folder.path, "status small --out shares")).out).toMatch(
      /^small: 1 of 3 runs have results; 2 not begun\n/,
    );
    const foretold = await slalom(folder.path, "run small.ts --share 2/2 --out shares --dry-run");
    expect(foretold.out).toBe("small: would train 2 of 2 runs of share 2 of 2.\n");
    expect((await json(folder.path, "run small.ts --share 2/2 --out shares")).studies).toMatchObject([
      { name: "small", runsTotal: 2, runsTrained: 2 },
    ]);
    const whole = await json(folder.path, "run small.ts --out shares --no-figures");
    expect(whole.studies).toMatchObject([{ runsTotal: 3, runsTrained: 0, runsStoredBefore: 3 }]);
    expect((await slalom(folder.path, "status small.ts --out shares")).out).toBe(
      "small: 3 of 3 runs have results\n",
    );
  });

  it("needs a share that there is", async () => {
    for (const wrong of ["0/2", "3/2", "2", "1/0", "a/b"])
      expect((await slalom(folder.path, `run small.ts --share ${wrong}`)).err).toMatch(
        /Expected a share of so many, such as 2\/8/,
      );
    const both = await slalom(folder.path, "run small.ts --share 1/2 --fresh");
    expect(both).toMatchObject({ code: 2 });
    expect(both.err).toMatch(/--share and --fresh exclude each other/);
  });
});

it("slalom run --only trains one study of a file that has several; --dry-run counts what all of them lack", async () => {
  const one = await json(folder.path, "run two.ts --only other --out several --no-figures");
  expect(one.studies.map(({ name }) => name)).toEqual(["other"]);
  const { out } = await slalom(folder.path, "run two.ts --out several --dry-run");
  expect(out).toBe("small: would train 3 of 3 runs.\nother: would train 0 of 3 runs.\n");
  expect((await slalom(folder.path, "run two.ts --out several --dry-run --fresh")).out).toContain(
    "other: would train 3 of 3 runs.\n",
  );
  const unknown = await slalom(folder.path, "run two.ts --only othr");
  expect(unknown).toMatchObject({ code: 2 });
  expect(unknown.err).toMatch(/unknown study of two\.ts "othr"\. Did you mean "other"\?/);
});

it("options of jobs want a launcher of jobs, and --requeue a job", async () => {
  expect((await slalom(folder.path, "run small.ts --partition main")).err).toMatch(
    /--partition needs --launcher slurm/,
  );
  expect((await slalom(folder.path, "run small.ts --launcher pbs")).err).toMatch(
    /argument 'pbs' is invalid\. Allowed choices are local, mpirun, slurm/,
  );
  const requeue = await start(folder.path, ["run", "small.ts", "--requeue"], { SLURM_JOB_ID: "" }).ended;
  expect(requeue).toMatchObject({ code: 2 });
  expect(requeue.err).toMatch(/--requeue: this is no job of Slurm/);
});

it("a job takes the cores that it was given", async () => {
  const job = { SLURM_JOB_ID: "7", SLURM_CPUS_PER_TASK: "1", SLURM_CPUS_ON_NODE: "64" };
  const { code, err } = await slalom(folder.path, "run small.ts --workers 2 --out cores", job);
  expect(code).toBe(1);
  expect(err).toMatch(
    /2 workers were asked for, and this job of Slurm gives 1 core \(--cpus-per-task asks for more\);/,
  );
});

it("status and cancel name what there is, and need no scheduler where nothing was submitted", async () => {
  mkdirSync(join(folder.path, "empty"));
  expect((await slalom(folder.path, "status --out empty")).out).toMatch(/^empty holds no study yet\./);
  await slalom(folder.path, "run small.ts --out stored --no-figures");
  for (const which of ["", " small", " stored", " stored/small", " small.ts"])
    expect((await slalom(folder.path, `status${which} --out stored`)).out).toBe(
      "small: 3 of 3 runs have results\n",
    );
  expect((await slalom(folder.path, "cancel small --out stored")).out).toBe("small: no job waits or runs.\n");
  const unknown = await slalom(folder.path, "cancel smal --out stored");
  expect(unknown).toMatchObject({ code: 2 });
  expect(unknown.err).toMatch(/unknown study in stored "smal"\. Did you mean "small"\?/);
});

it.each(["SIGTERM", "SIGUSR2"] as const)(
  "%s again and again ends as once: everything is kept",
  async (signal) => {
    folder.file(
      "long.ts",
      smallStudy
        .replace('"small"', '"long"')
        .replace("steps: 50,", "steps: 2_000_000_000, recordEvery: 100_000_000,"),
    );
    const running = start(folder.path, ["run", "long.ts", "--out", signal]);
    while (namesIn(join(folder.path, signal, "long/runs")).length === 0 && running.process.exitCode === null)
      await setTimeout(20);
    for (let i = 0; i < 5; i++) {
      running.process.kill(signal);
      await setTimeout(1);
    }
    const { code, err } = await running.ended;
    expect(code).toBe(75);
    expect(err).toContain(`Everything is kept in ${signal}; the same command goes on from there.`);
    expect(namesIn(join(folder.path, signal, "long/checkpoints")).length).toBeGreaterThan(0);
  },
);
