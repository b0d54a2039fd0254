/** The commands about trainings that several ranks share, with their options and help. */
import { Command, Option } from "commander";
import type { StepTime } from "../lab/forecast.js";
import type { Link } from "../lab/links.js";
import type { BatchRule } from "../learn/schedules/index.js";
import { positiveInteger, positiveIntegers } from "./arguments.js";
import {
  type Backend,
  backend,
  backendChoice,
  type Common,
  common,
  computing,
  example,
  type OnExit,
  outputFor,
  store,
} from "./commonOptions.js";
import {
  batchRules,
  type GoalArgument,
  goal,
  link,
  overlapShare,
  positiveNumber,
  stepTimes,
} from "./scaleArguments.js";

export function certify(onExit: OnExit): Command {
  const command = new Command("certify")
    .description("whether ranks train what one rank trains: both side by side, compared number by number")
    .argument("<study>", "a study file")
    .option("-O, --optimizer <name>", "which optimizer, at its first setting (default: the study's first)")
    .option("--steps <n>", "updates of each training (default: 100)", positiveInteger)
    .option(
      "--batch-size <n>",
      "examples of a batch, over all ranks, instead of the study's",
      positiveInteger,
    );
  store(backend(common(command)));
  example(
    command,
    "slalom certify my-study.ts --ranks 2",
    "slalom certify my-study.ts --backend cuda --devices 0,1",
    "mpirun -np 4 slalom certify my-study.ts --steps 50",
  );
  interface Parsed extends Common, Backend {
    optimizer?: string;
    steps?: number;
    batchSize?: number;
    out: string;
  }
  return command.action(async (path: string, options: Parsed) => {
    const { ranks, optimizer, steps, batchSize, out } = options;
    const { certifyStudies } = await import("./certify.js");
    const output = await outputFor(options);
    onExit(
      await certifyStudies(
        path,
        { backend: backendChoice(options), ranks, optimizer, steps, batchSize, out },
        output,
      ),
    );
  });
}

export function scale(onExit: OnExit): Command {
  const command = common(
    new Command("scale")
      .description("how much faster a training gets with ranks; each number of them is certified first")
      .argument("<study>", "a study file")
      .option(
        "--ranks <n,...>",
        "numbers of ranks to measure, such as 1,2,4; over all processes",
        positiveIntegers,
      )
      .option("--batch <n,...>", "batch sizes (default: the study's)", positiveIntegers)
      .addOption(
        new Option("--mode <mode>", "strong: the batch is divided; weak: each rank has a batch of that size")
          .choices(["strong", "weak"])
          .default("strong"),
      )
      .option("--steps <n>", "updates of the trainings that certify (default: 20)", positiveInteger)
      .option(
        "--target <value>",
        "also trains each batch size until the validation accuracy (or metric=value) is there",
        goal,
      )
      .option(
        "--rule <rule,...>",
        "how the learning rate follows the batch: kept, linear with a warm-up, sqrt (default: all)",
        batchRules,
      )
      .option(
        "--epochs <n>",
        "where trainings to the target end at the latest (default: the study's)",
        positiveInteger,
      )
      .option("--seeds <n>", "seeds of each training to the target (default: 1)", positiveInteger)
      .option("--warmup <epochs>", "warm-up of the linear rule (default: 1)", positiveNumber)
      .option(
        "--forecast <n,...>",
        "also numbers of ranks that are not here, by a model of the step",
        positiveIntegers,
      )
      .option(
        "--link <link>",
        "what joins the ranks of the forecast: nvlink, infiniband, ethernet, measured, or alpha=<s>,beta=<s> (default: measured)",
        link,
      )
      .option(
        "--overlap <share>",
        "of the backward pass that the forecast's all-reduce runs beside (default: 0)",
        overlapShare,
      )
      .option(
        "--step <batch=s,...>",
        "steps of one rank for the forecast, such as 50=0.0004,5000=0.006, in place of --ranks",
        stepTimes,
      ),
  );
  store(computing(command));
  example(
    command,
    "slalom scale my-study.ts --ranks 1,2,4 --batch 50,500 --mode weak",
    "slalom scale my-study.ts --ranks 1,2 --batch 50,500 --target 0.99 --rule kept,linear --epochs 30",
    "slalom scale my-study.ts --ranks 1,2 --batch 50,500 --forecast 4,8 --link infiniband",
    "slalom scale my-study.ts --backend cuda --ranks 1,2,4 --batch 50,5000",
    "slalom scale my-study.ts --step 50=0.0004,5000=0.006 --forecast 2,4,8 --link nvlink",
  );
  interface Parsed extends Common, Omit<Backend, "ranks"> {
    ranks?: number[];
    batch?: number[];
    mode: "strong" | "weak";
    steps?: number;
    target?: GoalArgument;
    rule?: BatchRule[];
    epochs?: number;
    seeds?: number;
    warmup?: number;
    forecast?: number[];
    link?: Link | "measured";
    overlap?: number;
    step?: StepTime[];
    out: string;
  }
  return command.action(async (path: string, options: Parsed) => {
    const { ranks, batch, mode, steps, out, epochs, seeds, warmup, rule, overlap, step } = options;
    checkTogether(command, options, "target", ["rule", "epochs", "seeds", "warmup"]);
    checkTogether(command, options, "forecast", ["link", "overlap", "step"]);
    if ((ranks === undefined) === (step === undefined))
      command.error("error: expected --ranks to measure, or --step with --forecast; give one of them");
    checkTogether(command, options, "ranks", ["target", "steps"]);
    const chosenLink = options.link ?? "measured";
    const forecast = options.forecast && { ranks: options.forecast, link: chosenLink, overlap };
    if (forecast && chosenLink === "measured" && Math.max(...(ranks ?? []), 1) === 1)
      command.error("error: one rank alone has no link to measure; give --link, such as --link infiniband");
    const output = await outputFor(options);
    if (forecast && step && chosenLink !== "measured") {
      const { forecastStudies } = await import("./forecast.js");
      const given = { ...forecast, link: chosenLink, mode, steps: step, batchSizes: batch, out };
      return onExit(await forecastStudies(path, given, output));
    }
    const { scaleStudies } = await import("./scale.js");
    const rules = rule ?? (["kept", "linear", "squareRoot"] as const);
    const target = options.target && { goal: options.target, rules, epochs, seeds, warmupEpochs: warmup };
    const asked = {
      backend: backendChoice(options),
      mode,
      ranks: ranks!,
      batchSizes: batch,
      steps,
      target,
      forecast,
      out,
    };
    onExit(await scaleStudies(path, asked, output));
  });
}

/** Ends with wrong usage where options were given that say nothing without another. */
function checkTogether<T extends string>(
  command: Command,
  given: { readonly [K in T]?: unknown },
  needed: T,
  names: readonly T[],
): void {
  const alone = given[needed] === undefined && names.find((name) => given[name] !== undefined);
  if (alone) command.error(`error: --${alone} goes with --${needed}; give both`);
}
