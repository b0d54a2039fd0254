/** The commands about data sets, with their options and help. */
import { Command } from "commander";
import { type Common, common, example, type OnExit, outputFor } from "./commonOptions.js";

export function datasets(): Command {
  const command = common(
    new Command("datasets")
      .description("the built-in data sets: where each comes from, and whether it is here")
      .argument("[name]", "one of them, in full"),
  );
  example(command, "slalom datasets cifar10");
  return command.action(async (name: string | undefined, options: Common) => {
    (await import("./datasets.js")).showDatasets(name, await outputFor(options));
  });
}

export function fetchDataset(onExit: OnExit): Command {
  const command = common(
    new Command("fetch")
      .description("download a data set that no package brings; a broken download goes on where it ended")
      .argument("<name>", "its name; slalom datasets lists them")
      .option("--cache <dir>", "where downloads are kept (default: .cache/slalom in your own folder)")
      .option("--from <address>", "another place of the same files: an address, or a folder that has them"),
  );
  example(
    command,
    "slalom fetch cifar10",
    "slalom fetch emnist --from https://mirror.example/emnist --cache data",
  );
  interface Parsed extends Common {
    cache?: string;
    from?: string;
  }
  return command.action(async (name: string, options: Parsed) => {
    const { cache, from } = options;
    const { fetchNamed } = await import("./fetch.js");
    onExit(await fetchNamed(name, { cache, from }, await outputFor(options)));
  });
}
