/** What a job of Slurm asks for. Names and forms are those of sbatch. */
import { SlalomError } from "../../base/errors.js";

export interface Resources {
  /** Processes of each job, which train together; by default as many as nodes. */
  readonly ntasks?: number;
  /** Over which they are spread; by default as the cluster likes it. */
  readonly nodes?: number;
  /** By which plugin srun tells several processes of one another. */
  readonly mpi?: string;
  /** Cores of each process, and so its workers, or its ranks where several train together. */
  readonly cpusPerTask: number;
  /** "2", or of a kind: "a100:2"; of each process. */
  readonly gpus?: string;
  /** "4G": of each job, on each of its nodes; in MB without a letter. */
  readonly mem?: string;
  /** "30" minutes, "02:00:00", "1-12" days and hours. */
  readonly time?: string;
  readonly partition?: string;
  readonly account?: string;
  readonly qos?: string;
  /** Environment modules to load. */
  readonly modules: readonly string[];
  /** Further options of sbatch, each as on its command line: "--constraint=avx512". */
  readonly options: readonly string[];
}

/** Processes of each job. */
export const tasksOf = ({ ntasks, nodes }: Resources): number => ntasks ?? nodes ?? 1;

/** GPUs of each process. */
export const gpusOf = ({ gpus }: Pick<Resources, "gpus">): number => Number(gpus?.split(":").at(-1) ?? 0);

/** Seconds before its time is over at which a job is told to end: enough to write checkpoints. */
export const warningSeconds = 60;

/**
 * The shortest time, in minutes: Slurm may warn a minute early, and a job that is told to end before it has trained would
 * be queued again for ever.
 */
const leastMinutes = 5;

/** Options of sbatch that are Slalom's own: what it does depends on them. */
const ownOptions = [
  ...["array", "output", "error", "open-mode", "dependency", "signal", "requeue", "no-requeue", "chdir"],
  ...["job-name", "nodes", "ntasks", "wrap", "parsable", "wait", "test-only"],
];

/** @throws SlalomError "option" for what no job can ask for */
export function checkResources(resources: Resources): void {
  const { nodes = 1, mpi, gpus, mem, time, partition, account, qos, modules, options } = resources;
  if (nodes > tasksOf(resources)) {
    throw new SlalomError(
      "option",
      `--nodes ${nodes}: received more than --ntasks ${tasksOf(resources)}, the processes of a job; expected at least one process for each node.`,
    );
  }
  if (mpi !== undefined && !/^[\w-]+$/.test(mpi)) fail("--mpi", mpi, "a name of srun --mpi=list");
  if (gpus !== undefined && !/^([\w.-]+:)?[1-9]\d*$/.test(gpus))
    fail("--gpus", gpus, "a number, or a kind and a number such as a100:2");
  if (mem !== undefined && !/^[1-9]\d*[KMGT]?$/i.test(mem)) fail("--mem", mem, "a size such as 4G");
  if (time !== undefined) checkTime(time);
  for (const [name, value] of Object.entries({ partition, account, qos }))
    if (value !== undefined && !/^[\w.,@:+-]+$/.test(value)) fail(`--${name}`, value, "a name");
  for (const name of modules)
    if (!/^[\w.+/@-]+$/.test(name)) fail("--module", name, "the name of an environment module");
  for (const option of options) {
    const [, name] = /^--?([a-zA-Z][\w-]*)/.exec(option) ?? [];
    if (name === undefined || option.includes("\n"))
      fail("--sbatch", option, "one option of sbatch such as --constraint=avx512");
    if (ownOptions.includes(name))
      fail("--sbatch", option, "none that Slalom sets itself, as what it does depends on it");
  }
}

/** Minutes, rounded up; undefined for another form and for no limit. https://slurm.schedmd.com/sbatch.html#OPT_time */
export function minutesOf(time: string): number | undefined {
  const [, days, rest] = /^(?:(\d+)-)?(\d+(?::\d+){0,2})$/.exec(time) ?? [];
  if (rest === undefined) return undefined;
  const parts = rest.split(":").map(Number);
  // After days come hours first; without, one or two numbers begin with minutes.
  const [hours, minutes = 0, seconds = 0] = days !== undefined || parts.length === 3 ? parts : [0, ...parts];
  return (Number(days ?? 0) * 24 + hours) * 60 + minutes + Math.ceil(seconds / 60);
}

function checkTime(time: string): void {
  const minutes = minutesOf(time);
  if (minutes === undefined)
    fail("--time", time, "minutes, hours:minutes:seconds or days-hours, such as 02:00:00");
  if (minutes < leastMinutes) {
    throw new SlalomError(
      "option",
      `--time ${time}: received ${minutes} minutes; expected at least ${leastMinutes}: a job is told to end up to two minutes before its time is over, and a shorter one would hardly train.`,
    );
  }
}

function fail(option: string, received: string, expected: string): never {
  throw new SlalomError("option", `${option}: received ${JSON.stringify(received)}; expected ${expected}.`);
}
