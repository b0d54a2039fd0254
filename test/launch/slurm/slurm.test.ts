/** Studies as jobs of a real Slurm: arrays, preemption, jobs whose time is over, cancelling, what is refused. */

import { execFile } from "node:child_process";
import { mkdirSync, readFileSync, renameSync, rmdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { scriptOf } from "../../../src/launch/slurm/script.js";
import { loadStudy } from "../../../src/runs/index.js";
import { type Ended, slalom as runSlalom, start } from "../../cli/cli.js";
import { launch } from "../../collectives/worlds.js";
import { root } from "../../support/sources.js";
import { namesIn, newest, outcomes } from "../outcomes.js";
import { processesIn, smallStudy, temporaryFolder } from "../support.js";
import { type Cluster, lacking, lackingTogether, openMpi, startCluster, until } from "./cluster.js";

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

const main = fileURLToPath(new URL("../../../dist/cli/main.js", import.meta.url));

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
  /** Why two nodes can't train together; undefined where they can. */
  const lackingPlugin = (): string | undefined =>
    lackingTogether ??
    (cluster.slurm("srun", "--mpi=list").includes("pmix") ? undefined : "needs srun's plugin for PMIx");

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

  /** A job of a study without end, until it has gone on after the warning that its time is over. */
  const warned = async (asked: readonly string[], share: string): Promise<string> => {
    const path = place(longStudy(40_000_000));
    await submit(path, ...asked, "--time", "30");
    const [{ job, log }] = (await status(path)).jobs;
    const checkpoints = join(path, "runs/long/checkpoints");
    await until(() => newest(checkpoints) > 0);
    // Slurm warns a minute before the end. It looks twice a minute, so there has to be some time left for it to look again.
    cluster.slurm("scontrol", "update", `JobId=${job}`, "EndTime=now+50seconds");
    await until(() =>
      readFileSync(join(path, log), "utf8").includes("is queued again, and goes on from there."),
    );
    cluster.slurm("scontrol", "update", `JobId=${job}`, "TimeLimit=30");
    const before = newest(checkpoints);
    await until(() => newest(checkpoints) > before);
    const cancelled = await succeed(path, "cancel", "long");
    await until(() => !/RUNNING|COMPLETING/.test(stateOf(job)));
    const told = await succeed(path, "status", "runs/long");
    expect(told).toMatch(/^long: 0 of 2 runs have results; 2 interrupted\n/);
    expect(told).toMatch(new RegExp(`\n {2}${job} +${share} +cancelled, queued again \\S+`));
    expect(told).toContain(`slalom run 'study one.ts' --launcher slurm ${asked.join(" ")} --time 30`);
    return cancelled;
  };

  // What waits for Slurm waits together.
  test.concurrent(
    "a job that is warned of its time keeps its trainings, queues itself again and goes on",
    async () => {
      expect(await warned(["--shares", "1"], "1/1")).toMatch(/^long: 2 jobs cancelled \(/);
    },
    limitMs,
  );

  test.concurrent(
    "one of several processes does so too",
    async ({ skip }) => {
      const absence = lackingPlugin();
      if (absence !== undefined) skip(absence);
      const told = await warned(["--nodes", "2", "--ntasks", "2"], "all");
      expect(told).toMatch(/^long: 1 job cancelled \(/);
    },
    limitMs,
  );

  test.concurrent(
    "processes on two nodes train what those of mpirun train, bit for bit, also when their time is over meanwhile",
    async ({ skip }) => {
      const absence = lackingPlugin();
      if (absence !== undefined) skip(absence);
      const path = place(longStudy(6000));
      const words = ["run", "study one.ts", "--no-figures", "--out", "here"];
      const here = await launch(openMpi!, 2, [main, ...words], path).ended;
      expect(here.code, here.text).toBe(0);
      const told = await submit(path, "--nodes", "2", "--ntasks", "2", "--time", "30");
      const [, job] = /^long: 2 runs in 1 job of 2 processes, (\d+), which draws too\.\n/.exec(told) ?? [];
      await until(() => newest(join(path, "runs/long/checkpoints")) > 0);
      // As Slurm does it to every process of the job.
      cluster.slurm("scancel", "--signal=USR2", job);
      await until(() => stateOf(job).includes("PENDING"));
      expect((await status(path)).runs).toMatchObject({ requeued: 2 });
      await until(() => stateOf(job).includes("COMPLETED"));
      expect(outcomes(join(path, "runs"), "long")).toEqual(outcomes(join(path, "here"), "long"));
      const now = await status(path);
      expect(now).toMatchObject({ runs: { completed: 2 }, jobs: [{ job, state: "COMPLETED", restarts: 1 }] });
      expect(now.jobs[0]).toMatchObject({ node: "one,two" });
      const log = readFileSync(join(path, now.jobs[0].log), "utf8");
      expect(log.match(/, 2 ranks, 2 processes\)/g)).toHaveLength(2);
      expect(log).toContain("the same command goes on from there.");
      expect(readFileSync(join(path, "runs/long/report.html"), "utf8")).toMatch(/^<!doctype html>/i);
    },
    limitMs,
  );

  test.concurrent(
    "processes that srun starts by hand are certified; those that it tells no way to meet say so",
    async ({ skip }) => {
      const absence = lackingPlugin();
      if (absence !== undefined) skip(absence);
      const path = place(longStudy(100));
      const words = [
        "--nodes=2",
        "--ntasks=2",
        process.execPath,
        main,
        "certify",
        "study one.ts",
        "--steps",
        "20",
      ];
      const srun = promisify(execFile).bind(undefined, "srun");
      const options = { cwd: path, env: { ...process.env, ...cluster.env } };
      const { stdout } = await srun(["--mpi=pmix", ...words], options);
      expect(stdout).toContain("PASSED: 2 ranks in 2 processes train what one rank trains");
      await expect(srun(["--mpi=none", ...words], options)).rejects.toMatchObject({
        code: 1,
        stderr: expect.stringMatching(
          /slalom: MPI: srun started this process as rank [01] of 2 \(SLURM_PROCID=[01], SLURM_STEP_NUM_TASKS=2\) and told it no way to meet the others; expected PMIx.*srun --mpi=pmix/,
        ),
      });
    },
    limitMs,
  );

  test.concurrent(
    "a process that is killed ends its job, which says so",
    async ({ skip }) => {
      const absence = lackingPlugin();
      if (absence !== undefined) skip(absence);
      const path = place(longStudy(40_000_000));
      await submit(path, "--nodes", "2", "--ntasks", "2");
      const [{ job, log }] = (await status(path)).jobs;
      await until(() => newest(join(path, "runs/long/checkpoints")) > 0);
      const [second, ...more] = processesIn(path, ["SLURM_PROCID=1"]);
      expect(more).toEqual([]);
      process.kill(second, "SIGKILL");
      await until(() => stateOf(job).includes("FAILED"));
      expect(readFileSync(join(path, log), "utf8")).toMatch(/srun: error: two: task 1: Killed/);
      const told = await succeed(path, "status", "long");
      expect(told).toMatch(/^long: 0 of 2 runs have results; 2 interrupted\n/);
      expect(told.replaceAll(/\s+/g, " ")).toContain(`${job} ended with code 137: ${log} says why.`);
      await until(() => processesIn(path).length === 0);
    },
    limitMs,
  );

  test.concurrent(
    "results that a shared folder shows late are waited for, and not trained again",
    async () => {
      const path = place(smallStudy);
      const { array, report } = idsIn(await submit(path, "--shares", "1", "--sbatch", "--hold"));
      cluster.slurm("scontrol", "release", array);
      await until(() => stateOf(`${array}_1`).includes("COMPLETED"));
      const runs = join(path, "runs/small/runs");
      renameSync(runs, `${runs} late`);
      mkdirSync(runs);
      expect(await succeed(path, "status", "small")).toMatch(
        /Results of 3 runs that jobs have left do not show here\. A file system may take a minute; if/,
      );
      cluster.slurm("scontrol", "release", report);
      const log = join(path, (await status(path)).jobs[1].log);
      await until(() => namesIn(dirname(log)).includes("report.log"));
      await until(() => readFileSync(log, "utf8").includes("Waiting until the results of 3 runs"));
      rmdirSync(runs);
      renameSync(`${runs} late`, runs);
      await until(() => stateOf(report).includes("COMPLETED"));
      expect(readFileSync(log, "utf8")).toContain("All 3 runs are stored already: nothing to train");
      expect((await status(path)).runs).toMatchObject({ completed: 3, missing: 0 });
    },
    limitMs,
  );

  test(
    "cancelling takes everything out of the queue and keeps what was trained; the same command submits the rest",
    async () => {
      const path = place(longStudy(40_000_000));
      const first = idsIn(await submit(path, "--shares", "2"));
      const runs = join(path, "runs/long/runs");
      await until(() => namesIn(runs).length === 2);
      expect((await status(path)).runs).toMatchObject({ running: 2 });
      const refused = await slalom(path, "run", "study one.ts", "--launcher", "slurm", "--shares", "1");
      expect(refused).toMatchObject({ code: 2, out: "" });
      expect(refused.err).toMatch(/--shares 1: jobs of this study wait or run that divide it into 2 \(/);
      expect((await slalom(path, "run", "study one.ts", "--launcher", "slurm", "--fresh")).err).toMatch(
        /--fresh: jobs of "long" wait or run .*slalom cancel runs\/long/,
      );

      // One of them alone: its share is submitted again, and the job that waits for all waits for it too.
      cluster.slurm("scancel", `${first.array}_2`);
      await until(() => stateOf(`${first.array}_2`).includes("CANCELLED"));
      const again = await submit(path);
      expect(again).toMatch(
        new RegExp(`^long: 1 run in 1 job, \\d+_\\[2\\]; then ${first.report} completes and draws\\.`),
      );
      const second = idsIn(again);
      expect(cluster.slurm("scontrol", "show", "job", first.report)).toMatch(
        new RegExp(`Dependency=afterany:${first.array}_\\*\\S*,afterany:${second.array}_\\*`),
      );

      expect(await succeed(path, "cancel", "study one.ts")).toMatch(/^long: 3 jobs cancelled \(/);
      await until(
        () => ![first, second].some(({ array }) => /RUNNING|COMPLETING|PENDING/.test(stateOf(array))),
      );
      const now = await status(path);
      expect(now.jobs.map(({ active }) => active)).toEqual([false, false, false, false]);
      expect(now.runs).toMatchObject({ interrupted: 2, running: 0, queued: 0, requeued: 0 });
      expect(newest(join(path, "runs/long/checkpoints"))).toBeGreaterThan(0);
      expect(await succeed(path, "cancel", "long")).toBe("long: no job waits or runs.\n");
    },
    limitMs,
  );

  test(
    "what Slurm can't give is refused with what there is, and nothing is left of it",
    async () => {
      const path = place(smallStudy);
      const refusal = async (...words: string[]): Promise<Ended> => {
        const ended = await slalom(path, "run", "study one.ts", "--launcher", "slurm", ...words);
        expect(ended.out).toBe("");
        return ended;
      };
      const partition = await refusal("--partition", "mian");
      expect(partition).toMatchObject({ code: 2 });
      expect(partition.err).toMatch(/unknown partition "mian"\. Did you mean "main"\? Valid: main, small\./);
      expect((await refusal("--partition", "small", "--time", "02:00:00")).err).toMatch(
        /--time 02:00:00: the partition small allows 1:00:00\. Ask for no more: /,
      );
      expect((await refusal("--time", "2-00")).err).toMatch(/the partition main allows 1-00:00:00/);
      const gpus = await refusal("--gpus", "9");
      expect(gpus).toMatchObject({ code: 1 });
      expect(gpus.err).toMatch(/sbatch refused .*node configuration is not available.* ask for less \(/);
      expect((await refusal("--gpus", "tpu:1")).err).toMatch(/sinfo -o '%P %G'|ask for less/);
      expect(namesIn(join(path, "runs/small/jobs"))).toEqual([]);
      const silent = await start(path, ["run", "study one.ts", "--launcher", "slurm"], {
        ...cluster.env,
        SLURM_CONF: "/dev/null",
      }).ended;
      expect(silent.err).toMatch(/Slurm's controller does not answer/);
    },
    limitMs,
  );

  test(
    "each process of a job has GPUs of its own",
    async () => {
      const path = place(smallStudy);
      const log = join(path.replaceAll("%", "%%"), "seen");
      const script = scriptOf({
        name: "gpus",
        about: "Says what its processes see.",
        resources: { ntasks: 2, nodes: 1, cpusPerTask: 1, gpus: "2", mem: "300M", modules: [], options: [] },
        directory: path,
        log,
        command: ["sh", "-c", 'echo "$SLURM_PROCID: $CUDA_VISIBLE_DEVICES"'],
      });
      writeFileSync(join(path, "gpus.sh"), script);
      const job = cluster.slurm("sbatch", "--parsable", join(path, "gpus.sh"));
      await until(() => /COMPLETED|FAILED/.test(stateOf(job)));
      const lines = readFileSync(join(path, "seen"), "utf8").trim().split("\n").sort();
      expect(lines).toEqual([expect.stringMatching(/^0: \d,\d$/), expect.stringMatching(/^1: \d,\d$/)]);
      const gpus = lines.flatMap((line) => line.slice(3).split(","));
      expect(new Set(gpus).size).toBe(4);
    },
    limitMs,
  );

  test(
    "the exercises' scripts are batch scripts: sbatch takes them from anywhere, also to say what they would do",
    async () => {
      const path = place(smallStudy);
      const script = join(root, "exercises/ex1-linear-model/launch_ex1.sh");
      const output = join(path.replaceAll("%", "%%"), "said");
      const job = (...words: string[]): string =>
        cluster.slurm(
          "sbatch",
          ...["--parsable", "--cpus-per-task=1", "--mem=300M", `--chdir=${path}`, `--output=${output}`],
          ...[script, ...words],
        );
      const dry = job("--dry-run", "--workers", "1");
      await until(() => /COMPLETED|FAILED/.test(stateOf(dry)));
      const said = (): string => readFileSync(join(path, "said"), "utf8");
      expect(said()).toMatch(
        /^would run: node dist\/cli\/main\.js run exercises\/ex1-linear-model\/study\.ts --resume --workers 1 --out \S+\/runs --requeue$/m,
      );
      const trained = job("--steps", "5", "--out", join(path, "runs of 1"));
      await until(() => /COMPLETED|FAILED/.test(stateOf(trained)));
      expect(stateOf(trained), said()).toContain("COMPLETED");
      const { runs } = loadStudy(join(path, "runs of 1/ex1-momentum-plane"));
      expect(new Set(runs.map(({ summary }) => summary?.stepsDone))).toEqual(new Set([5]));
    },
    limitMs,
  );
});

test("without Slurm the script can be read, and what can't be done says so", async () => {
  const folder = temporaryFolder();
  try {
    folder.file("small.ts", smallStudy);
    const nowhere = { PATH: folder.path };
    const { code, out } = await runSlalom(
      folder.path,
      "run small.ts --launcher slurm --dry-run --time 30 --steps 60 --no-figures",
      nowhere,
    );
    expect(code).toBe(0);
    expect(out).toMatch(/^#!\/bin\/bash\n#SBATCH --job-name=slalom-small\n#SBATCH --array=1-2\n/);
    const command = `main\\.js run small\\.ts --only small --steps 60 --requeue`;
    expect(out).toMatch(new RegExp(`\nexec \\S+ \\S+${command} --share "\\$SLURM_ARRAY_TASK_ID/2"\n`));
    expect(out).toMatch(
      /\nexec \S+ \S+main\.js run small\.ts --only small --steps 60 --requeue --no-figures\n/,
    );
    expect(namesIn(join(folder.path, "runs"))).toEqual([]);
    const together = await runSlalom(
      folder.path,
      "run small.ts --launcher slurm --dry-run --nodes 2 --ntasks 4 --cpus-per-task 2 --mpi pmix",
      nowhere,
    );
    expect(together.out).toMatch(
      /#SBATCH --nodes=2\n#SBATCH --ntasks=4\n#SBATCH --cpus-per-task=2\n(?:.*\n)*exec srun --mpi=pmix --cpus-per-task=2 --kill-on-bad-exit=1 \S+ \S+main\.js run small\.ts --only small --ranks 2 --requeue\n\n$/,
    );
    expect(together.out).not.toContain("--array");
    const onGpus = async (words: string): Promise<string> => {
      const line = `run small.ts --backend cuda --launcher slurm --dry-run --mpi pmix ${words}`;
      return (await runSlalom(folder.path, line, nowhere)).out;
    };
    expect(await onGpus("--ntasks 4 --tf32")).toMatch(
      /#SBATCH --ntasks=4\n#SBATCH --cpus-per-task=1\n#SBATCH --gpus-per-task=1\n(?:.*\n)*exec srun --mpi=pmix --cpus-per-task=1 --gpus-per-task=1 --kill-on-bad-exit=1 \S+ \S+main\.js run small\.ts --only small --backend cuda --tf32 --requeue\n/,
    );
    expect(await onGpus("--gpus a100:2")).toMatch(
      /#SBATCH --gres=gpu:a100:2\n(?:.*\n)*exec \S+ \S+main\.js run small\.ts --only small --backend cuda --ranks 2 --requeue/,
    );
    expect(await onGpus("--ranks 3")).toMatch(/#SBATCH --gres=gpu:3\n(?:.*\n)*exec .* --ranks 3 --requeue/);
    const words = [
      ...["--workers 2", "--ranks 3 --cpus-per-task 2", "--backend reference", "--nodes 3"],
      "--backend cuda --ranks 3 --gpus 2",
    ];
    const refusals = await Promise.all(
      words.map((more) =>
        runSlalom(folder.path, `run small.ts --launcher slurm --ntasks 2 ${more}`, nowhere),
      ),
    );
    expect(refusals.map(({ code, err }) => [code, err.split(";")[0]])).toEqual([
      [2, "slalom: --workers 2: received with 2 processes"],
      [2, "slalom: --ranks 3: received for processes of 2 cores"],
      [2, "slalom: --backend reference: received with 2 processes"],
      [2, "slalom: --nodes 3: received more than --ntasks 2, the processes of a job"],
      [2, "slalom: --ranks 3: received for processes of 2 GPUs"],
    ]);
    folder.file("long.ts", longStudy(10));
    const odd = await runSlalom(folder.path, "run long.ts --launcher slurm --ntasks 3 --dry-run", nowhere);
    expect(odd).toMatchObject({ code: 2, out: "" });
    expect(odd.err).toMatch(
      /a batch of 32 examples on 3 ranks; expected a multiple of 3, such as 30 or 33\./,
    );
    const real = await runSlalom(folder.path, "run small.ts --launcher slurm", nowhere);
    expect(real).toMatchObject({ code: 1, out: "" });
    expect(real.err).toMatch(/^slalom: sinfo: this machine has no Slurm, .* --launcher local\.\n$/);
  } finally {
    folder.remove();
  }
}, 120_000);
