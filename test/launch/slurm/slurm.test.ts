/** Studies as jobs of a real Slurm: an array and the job after it, preemption, the end of a job's time. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { loadStudy } from "../../../src/runs/index.js";
import { type Ended, start } from "../../cli/cli.js";
import { namesIn, newest, outcomes } from "../outcomes.js";
import { smallStudy, temporaryFolder } from "../support.js";
import { type Cluster, lacking, startCluster, until } from "./cluster.js";

/** Generous: the machine may be busy, and Slurm looks at its queue every few seconds. */
const limitMs = 1_800_000;

/** One network, long enough to be met in training, that keeps what it has learned; a checkpoint after every call. */
const longStudy = (steps: number): string => `
import { classificationProblem, momentum, perceptron, spirals, study } from "slalom";
export default study({
  name: "long",
  problem: classificationProblem({
    dataset: spirals({ classes: 3, count: 330, split: { validation: 60 } }),
    model: perceptron({ hidden: [24, 16], dropout: 0.2 }),
  }),
  optimizers: [momentum({ lr: [0.01, 0.05], momentum: 0.9 })],
  steps: ${steps},
  batchSize: 32,
  evaluateEvery: 500,
  keepModel: true,
  checkpointEvery: { steps: 5 },
});
`;

describe.skipIf(lacking !== undefined)(`on a cluster of Slurm${lacking ? ` (${lacking})` : ""}`, () => {
  let cluster: Cluster;
  beforeAll(async () => {
    cluster = await startCluster();
  }, limitMs);
  afterAll(() => cluster?.stop(), limitMs);

  const folders: ReturnType<typeof temporaryFolder>[] = [];
  afterAll(() => {
    for (const folder of folders) folder.remove();
  });
  /** A folder with a study, in a place that needs quoting. */
  const place = (text: string): string => {
    const folder = temporaryFolder();
    folders.push(folder);
    const path = join(folder.path, `it's "50%" & $more é`);
    mkdirSync(path);
    writeFileSync(join(path, "study one.ts"), text);
    return path;
  };
  const slalom = (path: string, ...words: string[]): Promise<Ended> => start(path, words, cluster.env).ended;
  const succeed = async (path: string, ...words: string[]): Promise<string> => {
    const ended = await slalom(path, ...words);
    expect(ended, `${words.join(" ")}\n${ended.err}`).toMatchObject({ code: 0 });
    return ended.out;
  };
  const submit = (path: string, ...words: string[]): Promise<string> =>
    succeed(path, "run", "study one.ts", "--launcher", "slurm", ...words);

  interface Told {
    readonly studies: readonly {
      readonly runsTotal: number;
      readonly runs: Readonly<Record<string, number>>;
      readonly jobs: readonly {
        job: string;
        state: string;
        active: boolean;
        restarts: number;
        log: string;
      }[];
    }[];
  }
  const status = async (path: string, which = "runs"): Promise<Told["studies"][number]> =>
    (JSON.parse(await succeed(path, "status", which, "--json")) as Told).studies[0];
  const stateOf = (job: string): string =>
    cluster.slurm("squeue", "--noheader", "--states=all", `--jobs=${job}`, "--Format=State:20");
  const idsIn = (text: string): { array: string; report: string } => {
    const [, array, report] = /, (\d+)_\[.*then (\d+) completes/.exec(text) ?? [];
    return { array, report };
  };

  test(
    "an array trains the runs that a run here would, and the job after it draws",
    async () => {
      const path = place(smallStudy.replace("sgd({ lr: [0.01, 0.02] })", "sgd({ lr: [0.01, 0.02, 1000] })"));
      await succeed(path, "run", "study one.ts", "--out", "here", "--no-figures");
      const told = await submit(path, "--shares", "3", "--gpus", "1", "--mem", "300M", "--time", "10");
      expect(told).toMatch(/^small: 4 runs in 3 jobs, \d+_\[1-3\]; then \d+ completes and draws\.\n/);
      const { array, report } = idsIn(told);
      expect(cluster.slurm("scontrol", "show", "job", report)).toMatch(
        new RegExp(`Dependency=afterany:${array}_\\*|JobState=(RUNNING|COMPLETED)`),
      );
      // What is queued or was trained by then is not submitted again.
      expect(await submit(path)).toMatch(/^small: (what is missing is queued|all 4 runs are stored) already/);
      await until(() => stateOf(report).includes("COMPLETED"));

      const results = (store: string) =>
        loadStudy(join(path, store, "small")).runs.map(({ id, status, summary }) => ({
          id,
          status,
          final: summary?.final,
          parameters: summary?.parameters,
        }));
      expect(results("runs")).toEqual(results("here"));
      expect(results("runs").filter((run) => run.status === "diverged")).toHaveLength(1);
      expect(readFileSync(join(path, "runs/small/report.html"), "utf8")).toMatch(/^<!doctype html>/i);
      const now = await status(path);
      expect(now).toMatchObject({ runsTotal: 4, runs: { completed: 3, diverged: 1, missing: 0 } });
      expect(now.jobs.map(({ state }) => state)).toEqual([
        "COMPLETED",
        "COMPLETED",
        "COMPLETED",
        "COMPLETED",
      ]);
      expect(readFileSync(join(path, now.jobs[0].log), "utf8")).toMatch(/Share 1 of 3\./);
      const [submission] = namesIn(join(path, "runs/small/jobs"));
      expect(namesIn(join(path, "runs/small/jobs", submission)).sort()).toEqual([
        ...["job.json", "report.log", "report.sh", "train-1.log", "train-2.log", "train-3.log", "train.sh"],
      ]);
      expect(await succeed(path, "status", "small")).toContain(
        "Everything is trained: runs/small/report.html",
      );
      expect(await submit(path)).toContain("all 4 runs are stored already: nothing to submit.");
    },
    limitMs,
  );

  test(
    "a job that is preempted goes on bit for bit when it comes back, and is told as queued again",
    async () => {
      const path = place(longStudy(12_000));
      await succeed(path, "run", "study one.ts", "--out", "here", "--no-figures");
      const { array, report } = idsIn(await submit(path, "--shares", "1"));
      const checkpoints = join(path, "runs/long/checkpoints");
      await until(() => newest(checkpoints) > 0);
      // As preemption does it, but that it waits until it is looked at.
      cluster.slurm("scontrol", "requeuehold", `${array}_1`);
      await until(() => stateOf(`${array}_1`).includes("PENDING"));
      const now = await status(path);
      expect(now.runs).toMatchObject({ requeued: 2, running: 0, queued: 0 });
      expect(now.jobs[0]).toMatchObject({ active: true, restarts: 1 });
      expect((await succeed(path, "status", "long")).replaceAll(/\s+/g, " ")).toMatch(
        new RegExp(`${array}_1 is held \\(.*\\): scontrol release ${array}_1 lets it start\\.`),
      );
      cluster.slurm("scontrol", "release", `${array}_1`);
      await until(() => stateOf(report).includes("COMPLETED"));
      expect(outcomes(join(path, "runs"), "long")).toEqual(outcomes(join(path, "here"), "long"));
      expect(readFileSync(join(path, now.jobs[0].log), "utf8")).toContain(
        "Everything is kept in runs; the same command goes on from there.",
      );
    },
    limitMs,
  );

  test(
    "a job that is warned of its time keeps its trainings, queues itself again and goes on",
    async () => {
      const path = place(longStudy(40_000_000));
      const { array } = idsIn(await submit(path, "--shares", "1", "--time", "30"));
      const checkpoints = join(path, "runs/long/checkpoints");
      await until(() => newest(checkpoints) > 0);
      // Slurm warns a minute before the end, and there is no longer one.
      cluster.slurm("scontrol", "update", `JobId=${array}_1`, "EndTime=now");
      const log = join(path, (await status(path)).jobs[0].log);
      await until(() => readFileSync(log, "utf8").includes("is queued again, and goes on from there."));
      const before = newest(checkpoints);
      await until(() => newest(checkpoints) > before);
      expect(await succeed(path, "cancel", "long")).toMatch(/^long: 2 jobs cancelled \(/);
      const told = await succeed(path, "status", "runs/long");
      expect(told).toMatch(/^long: 0 of 2 runs have results; 2 interrupted\n/);
      expect(told).toMatch(new RegExp(`\n {2}${array}_1 +1/1 +cancelled, queued again \\S+`));
      expect(told).toContain("slalom run 'study one.ts' --launcher slurm --shares 1 --time 30");
    },
    limitMs,
  );
});
