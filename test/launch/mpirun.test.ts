/** Studies that this command line starts as several processes by mpirun: what they come to, signals, what is refused. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { checkFamily } from "../../src/launch/mpirun.js";
import { type Ended, slalom, start } from "../cli/cli.js";
import { launch, launchers } from "../collectives/worlds.js";
import { namesIn, newest, outcomes, waitFor } from "./outcomes.js";
import { processesIn } from "./support.js";

const root = mkdtempSync(join(tmpdir(), "slalom-mpirun-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));

const file = (batchSize: number): string => `
import { classificationProblem, momentum, perceptron, spirals, study } from "slalom";
export default study({
  name: "together",
  problem: classificationProblem({
    dataset: spirals({ classes: 3, count: 330, split: { validation: 60 } }),
    model: perceptron({ hidden: [24, 16], dropout: 0.2 }),
  }),
  optimizers: [momentum({ lr: [0.01, 0.05], momentum: 0.9 })],
  steps: 4000,
  batchSize: ${batchSize},
  evaluateEvery: 500,
  keepModel: true,
  checkpointEvery: { steps: 5 },
});
`;
writeFileSync(join(root, "study.ts"), file(32));
writeFileSync(join(root, "odd.ts"), file(25));

/** A loaded machine may take its time. */
const limitMs = 600_000;
const checkpoints = (out: string): string => join(root, out, "together/checkpoints");

describe.each(launchers)("by the mpirun of $title", ({ title, launcher, absence }) => {
  if (launcher === undefined) {
    test("is absent", ({ skip }) => skip(absence));
    return;
  }
  const words = (out: string, study = "study.ts"): string[] => [
    ...[
      "run",
      study,
      "--launcher",
      "mpirun",
      "--mpirun",
      launcher.command,
      "--ntasks",
      "2",
      "--oversubscribe",
    ],
    ...["--no-figures", "--out", `${title}-${out}`],
  ];
  const run = (out: string, study?: string): Promise<Ended> => start(root, words(out, study)).ended;
  const stored = (out: string) => outcomes(join(root, `${title}-${out}`), "together");

  let whole: ReturnType<typeof stored>;
  beforeAll(async () => {
    const main = new URL("../../dist/cli/main.js", import.meta.url).pathname;
    const line = ["run", "study.ts", "--no-figures", "--out", `${title}-whole`];
    const { code, text } = await launch(launcher, 2, [main, ...line], root).ended;
    expect(code, text).toBe(0);
    whole = stored("whole");
    expect(Object.values(whole).map(({ status }) => status)).toEqual(["completed", "completed"]);
  }, limitMs);

  test(
    "they train what processes that were started by hand train, and speak once",
    async () => {
      const { code, out, err } = await start(root, [...words("own"), "--json"]).ended;
      expect(code, err).toBe(0);
      expect(JSON.parse(out)).toMatchObject({ status: "completed", studies: [{ runsTrained: 2 }] });
      expect(err).toContain(", 2 ranks, 2 processes)");
      expect(stored("own")).toEqual(whole);
    },
    limitMs,
  );

  test.each([
    ["SIGUSR2", 75],
    ["SIGINT", 130],
  ] as const)(
    "%s keeps everything and ends with %i; the same command goes on bit for bit",
    async (signal, exitCode) => {
      const running = start(root, words(signal));
      await waitFor(running, () => newest(checkpoints(`${title}-${signal}`)) > 0);
      running.process.kill(signal);
      const { code, err } = await running.ended;
      expect(code, err).toBe(exitCode);
      expect(err).toContain(`Everything is kept in ${title}-${signal}; the same command goes on from there.`);
      expect(await run(signal)).toMatchObject({ code: 0 });
      expect(stored(signal)).toEqual(whole);
    },
    limitMs,
  );

  test.skipIf(process.platform !== "linux")(
    "one that is killed ends the other, and the same command goes on from the last checkpoint",
    async () => {
      const running = start(root, words("killed"));
      await waitFor(running, () => newest(checkpoints(`${title}-killed`)) > 0);
      const [second, ...more] = processesIn(root, ["OMPI_COMM_WORLD_RANK=1", "PMI_RANK=1"]);
      expect(more).toEqual([]);
      process.kill(second, "SIGKILL");
      const { code, out, err } = await running.ended;
      expect(code).not.toBe(0);
      expect(`${out}${err}`).toMatch(/signal 9 \(Killed\)|Killed \(signal 9\)/);
      while (processesIn(root, ["OMPI_COMM_WORLD_RANK=0", "PMI_RANK=0"]).length > 0)
        await new Promise((resolve) => setTimeout(resolve, 100));
      expect(await run("killed")).toMatchObject({ code: 0 });
      expect(stored("killed")).toEqual(whole);
    },
    limitMs,
  );

  test(
    "what can't be trained ends with its error",
    async () => {
      const { code, out, err } = await run("odd", "odd.ts");
      expect(code).not.toBe(0);
      expect(
        `${out}${err}`.match(/a batch of 25 examples on 2 ranks; expected a multiple of 2/g),
      ).toHaveLength(1);
    },
    limitMs,
  );
});

describe("is refused with what to do", () => {
  const refused = async (line: string, env: Readonly<Record<string, string>> = {}): Promise<string> => {
    const { code, out, err } = await slalom(root, `run study.ts --launcher ${line}`, env);
    expect(code).toBeGreaterThan(0);
    expect(out).toBe("");
    return err;
  };

  test(
    "an mpirun that is not there, or of no MPI; and what is missing or for others",
    async () => {
      expect(await refused("mpirun --ntasks 2 --mpirun nowhere")).toMatch(
        /^slalom: nowhere: there is no such program on the path; expected the mpirun of Open MPI or MPICH\. Install one: .*; or name yours: --mpirun\.\n$/,
      );
      expect(await refused("mpirun --ntasks 2 --mpirun true")).toMatch(
        /^slalom: true --version: received ".*", which is no MPI that Slalom knows; expected Open MPI, MPICH or/,
      );
      expect(await refused("mpirun")).toMatch(/--launcher mpirun needs --ntasks: how many processes/);
      expect(await refused("local --ntasks 2")).toMatch(/--ntasks needs --launcher mpirun or slurm/);
      expect(await refused("slurm --hostfile hosts")).toMatch(/--hostfile needs --launcher mpirun/);
      expect(
        await refused("mpirun --ntasks 2", { OMPI_COMM_WORLD_RANK: "0", OMPI_COMM_WORLD_SIZE: "4" }),
      ).toMatch(/--launcher mpirun: this process is one of 4 that train together already/);
    },
    limitMs,
  );

  test("an mpirun of another MPI than the libraries", () => {
    const openMpi = { title: "Open MPI", version: "4.1.4", family: "openmpi" } as const;
    const mpich = { title: "MPICH", version: "4.0.2", family: "mpich" } as const;
    expect(checkFamily("mpirun", openMpi, [mpich, openMpi])).toBe("openmpi");
    expect(() => checkFamily("mpirun", openMpi, [mpich])).toThrow(
      /^mpirun is of Open MPI 4\.1\.4, whose library does not load here \(MPICH 4\.0\.2 does\); expected both of one MPI\. Install the library: .*openmpi.*; or take the mpirun of the other: --mpirun\.$/,
    );
    expect(() => checkFamily("mpirun", openMpi, [])).toThrow(/does not load here; expected .*openmpi\)\.$/);
  });

  const launcher = launchers.find((one) => one.launcher)?.launcher;
  test.skipIf(launcher === undefined)(
    "too many ranks for the cores; a host file that is not there",
    async () => {
      const mpirun = `--mpirun ${launcher?.command}`;
      expect(await refused(`mpirun --ntasks 5000 --ranks 2 ${mpirun}`)).toMatch(
        /--ntasks 5000 --ranks 2: received 10000 ranks, and this machine gives \d+ cores?; expected at most one rank a core: .*\(--hostfile\), or --oversubscribe all the same\./,
      );
      expect(await refused(`mpirun --ntasks 2 ${mpirun} --hostfile nowhere`)).toMatch(
        /--hostfile nowhere: there is no such file; expected one with a machine in each line\./,
      );
    },
    limitMs,
  );

  test.skipIf(launcher === undefined)(
    "--dry-run prints the command and starts nothing",
    async () => {
      const line = `run study.ts --launcher mpirun --mpirun ${launcher?.command} --ntasks 5 --oversubscribe --steps 50 --dry-run --out dry`;
      const { code, out } = await slalom(root, line);
      expect(code).toBe(0);
      expect(out).toMatch(
        new RegExp(`^${launcher?.command} .*-np 5 \\S+ \\S+main\\.js run study\\.ts --steps 50 --out dry\n$`),
      );
      expect(namesIn(join(root, "dry"))).toEqual([]);
    },
    limitMs,
  );
});
