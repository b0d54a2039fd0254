/** Batch scripts as text, and what a shell makes of them. */
import { execFileSync } from "node:child_process";
import { describe, expect, test } from "vitest";
import { checkResources, minutesOf, type Resources } from "../../../src/launch/slurm/resources.js";
import { type JobScript, plainPath, ranges, scriptOf, shellWord } from "../../../src/launch/slurm/script.js";

const few: Resources = { cpusPerTask: 1, modules: [], options: [] };
const job: JobScript = {
  name: "slalom-small",
  about: "Trains the study small.",
  resources: few,
  directory: "/data/ada",
  log: "/data/ada/runs/small/jobs/1/train-%a.log",
  command: ["/usr/bin/node", "/opt/slalom/main.js", "run", "small.ts"],
};

const odd = [
  "a b",
  "it's",
  'say "so"',
  "$HOME",
  "`ls`",
  "a\\b",
  "x;y",
  "*",
  "é",
  "#1",
  "",
  "100%",
  "(c)",
  "~",
];

describe("a script", () => {
  test("asks for no more than one core where nothing is asked for", () => {
    expect(scriptOf(job)).toBe(`#!/bin/bash
#SBATCH --job-name=slalom-small
#SBATCH --nodes=1
#SBATCH --ntasks=1
#SBATCH --cpus-per-task=1
#SBATCH --output=/data/ada/runs/small/jobs/1/train-%a.log
#SBATCH --signal=B:USR2@60
#SBATCH --open-mode=append
#SBATCH --requeue
# Trains the study small.
cd /data/ada || exit
exec /usr/bin/node /opt/slalom/main.js run small.ts
`);
  });

  test("asks for everything that can be asked for, and trains the share of its number", () => {
    const resources: Resources = {
      cpusPerTask: 8,
      gpus: "a100:2",
      mem: "16G",
      time: "1-12:00:00",
      partition: "main,long",
      account: "lab-7",
      qos: "high",
      modules: ["nodejs/20", "cuda"],
      options: ["--constraint=avx512", "--exclude=n[1-3]"],
    };
    const shares = { numbers: [1, 2, 3, 7, 9, 10], of: 12 };
    expect(scriptOf({ ...job, resources, shares, command: ["node", "main.js"] })).toBe(`#!/bin/bash -l
#SBATCH --job-name=slalom-small
#SBATCH --array=1-3,7,9-10
#SBATCH --nodes=1
#SBATCH --ntasks=1
#SBATCH --cpus-per-task=8
#SBATCH --gres=gpu:a100:2
#SBATCH --mem=16G
#SBATCH --time=1-12:00:00
#SBATCH --partition=main,long
#SBATCH --account=lab-7
#SBATCH --qos=high
#SBATCH --output=/data/ada/runs/small/jobs/1/train-%a.log
#SBATCH --signal=B:USR2@60
#SBATCH --open-mode=append
#SBATCH --requeue
#SBATCH --constraint=avx512
#SBATCH --exclude=n[1-3]
# Trains the study small.
module load nodejs/20 || exit
module load cuda || exit
cd /data/ada || exit
exec node main.js --share "$SLURM_ARRAY_TASK_ID/12"
`);
  });

  test("starts several processes by srun, which Slurm warns one by one", () => {
    const resources: Resources = { ...few, ntasks: 4, nodes: 2, cpusPerTask: 8, mpi: "pmix" };
    expect(scriptOf({ ...job, resources, command: ["node", "main.js"] })).toBe(`#!/bin/bash
#SBATCH --job-name=slalom-small
#SBATCH --nodes=2
#SBATCH --ntasks=4
#SBATCH --cpus-per-task=8
#SBATCH --output=/data/ada/runs/small/jobs/1/train-%a.log
#SBATCH --signal=USR2@60
#SBATCH --open-mode=append
#SBATCH --requeue
# Trains the study small.
cd /data/ada || exit
exec srun --mpi=pmix --cpus-per-task=8 --kill-on-bad-exit=1 node main.js
`);
    const onGpus = scriptOf({ ...job, resources: { ...resources, gpus: "a100:2" }, command: ["node"] });
    expect(onGpus).toContain("#SBATCH --cpus-per-task=8\n#SBATCH --gpus-per-task=a100:2\n");
    expect(onGpus).toContain(
      "exec srun --mpi=pmix --cpus-per-task=8 --gpus-per-task=a100:2 --kill-on-bad-exit=1 node\n",
    );
    expect(onGpus).not.toContain("--gres");
    expect(scriptOf({ ...job, resources: { ...few, nodes: 3 } })).toMatch(/--nodes=3\n#SBATCH --ntasks=3\n/);
    expect(scriptOf({ ...job, resources: { ...few, ntasks: 3 } })).not.toContain("--nodes");
  });

  test("hands words to the program as they are, whatever is in them", () => {
    const print = "process.stdout.write(JSON.stringify(process.argv.slice(1)))";
    const script = scriptOf({
      ...job,
      directory: "/",
      command: [process.execPath, "-e", print, "--", ...odd],
      shares: { numbers: [1], of: 3 },
    });
    const out = execFileSync("bash", ["-c", script], {
      encoding: "utf8",
      env: { ...process.env, SLURM_ARRAY_TASK_ID: "2" },
    });
    expect(JSON.parse(out)).toEqual([...odd, "--share", "2/3"]);
  });

  test("goes to its folder, whatever it is called, and ends where there is none", () => {
    const directory = "/no such/it's $here";
    const script = scriptOf({ ...job, directory, command: ["echo", "never"] });
    expect(script).toContain("cd '/no such/it'\\''s $here' || exit\n");
    expect(() => execFileSync("bash", ["-c", script], { stdio: "pipe" })).toThrow(
      /No such file or directory/,
    );
  });

  test("quotes for sbatch what is no plain word", () => {
    const script = scriptOf({ ...job, log: `${plainPath('/a b/c"d/50%/#')}/train-%a.log` });
    expect(script).toContain('#SBATCH --output="/a b/c\\"d/50%%/#/train-%a.log"\n');
  });
});

test("a path that Slurm can't be told is refused", () => {
  expect(plainPath("/runs/ä b/100%")).toBe("/runs/ä b/100%%");
  expect(() => plainPath("/a\\b")).toThrow(/"\/a\\\\b": Slurm can't write to a path with a backslash/);
  expect(() => plainPath("/a\nb")).toThrow(/a line break in it\. Choose another folder: --out\./);
});

test("a word of the shell is left alone where it is plain", () => {
  expect(["runs/a.ts", "--lr=1e-3", "a,b:c@d%e+f"].map(shellWord)).toEqual([
    "runs/a.ts",
    "--lr=1e-3",
    "a,b:c@d%e+f",
  ]);
  expect(shellWord("a b")).toBe("'a b'");
});

test.each([
  [[1], "1"],
  [[1, 2], "1-2"],
  [[2, 4, 5, 6, 9], "2,4-6,9"],
])("the numbers %j are %s", (numbers, text) => {
  expect(ranges(numbers)).toBe(text);
});

// Forms and values as in the manual of sbatch.
test.each([
  ["90", 90],
  ["90:30", 91],
  ["02:30:00", 150],
  ["1-0", 1440],
  ["2-03:04", 3064],
  ["1-01:01:01", 1502],
  ["UNLIMITED", undefined],
  ["2h", undefined],
])("the time %s is %s minutes", (text, minutes) => {
  expect(minutesOf(text)).toBe(minutes);
});

describe("resources that no job can have are refused", () => {
  test.each([
    [{ nodes: 4, ntasks: 2 }, /--nodes 4: received more than --ntasks 2, the processes of a job; expected/],
    [{ ntasks: 2, mpi: "pmix; rm" }, /--mpi: received "pmix; rm"; expected a name of srun --mpi=list/],
    [{ time: "soon" }, /--time: received "soon"; expected minutes, hours:minutes:seconds or days-hours/],
    [{ time: "3" }, /--time 3: received 3 minutes; expected at least 5: a job is told to end/],
    [{ time: "00:04:00" }, /received 4 minutes/],
    [{ gpus: "0" }, /--gpus: received "0"; expected a number, or a kind and a number/],
    [{ mem: "4 GB" }, /--mem: received "4 GB"; expected a size such as 4G/],
    [{ partition: "a b" }, /--partition: received "a b"; expected a name/],
    [{ account: "$(rm)" }, /--account: received/],
    [{ qos: "" }, /--qos: received ""/],
    [{ modules: ["node; rm"] }, /--module: received "node; rm"/],
    [{ options: ["constraint=avx"] }, /--sbatch: received "constraint=avx"; expected one option of sbatch/],
    [{ options: ["--comment=a\n#SBATCH --uid=0"] }, /--sbatch: received "--comment=a\\n/],
    [{ options: ["--array=1-9"] }, /--sbatch: received "--array=1-9"; expected none that Slalom sets itself/],
  ] as const)("%j", (asked, message) => {
    expect(() => checkResources({ ...few, ...asked })).toThrow(message);
  });

  test("and others are taken", () => {
    const asked = { time: "5", gpus: "2", mem: "500M", partition: "a,b", modules: ["GCC/12.3+x"] };
    expect(() => checkResources({ ...few, ...asked, options: ["-C", "--hint=nomultithread"] })).not.toThrow();
  });
});
