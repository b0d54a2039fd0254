/** `slalom run --launcher slurm`: what the store lacks of each study becomes jobs, or their scripts are printed. */
import { join } from "node:path";
import { SlalomError } from "../base/errors.js";
import { plannedRuns, type Study } from "../lab/index.js";
import { checkPartition } from "../launch/slurm/commands.js";
import { jobsOf } from "../launch/slurm/jobs.js";
import { selectPlugin } from "../launch/slurm/processes.js";
import { checkResources, gpusOf, type Resources, tasksOf } from "../launch/slurm/resources.js";
import { ranges, shellWord } from "../launch/slurm/script.js";
import { divide, type JobRequest, scriptsOf, submitShares } from "../launch/slurm/submission.js";
import { counted } from "../report/words.js";
import { openStore, type Store } from "../runs/index.js";
import { batchSizes } from "../train/index.js";
import { exitCodes } from "./exit.js";
import type { LaunchRequest } from "./launchRequest.js";
import type { Output } from "./output.js";
import { mainFile } from "./ownCommand.js";
import { studiesToRun } from "./run.js";
import { withTemporaryStore } from "./training.js";

export async function submitStudies(path: string, asked: LaunchRequest, output: Output): Promise<number> {
  const { dryRun } = asked;
  checkResources(asked.resources);
  const resources = withGpus(asked);
  checkTogether({ ...asked, resources });
  const entries = await studiesToRun(path, asked);
  if (!dryRun) checkPartition(resources);
  const request = { ...asked, resources: withPlugin(resources, dryRun) };
  const told = [];
  for (const { study } of entries) told.push(await submitStudy(path, study, request, output));
  output.result({ status: dryRun ? "planned" : "submitted", studies: told });
  return exitCodes.success;
}

/** Jobs of the cuda backend have GPUs: one for each rank. */
function withGpus({ resources, ranks = 1, backend: { backend } }: LaunchRequest): Resources {
  if (backend !== "cuda" || resources.gpus !== undefined) return resources;
  return { ...resources, gpus: `${ranks === "auto" ? 1 : ranks}` };
}

/** @throws SlalomError "option" for what several processes that train together, or the GPUs of a process, can't do */
function checkTogether({ resources, workers = 1, ranks = 1, backend: { backend } }: LaunchRequest): void {
  const tasks = tasksOf(resources);
  const { cpusPerTask } = resources;
  if (backend === "cuda" && ranks !== "auto" && ranks > gpusOf(resources)) {
    throw new SlalomError(
      "option",
      `--ranks ${ranks}: received for processes of ${counted(gpusOf(resources), "GPU")}; expected at most as many. Ask for more: --gpus ${ranks}.`,
    );
  }
  if (tasks === 1) return;
  if (workers > 1) {
    throw new SlalomError(
      "option",
      `--workers ${workers}: received with ${tasks} processes; expected 1: they train one run after another, together. Leave it out, or --ntasks.`,
    );
  }
  if (backend === "cpu" && ranks !== "auto" && ranks > cpusPerTask) {
    throw new SlalomError(
      "option",
      `--ranks ${ranks}: received for processes of ${counted(cpusPerTask, "core")}; expected at most as many. Ask for more: --cpus-per-task ${ranks}.`,
    );
  }
  if (backend !== "cpu" && backend !== "cuda") {
    throw new SlalomError(
      "option",
      `--backend ${backend}: received with ${tasks} processes; expected cpu or cuda, which alone have ranks. Leave out --ntasks.`,
    );
  }
}

/** Of each process: its GPUs, or of several its cores, unless fewer are asked for. */
function ranksOf({ ranks, resources, backend: { backend } }: LaunchRequest): number {
  if (ranks !== undefined) return ranks === "auto" ? 1 : ranks;
  if (backend === "cuda") return gpusOf(resources);
  return tasksOf(resources) > 1 ? resources.cpusPerTask : 1;
}

/** Before a job waits for nothing. @throws SlalomError "option" where ranks can't divide a batch */
async function checkBatches(study: Study, request: LaunchRequest): Promise<void> {
  const ranks = tasksOf(request.resources) * ranksOf(request);
  const dataset = ranks > 1 ? await study.problem.dataset?.load() : undefined;
  if (dataset) batchSizes(study, dataset.train.count, ranks);
}

const withPlugin = (resources: Resources, isDry: boolean): Resources =>
  tasksOf(resources) === 1 ? resources : { ...resources, mpi: resources.mpi ?? selectPlugin({ isDry }) };

/** @returns what --json tells */
async function submitStudy(
  path: string,
  study: Study,
  request: LaunchRequest,
  output: Output,
): Promise<object> {
  const { out, fresh, dryRun, shares: wished, resources } = request;
  await checkBatches(study, request);
  const store = openStore(out);
  const folder = join(out, study.name);
  const jobs = jobsOf(folder);
  if (fresh && !dryRun) {
    const active = jobs.filter((job) => job.active).map(({ job }) => job);
    if (active.length > 0) {
      throw new SlalomError(
        "option",
        `--fresh: jobs of "${study.name}" wait or run (${active.join(", ")}). Cancel them first: slalom cancel ${folder}`,
      );
    }
    store.removeStudy(study.name);
  }
  const plan = (root: Store) => plannedRuns(study, { store: root, backend: request.backend.backend });
  const runs = await (fresh ? withTemporaryStore((root) => plan(openStore(root))) : plan(store));
  const division = divide(runs, jobs, {
    ...(wished !== undefined && { wished }),
    // A GPU trains one program at a time.
    cpusPerTask: request.backend.backend === "cuda" ? 1 : resources.cpusPerTask,
    tasks: tasksOf(resources),
  });
  const result = { name: study.name, runsTotal: runs.all.length, runsMissing: runs.missing.length };
  if (division.shares.length === 0) {
    output.text(
      runs.missing.length === 0
        ? `${study.name}: all ${counted(runs.all.length, "run")} are stored already: nothing to submit.`
        : `${study.name}: what is missing is queued already: nothing to submit. slalom status ${folder} tells more.`,
    );
    return result;
  }
  const now = new Date();
  const asked = jobRequest(path, study, request);
  if (dryRun) {
    const { train, report } = scriptsOf(asked, division, now);
    output.text(report === undefined ? train : `${train}\n${report}`);
    return { ...result, shares: division.shares.length, train, ...(report !== undefined && { report }) };
  }
  const record = submitShares(asked, division, { jobs, runsTotal: runs.all.length, now });
  const submitted = division.shares.reduce((sum, share) => sum + share.runs.length, 0);
  const numbers = division.shares.map(({ number }) => number);
  const tasks = tasksOf(resources);
  const each = tasks === 1 ? "" : ` of ${tasks} processes`;
  const queued =
    record.array === undefined
      ? `, ${record.report}, which draws too.`
      : `, ${record.array}_[${ranges(numbers)}]; then ${record.report} completes and draws.`;
  output.text(
    `${study.name}: ${counted(submitted, "run")} in ${counted(numbers.length, "job")}${each}${queued}\nslalom status ${folder} tells how they stand, slalom cancel ${folder} ends them.`,
  );
  return { ...result, array: record.array, report: record.report, of: record.of, shares: numbers };
}

/** Options that are of the submission and not of its jobs. */
const ofSubmission: ReadonlySet<string> = new Set([
  ...["--launcher", "--shares", "--cpus-per-task", "--gpus", "--mem", "--time", "--partition", "--account"],
  ...["--qos", "--module", "--sbatch", "--dry-run", "--fresh", "--resume", "--only", "--json", "--rows"],
  ...["--requeue", "--nodes", "--ntasks", "--mpi"],
]);

function jobRequest(path: string, study: Study, request: LaunchRequest): JobRequest {
  const { out, words, resources } = request;
  // With modules Node is one of them, or on the path that they leave.
  const node = resources.modules.length > 0 ? "node" : process.execPath;
  const passed = words.filter(([word]) => !ofSubmission.has(word) && word !== "--no-figures");
  const isUnsaid = request.ranks === undefined && ranksOf(request) > 1;
  const ranks = isUnsaid ? ["--ranks", `${ranksOf(request)}`] : [];
  const own = ["--only", study.name, ...passed.flat(), ...ranks, "--requeue"];
  const base = [node, mainFile(), "run", path, ...own];
  const drawing = words.filter(([word]) => word === "--no-figures").flat();
  return {
    study: study.name,
    folder: join(out, study.name),
    directory: process.cwd(),
    train: base,
    report: [...base, ...drawing],
    resources,
    command: ["slalom", "run", path, ...words.filter(([word]) => word !== "--fresh").flat()]
      .map(shellWord)
      .join(" "),
  };
}
