/** The commands with their options and help. What they do stands in a file each, loaded when it is asked for. */
import { Command, Option } from "commander";
import { slalomVersion } from "../lab/version.js";
import {
  average,
  batchSize,
  evaluationInterval,
  integerFromZero,
  patience,
  positiveInteger,
  setting,
  target,
} from "./arguments.js";
import { cancel, status } from "./clusterCommands.js";
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
import type { CompareOptions } from "./compare.js";
import { datasets, fetchDataset } from "./dataCommands.js";
import { exitCodesHelp } from "./exit.js";
import type { ExplainOptions } from "./explain.js";
import type { ExportOptions } from "./export.js";
import { certify, scale } from "./rankCommands.js";
import { run } from "./runCommand.js";
import type { TrainOptions } from "./train.js";

/** @param onExit is told the exit code of a command that ended otherwise than with 0 */
export function programFor(onExit: (code: number) => void): Command {
  const program = base(new Command("slalom"))
    .description(
      "A laboratory for optimization algorithms: train a grid of optimizers and settings, and learn with evidence which to use.",
    )
    .version(slalomVersion(), "-V, --version", "the version of Slalom")
    .usage("<command> [options]")
    .helpCommand("help [command]", "the help of a command, with an example")
    .addHelpText("after", `\n${firstSteps}\n\n${exitCodesHelp}`);
  const commands = [
    ...[run, train, status, cancel, list, show, compare, figures, exporting, explain, doctor],
    ...[problems, datasets, fetchDataset, optimizers, certify, scale, tour],
  ];
  for (const command of commands) program.addCommand(base(command(onExit)));
  return program;
}

const firstSteps = `First steps:
  slalom tour                                                      two exercises, trained and drawn
  slalom train linear-regression --optimizer sgd --set lr=0.01     one run
  slalom run my-study.ts                                           a study of your own
  slalom doctor                                                    what this machine offers`;

/** Given to every command. Errors and exit codes are main's business. */
const base = (command: Command): Command =>
  command
    .exitOverride()
    .configureHelp({ showGlobalOptions: false })
    .helpOption("-h, --help", "this help")
    .configureOutput({
      outputError: (text, write) => write(text.replace(/^error: /, "slalom: ")),
    });

function train(onExit: OnExit): Command {
  const command = new Command("train")
    .description("train one run of a built-in problem, without a study file")
    .argument("<problem>", "its name; slalom problems lists them")
    .requiredOption("-O, --optimizer <name>", "its name; slalom optimizers lists them")
    .option(
      "-s, --set <key=value...>",
      "hyperparameters: lr, momentum, beta1, beta2, eps, weightDecay, rho, alpha; clipNorm, decoupledWeightDecay",
      setting,
    )
    .option("--average <name...>", "evaluate an average: ema decay=0.99, swa from=0.75 every=10", average)
    .option("--steps <n>", "updates", positiveInteger)
    .option("--epochs <n>", "passes over the training data, in place of --steps", positiveInteger)
    .option("--batch <n>", "examples of a batch, or full", batchSize)
    .option("--micro-batch <n>", "examples looked at together, where a batch has more", positiveInteger)
    .option("--gradient-noise", "measure the gradient noise scale, by micro-batches or several ranks")
    .option("--seed <n>", "of initial values and the order of batches", integerFromZero, 0)
    .option("--no-shuffle", "take the data in their own order at each epoch")
    .addOption(
      new Option("--dtype <type>", "of parameters and sums")
        .choices(["float32", "float64"])
        .default("float32"),
    )
    .addOption(precisionOption("what products multiply").default("float32"))
    .option(
      "--evaluate-every <n>",
      "steps between evaluations, or epochs as in 0.5epochs (default: an epoch, or a hundredth)",
      evaluationInterval,
    )
    .option(
      "--early-stopping <n>",
      "end after so many evaluations without a better validation loss, or as trainLoss=3",
      patience,
    )
    .option("--restore-best", "with --early-stopping: end with what the best evaluation had")
    .option(
      "--record-every <n>",
      "steps between recorded losses; 0 records none between evaluations",
      integerFromZero,
    )
    .option(
      "--target <metric=value...>",
      "note when the metric gets there, such as validationAccuracy=0.9",
      target,
    )
    .option("--name <name>", "keep the run, as a study of this name")
    .option("-o, --out <dir>", "keep the run, in this run store (default with --name: runs)")
    .option("--fresh", "delete what is stored under this name first")
    .option("--rows", "with --json: every measured row too");
  backend(common(command));
  example(
    command,
    "slalom train linear-regression --optimizer momentum --set lr=0.01 momentum=0.6 --steps 200",
    "slalom train mnist-softmax --optimizer adam --set lr=0.001 --epochs 2",
  );
  type Straight =
    | ("optimizer" | "average" | "seed" | "steps" | "epochs")
    | ("microBatch" | "gradientNoise" | "shuffle" | "dtype" | "precision");
  interface Parsed
    extends Common,
      Backend,
      Pick<TrainOptions, Straight | "evaluateEvery" | "recordEvery" | "name" | "out"> {
    set?: Readonly<Record<string, number>>;
    batch?: number | "full";
    earlyStopping?: ReturnType<typeof patience>;
    restoreBest?: boolean;
    target?: TrainOptions["targets"];
    fresh?: boolean;
    rows?: boolean;
  }
  return command.action(async (problem: string, options: Parsed) => {
    exclusive(command, options.epochs !== undefined && options.steps !== undefined, "--epochs and --steps");
    const { json: _json, set, batch, earlyStopping, restoreBest, target: targets, ...others } = options;
    const { gemm: _gemm, devices: _devices, tf32: _tf32, ...rest } = others;
    if (restoreBest && !earlyStopping) command.error("error: --restore-best needs --early-stopping <n>");
    const { train: trainOne } = await import("./train.js");
    const code = await trainOne(
      problem,
      {
        ...rest,
        settings: set ?? {},
        batchSize: batch,
        ...(earlyStopping && {
          earlyStopping: { ...earlyStopping, ...(restoreBest && { restore: "best" as const }) },
        }),
        targets: targets ?? [],
        out: options.out ?? (options.name === undefined ? undefined : "runs"),
        fresh: options.fresh ?? false,
        rows: options.rows ?? false,
        backend: backendChoice(options),
      },
      await outputFor(options),
    );
    onExit(code);
  });
}

function list(): Command {
  const command = store(common(new Command("list").description("the studies in the run store")));
  example(command, "slalom list");
  return command.action(async (options: Common & { out: string }) => {
    (await import("./list.js")).list(options, await outputFor(options));
  });
}

const studyArgument = "a stored study: its name, its folder, or the file that defines it";

function show(): Command {
  const command = new Command("show")
    .description("what a stored study found: best settings, targets, verdicts")
    .argument("<study>", studyArgument)
    .option("--runs", "every run as well")
    .option("--time", "where the time of each training went, by rank")
    .option("-O, --optimizer <name>", "with --runs, --time or --json: the runs of one optimizer alone")
    .option("--run <id>", "the same of one run: its id, or how no other id begins")
    .option("--rows", "with --json: every measured row of every run too");
  store(common(command));
  example(
    command,
    "slalom show ex1-linear-model --runs",
    "slalom show ex2-mnist-short --time --optimizer adam",
  );
  interface Parsed extends Common {
    runs?: boolean;
    time?: boolean;
    rows?: boolean;
    optimizer?: string;
    run?: string;
    out: string;
  }
  return command.action(async (which: string, { runs, time, rows, optimizer, run, ...options }: Parsed) => {
    const isNarrow = optimizer !== undefined || run !== undefined;
    if (isNarrow && !runs && !time && !options.json)
      command.error("error: --optimizer and --run choose among runs: give --runs, --time or --json too");
    const { out } = options;
    const wish = { runs: runs === true, time: time === true, rows: rows === true, optimizer, run, out };
    await (await import("./show.js")).show(which, wish, await outputFor(options));
  });
}

function compare(): Command {
  const command = new Command("compare")
    .description("optimizers at their best settings, paired by seed: differences and verdicts")
    .argument("<study>", studyArgument)
    .argument("[optimizers...]", "two optimizers of the study (default: all pairs)");
  store(common(command));
  example(command, "slalom compare ex2-mnist-short adam momentum");
  return command.action(async (which: string, names: string[], options: Common & CompareOptions) => {
    if (names.length === 1)
      command.error(
        `error: one optimizer (${names[0]}) has nothing to be compared with; name two, or none for all pairs`,
      );
    await (await import("./compare.js")).compare(which, names, options, await outputFor(options));
  });
}

function figures(): Command {
  const command = new Command("figures")
    .description(
      "draw the figures and the page of a stored study, and of its scaling, again, without training",
    )
    .argument("<study>", studyArgument);
  store(common(command));
  example(command, "slalom figures ex1-linear-model");
  return command.action(async (which: string, options: Common & { out: string }) => {
    await (await import("./figures.js")).figures(which, options, await outputFor(options));
  });
}

function exporting(): Command {
  const command = new Command("export")
    .description("a stored study for other programs: a trained model, or everything that was measured")
    .argument("<study>", studyArgument)
    .addOption(
      new Option("--format <format>", "onnx: the model of one run; tensorboard: event files; csv: a table")
        .choices(["onnx", "tensorboard", "csv"])
        .makeOptionMandatory(),
    )
    .requiredOption("--to <path>", "the file to write; for tensorboard a folder")
    .option("--run <id>", "one run: its id, or how no other id begins (default: all; onnx: the best)")
    .addOption(
      new Option(
        "--which <model>",
        "onnx: which of the run's models (default: best, where it is kept)",
      ).choices(["last", "best"]),
    )
    .option("--batch <n>", "onnx: examples at a time (default: any number)", positiveInteger)
    .addOption(
      new Option("--table <table>", "csv: a line a measured step, or a line a run (default: rows)").choices([
        "rows",
        "summaries",
      ]),
    );
  store(common(command));
  example(
    command,
    "slalom export my-study.ts --format onnx --to model.onnx",
    "slalom export ex2-mnist-short --format tensorboard --to tensorboard",
    "slalom export ex2-mnist-short --format csv --table summaries --to runs.csv",
  );
  return command.action(async (which: string, options: Common & ExportOptions) => {
    await (await import("./export.js")).exportStudy(which, options, await outputFor(options));
  });
}

function explain(): Command {
  const command = new Command("explain")
    .description("what a step compiles to: kernels, shapes, bytes, FLOPs and predicted time")
    .argument("<what>", "a study file, or the name of a problem")
    .option(
      "-O, --optimizer <name>",
      "which optimizer's program (default: the study's first; sgd for a problem)",
    )
    .option("--graph", "the graphs that were compiled as well", false)
    .addOption(
      new Option("--backend <name>", "for whom; cuda needs no GPU for this")
        .choices(["cpu", "cuda"])
        .default("cpu"),
    )
    .option(
      "--gpu <name>",
      "with cuda: whose data sheet a forecast is from (default: the GPU that is here, or H100)",
    )
    .option("--tf32", "with cuda: products of float32 by tensor cores")
    .option("--own-kernels", "with cuda: as without cuBLASLt and cuDNN", false);
  common(command);
  example(command, "slalom explain mnist-softmax --optimizer adam");
  return command.action(async (what: string, options: Common & ExplainOptions) => {
    await (await import("./explain.js")).explain(what, options, await outputFor(options));
  });
}

function doctor(): Command {
  const command = common(
    new Command("doctor").description("what this machine offers, measured, and what would make it faster"),
  );
  example(command, "slalom doctor");
  return command.action(async (options: Common) => {
    (await import("./doctor.js")).doctor(await outputFor(options));
  });
}

function problems(): Command {
  const command = common(
    new Command("problems").description("the built-in problems").argument("[name]", "one of them, in full"),
  );
  example(command, "slalom problems mnist-softmax");
  return command.action(async (name: string | undefined, options: Common) => {
    await (await import("./problems.js")).showProblems(name, await outputFor(options));
  });
}

function optimizers(): Command {
  const command = common(
    new Command("optimizers")
      .description("the built-in optimizers")
      .argument("[name]", "one of them, in full"),
  );
  example(command, "slalom optimizers adam");
  return command.action(async (name: string | undefined, options: Common) => {
    (await import("./optimizers.js")).showOptimizers(name, await outputFor(options));
  });
}

function tour(onExit: OnExit): Command {
  const command = new Command("tour")
    .description("train exercise 1 and a short form of exercise 2, and draw what came out")
    .option("--fresh", "train anew what is stored already");
  store(backend(common(command)));
  example(command, "slalom tour");
  interface Parsed extends Common, Backend {
    fresh?: boolean;
    out: string;
  }
  return command.action(async (options: Parsed) => {
    const { tour: goThrough } = await import("./tour.js");
    const code = await goThrough(
      {
        out: options.out,
        fresh: options.fresh ?? false,
        backend: backendChoice(options),
        ranks: options.ranks,
      },
      await outputFor(options),
    );
    onExit(code);
  });
}
