/** Batch scripts: what Slurm is asked for, and the one command of the job. Whatever stands in a path is quoted. */
import { SlalomError } from "../../base/errors.js";
import { type Resources, tasksOf, warningSeconds } from "./resources.js";

export interface JobScript {
  /** What the job is called in the queue. */
  readonly name: string;
  /** What it does, for readers of the script. */
  readonly about: string;
  readonly resources: Resources;
  /** Folder from which the command is to run. */
  readonly directory: string;
  /** Absolute path of what it prints; of an array's job `%a` stands for its number. */
  readonly log: string;
  /** Program and arguments. */
  readonly command: readonly string[];
  /** Of an array: the numbers of its jobs, each of which trains that share of so many. */
  readonly shares?: { readonly numbers: readonly number[]; readonly of: number };
}

/**
 * The script of a job. It asks to be queued again when it is preempted or its node fails, and to be told a minute before
 * its time is over. The command takes the shell's place, so that Slurm's signals reach it; of several processes Slurm
 * tells each.
 * @throws SlalomError "option" for a path that Slurm can't be told
 */
export function scriptOf({ name, about, resources, directory, log, command, shares }: JobScript): string {
  const { nodes, cpusPerTask, gpus, mem, time, partition, account, qos, modules, options } = resources;
  const tasks = tasksOf(resources);
  const directives: (readonly [string, string | number | undefined])[] = [
    ["job-name", name],
    ["array", shares && ranges(shares.numbers)],
    ["nodes", tasks === 1 ? 1 : nodes],
    ["ntasks", tasks],
    ["cpus-per-task", cpusPerTask],
    ["gres", tasks === 1 ? gpus && `gpu:${gpus}` : undefined],
    ["gpus-per-task", tasks === 1 ? undefined : gpus],
    ["mem", mem],
    ["time", time],
    ["partition", partition],
    ["account", account],
    ["qos", qos],
    ["output", log],
    ["signal", `${tasks === 1 ? "B:" : ""}USR2@${warningSeconds}`],
  ];
  const words = [...(tasks === 1 ? [] : starter(resources)), ...command].map(shellWord).join(" ");
  return [
    // The command `module` is a function of login shells.
    modules.length > 0 ? "#!/bin/bash -l" : "#!/bin/bash",
    ...directives.flatMap(([option, value]) => (value === undefined ? [] : directive(option, `${value}`))),
    "#SBATCH --open-mode=append",
    "#SBATCH --requeue",
    ...options.map((option) => `#SBATCH ${option}`),
    `# ${about}`,
    ...modules.map((module) => `module load ${shellWord(module)} || exit`),
    `cd ${shellWord(directory)} || exit`,
    `exec ${words}${shares ? ` --share "$SLURM_ARRAY_TASK_ID/${shares.of}"` : ""}`,
    "",
  ].join("\n");
}

/** A process that is killed ends the others; srun does not know by itself how many cores and GPUs each was given. */
const starter = ({ mpi, cpusPerTask, gpus }: Resources): string[] => [
  ...["srun", ...(mpi === undefined ? [] : [`--mpi=${mpi}`]), `--cpus-per-task=${cpusPerTask}`],
  ...(gpus === undefined ? [] : [`--gpus-per-task=${gpus}`]),
  "--kill-on-bad-exit=1",
];

/** A path in which Slurm finds no pattern to replace. */
export function plainPath(path: string): string {
  if (/[\\\n]/.test(path)) {
    throw new SlalomError(
      "option",
      `${JSON.stringify(path)}: Slurm can't write to a path with a backslash or a line break in it. Choose another folder: --out.`,
    );
  }
  return path.replaceAll("%", "%%");
}

/** One word of a POSIX shell, as it is. */
export const shellWord = (text: string): string =>
  /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;

/** sbatch reads its lines by itself, with quotes and backslashes like a shell but without variables. */
const directive = (option: string, value: string): string =>
  `#SBATCH --${option}=${/^[\w@%+=:,./-]+$/.test(value) ? value : `"${value.replace(/["\\]/g, "\\$&")}"`}`;

/** "1-3,5" for 1, 2, 3, 5. */
export function ranges(numbers: readonly number[]): string {
  const parts: [number, number][] = [];
  for (const number of numbers) {
    const last = parts.at(-1);
    if (last && number === last[1] + 1) last[1] = number;
    else parts.push([number, number]);
  }
  return parts.map(([from, to]) => (from === to ? `${from}` : `${from}-${to}`)).join();
}
