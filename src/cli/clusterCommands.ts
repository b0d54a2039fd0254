/** `slalom status` and `slalom cancel` with their options. */
import { Command } from "commander";
import { type Common, common, example, outputFor, store } from "./commonOptions.js";

const which = "a study's name, its folder or its file; or the folder of a run store, for all in it";

export function status(): Command {
  const command = new Command("status")
    .description("how the runs of studies stand, and the jobs that train them")
    .argument("[study]", `${which} (default: all in the run store)`);
  store(common(command));
  example(command, "slalom status", "slalom status ex3-cnn");
  return command.action(async (study: string | undefined, options: Common & { out: string }) => {
    await (await import("./status.js")).status(study, options, await outputFor(options));
  });
}

export function cancel(): Command {
  const command = new Command("cancel")
    .description("take the jobs of a study out of the queue; what they trained is kept")
    .argument("<study>", which);
  store(common(command));
  example(command, "slalom cancel ex3-cnn");
  return command.action(async (study: string, options: Common & { out: string }) => {
    await (await import("./cancel.js")).cancelJobs(study, options, await outputFor(options));
  });
}
