/** `slalom run --launcher mpirun`: the same command as several processes that train together, or how it would be started. */
import { SlalomError } from "../base/errors.js";
import { plannedRuns } from "../lab/index.js";
import { mpirunCommand, runMpirun } from "../launch/mpirun.js";
import { requeueJob } from "../launch/slurm/commands.js";
import { shellWord } from "../launch/slurm/script.js";
import { worldOf } from "../launch/world.js";
import { openStore } from "../runs/index.js";
import { exitCodes } from "./exit.js";
import type { LaunchRequest } from "./launchRequest.js";
import type { Output } from "./output.js";
import { mainFile } from "./ownCommand.js";
import { presentJob, studiesToRun } from "./run.js";

export async function runByMpirun(path: string, request: LaunchRequest, output: Output): Promise<number> {
  const { words, ranks = 1, requeue, dryRun, resources, processes, backend } = request;
  const world = worldOf(process.env);
  if (world !== undefined) {
    throw new SlalomError(
      "option",
      `--launcher mpirun: this process is one of ${world.size} that train together already; expected one that is alone. Leave it out.`,
    );
  }
  const job = requeue ? presentJob() : undefined;
  const own = words.filter(([word]) => !ofLauncher.has(word)).flat();
  const command = mpirunCommand(
    {
      ...processes,
      ntasks: resources.ntasks!,
      // Those of the cuda backend take no cores.
      ranks: ranks === "auto" || backend.backend === "cuda" ? 1 : ranks,
    },
    [process.execPath, mainFile(), "run", path, ...own],
  );
  if (dryRun) {
    const text = command.words.map(shellWord).join(" ");
    output.text(text);
    output.result({ status: "planned", command: command.words });
    return exitCodes.success;
  }
  const { code: told, received } = await runMpirun(command);
  // MPICH's mpirun may lose the exit codes of processes that it passed a signal to.
  const isCut = received !== undefined && told === exitCodes.success && (await isOpen(path, request));
  const code = isCut ? exitCodes.requeue : told;
  if (received === "SIGINT" && code !== exitCodes.success) return exitCodes.interrupted;
  // Each mpirun has its own signal that leaves processes their time; what was meant is known here.
  if (job !== undefined && received === "SIGUSR2" && code === exitCodes.requeue) output.note(requeueJob(job));
  return code;
}

/** Whether the store lacks anything that was asked for. */
async function isOpen(path: string, request: LaunchRequest): Promise<boolean> {
  const { out, backend, share } = request;
  const planned = { store: openStore(out), backend: backend.backend, ...(share && { share }) };
  for (const { study } of await studiesToRun(path, request))
    if ((await plannedRuns(study, planned)).missing.length > 0) return true;
  return false;
}

/** Options that are of this process and not of those that it starts. */
const ofLauncher: ReadonlySet<string> = new Set([
  ...["--launcher", "--ntasks", "--hostfile", "--mpirun", "--oversubscribe", "--dry-run", "--requeue"],
]);
