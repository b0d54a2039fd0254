/** The commands about trainings that several ranks share, with their options and help. */
import { Command, Option } from "commander";
import type { BatchRule } from "../learn/schedules/index.js";
import { positiveInteger, positiveIntegers } from "./arguments.js";
import {
  type Backend,
  backend,
  type Common,
  common,
  example,
  type OnExit,
  outputFor,
  store,
} from "./commonOptions.js";
import { batchRules, type GoalArgument, goal, positiveNumber } from "./scaleArguments.js";

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
    "mpirun -np 4 slalom certify my-study.ts --steps 50",
  );
  interface Parsed extends Common, Backend {
    optimizer?: string;
    steps?: number;
    batchSize?: number;
    out: string;
  }
  return command.action(async (path: string, options: Parsed) => {
    const { ranks, gemm, optimizer, steps, batchSize, out } = options;
    const { certifyStudies } = await import("./certify.js");
    const chosen = { backend: options.backend, gemm };
    const output = await outputFor(options);
    onExit(await certifyStudies(path, { backend: chosen, ranks, optimizer, steps, batchSize, out }, output));
  });
}

export function scale(onExit: OnExit): Command {
  const command = common(
    new Command("scale")
      .description("how much faster a training gets with ranks; each number of them is certified first")
      .argument("<study>", "a study file")
      .requiredOption(
        "--ranks <n,...>",
        "numbers of ranks, such as 1,2,4; over all processes",
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
      .option("--warmup <epochs>", "warm-up of the linear rule (default: 1)", positiveNumber)
      .addOption(
        new Option("--gemm <library>", "matrix products: the best that is found, or one of your choice")
          .choices(["auto", "onednn", "cblas", "wasm"])
          .default("auto"),
      ),
  );
  store(command);
  example(
    command,
    "slalom scale my-study.ts --ranks 1,2,4 --batch 50,500 --mode weak",
    "slalom scale my-study.ts --ranks 1,2 --batch 50,500 --target 0.99 --rule kept,linear --epochs 30",
  );
  interface Parsed extends Common, Pick<Backend, "gemm"> {
    ranks: number[];
    batch?: number[];
    mode: "strong" | "weak";
    steps?: number;
    target?: GoalArgument;
    rule?: BatchRule[];
    epochs?: number;
    warmup?: number;
    out: string;
  }
  return command.action(async (path: string, options: Parsed) => {
    const { ranks, batch, mode, steps, gemm, out, epochs, warmup, rule } = options;
    for (const name of ["rule", "epochs", "warmup"] as const) {
      if (options.target === undefined && options[name] !== undefined)
        command.error(`error: --${name} is about trainings to a target; give --target too`);
    }
    const { scaleStudies } = await import("./scale.js");
    const output = await outputFor(options);
    const target = options.target && {
      goal: options.target,
      rules: rule ?? (["kept", "linear", "squareRoot"] as const),
      epochs,
      warmupEpochs: warmup,
    };
    const backend = { backend: "cpu", gemm } as const;
    onExit(await scaleStudies(path, { backend, mode, ranks, batchSizes: batch, steps, target, out }, output));
  });
}
