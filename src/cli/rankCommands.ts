/** The commands about trainings that several ranks share, with their options and help. */
import { Command } from "commander";
import { positiveInteger } from "./arguments.js";
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
