/** `slalom run` with its options, for this machine and for clusters. */
import { Command, Option } from "commander";
import { positiveInteger, several, share } from "./arguments.js";
import {
  type Backend,
  backend,
  backendChoice,
  type Common,
  common,
  example,
  exclusive,
  type OnExit,
  outputFor,
  precisionOption,
  store,
} from "./commonOptions.js";
import { type LauncherName, launcherNames, launchers } from "./launchers.js";
import type { LaunchRequest } from "./launchRequest.js";

export function run(onExit: OnExit): Command {
  const command = new Command("run")
    .description("train every run of a study that the run store lacks, then summarise and draw it")
    .argument(
      "<study>",
      "a TypeScript or JavaScript file whose default export is study({ ... }), or a list of studies",
    )
    .option(
      "--resume",
      "finish what an earlier run left and repeat nothing (as without it: this is the default)",
    )
    .option("--fresh", "delete what is stored of the study and start anew")
    .option(
      "-w, --workers <n>",
      "worker threads, which train other runs each (default: one a core; of --devices one for each --ranks)",
      positiveInteger,
    )
    .option("--name <name>", "store under this name instead of the study's", String)
    .option("--only <name>", "of several studies in the file, the one of this name")
    .option("--epochs <n>", "epochs instead of the study's", positiveInteger)
    .option("--steps <n>", "steps instead of the study's", positiveInteger)
    .option("--seeds <n>", "number of seeds instead of the study's", positiveInteger)
    .addOption(precisionOption("what products multiply instead of the study's"))
    .option("--micro-batch <n>", "examples looked at together instead of the study's", positiveInteger)
    .option("--gradient-noise", "measure the gradient noise scale, by micro-batches or several ranks")
    .option("--no-figures", "don't draw figures and the HTML page")
    .option("--rows", "with --json: every measured row of every run too")
    .option("--share <k/n>", "train the k-th of n shares of the runs alone, and draw nothing", share)
    .option("--dry-run", "say what would be trained, or print the scripts of jobs, and do nothing");
  store(backend(common(command)));
  const owned = addClusterOptions(command);
  example(
    command,
    "slalom run my-study.ts --seeds 5",
    "slalom run my-study.ts --backend cuda --devices all --ranks 1    # a run on each GPU at a time",
    "",
    "  // my-study.ts",
    '  import { adam, linearRegression, logspace, sgd, study } from "slalom";',
    "  export default study({",
    "    problem: linearRegression(),",
    "    optimizers: [sgd({ lr: logspace(1e-4, 0.1, 7) }), adam({ lr: [0.01, 0.1] })],",
    "    steps: 1000,",
    "  });",
  );
  const words = wordsOf(command);
  return command.action(async (path: string, options: Parsed) => {
    exclusive(command, options.epochs !== undefined && options.steps !== undefined, "--epochs and --steps");
    exclusive(command, options.resume === true && options.fresh === true, "--resume and --fresh");
    exclusive(command, options.share !== undefined && options.fresh === true, "--share and --fresh");
    exclusive(
      command,
      options.share !== undefined && options.launcher === "slurm",
      "--share and --launcher slurm",
    );
    for (const [word] of words) {
      const heardBy = owned.get(word);
      if (heardBy && !heardBy.includes(options.launcher))
        command.error(`error: ${word} needs --launcher ${heardBy.join(" or ")}`);
    }
    if (options.launcher === "mpirun" && options.ntasks === undefined)
      command.error("error: --launcher mpirun needs --ntasks: how many processes it is to start");
    onExit(await launchers[options.launcher](path, requestOf(options, words), await outputFor(options)));
  });
}

interface Parsed extends Common, Backend {
  readonly resume?: boolean;
  readonly fresh?: boolean;
  readonly workers?: number;
  readonly name?: string;
  readonly only?: string;
  readonly epochs?: number;
  readonly steps?: number;
  readonly seeds?: number;
  readonly precision?: "float32" | "bfloat16";
  readonly microBatch?: number;
  readonly gradientNoise?: boolean;
  readonly figures: boolean;
  readonly rows?: boolean;
  readonly share?: ReturnType<typeof share>;
  readonly dryRun?: boolean;
  readonly out: string;
  readonly requeue?: boolean;
  readonly launcher: LauncherName;
  readonly ntasks?: number;
  readonly hostfile?: string;
  readonly mpirun: string;
  readonly oversubscribe?: boolean;
  readonly nodes?: number;
  readonly mpi?: string;
  readonly shares?: number;
  readonly cpusPerTask: number;
  readonly gpus?: string;
  readonly mem?: string;
  readonly time?: string;
  readonly partition?: string;
  readonly account?: string;
  readonly qos?: string;
  readonly module?: readonly string[];
  readonly sbatch?: readonly string[];
}

/** Those that are not for every launcher, with which they are for. */
function addClusterOptions(command: Command): ReadonlyMap<string, readonly LauncherName[]> {
  const together = [
    new Option("--ntasks <n>", "processes that train together (of a job; default: one a node)").argParser(
      positiveInteger,
    ),
  ];
  const mpirun = [
    new Option("--hostfile <file>", "machines, as mpirun reads them (default: this one)"),
    new Option("--mpirun <command>", "which mpirun, with options of its own behind it").default("mpirun"),
    new Option("--oversubscribe", "more ranks than cores, which take turns"),
  ];
  const slurm = [
    new Option("--nodes <n>", "nodes that the processes of a job are spread over").argParser(positiveInteger),
    new Option("--mpi <plugin>", "how srun starts several (default: what srun and the MPI library share)"),
    new Option("--shares <n>", "jobs to divide a study into (default: as many as are of use)").argParser(
      positiveInteger,
    ),
    new Option("--cpus-per-task <n>", "cores, and so workers, of each process")
      .argParser(positiveInteger)
      .default(1),
    new Option(
      "--gpus <n>",
      "GPUs, and so ranks of the cuda backend, of each process (default with it: 1); of a kind: a100:2",
    ),
    new Option("--mem <size>", "memory of a job on each node, such as 4G"),
    new Option("--time <time>", "the longest that a job may take: minutes, or 02:00:00, or days-hours"),
    new Option("--partition <name>", "where its nodes are taken from"),
    new Option("--account <name>", "who pays"),
    new Option("--qos <name>", "quality of service"),
    new Option("--module <name>", "environment module to load first; may be given several times").argParser(
      several,
    ),
    new Option(
      "--sbatch <option>",
      "another option of sbatch, as --constraint=avx512; several times too",
    ).argParser(several),
  ];
  command.optionsGroup("Clusters:");
  command.addOption(
    new Option("--launcher <name>", "who trains: this process, several that it starts, or jobs of Slurm")
      .choices(launcherNames)
      .default("local"),
  );
  for (const option of [...together, ...mpirun, ...slurm]) command.addOption(option);
  command.option("--requeue", "in a job of Slurm: queue it again when SIGUSR2 says that its time is over");
  const owned = (options: readonly Option[], ...by: LauncherName[]) =>
    options.map(({ long }) => [long!, by] as const);
  return new Map([
    ...owned(together, "mpirun", "slurm"),
    ...owned(mpirun, "mpirun"),
    ...owned(slurm, "slurm"),
  ]);
}

/** Filled while the command is parsed: each option as it was typed, with what follows it. */
function wordsOf(command: Command): readonly (readonly string[])[] {
  const words: string[][] = [];
  for (const option of command.options) {
    command.on(`option:${option.name()}`, (value?: string | null) => {
      words.push([option.long!, ...(typeof value === "string" ? [value] : [])]);
    });
  }
  return words;
}

function requestOf(options: Parsed, words: LaunchRequest["words"]): LaunchRequest {
  const { name, epochs, steps, seeds, microBatch, gradientNoise, precision, cpusPerTask } = options;
  const { ntasks, nodes, mpi, gpus, mem, time, partition, account, qos } = options;
  const { hostfile, mpirun, oversubscribe = false } = options;
  return {
    overrides: { name, epochs, steps, seeds, microBatch, gradientNoise, precision },
    out: options.out,
    workers: options.workers,
    fresh: options.fresh ?? false,
    figures: options.figures,
    rows: options.rows ?? false,
    backend: backendChoice(options),
    ranks: options.ranks,
    only: options.only,
    share: options.share,
    requeue: options.requeue ?? false,
    dryRun: options.dryRun ?? false,
    words,
    shares: options.shares,
    resources: {
      ...{ ntasks, nodes, mpi, cpusPerTask, gpus, mem, time, partition, account, qos },
      modules: options.module ?? [],
      options: options.sbatch ?? [],
    },
    processes: { hostfile, mpirun, oversubscribe },
  };
}
