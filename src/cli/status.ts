/** `slalom status`: how runs stand, from the store and from the scheduler, and what to do about jobs that went wrong. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { SlalomError } from "../base/errors.js";
import { jobsOf, joined, type StudyJob } from "../launch/slurm/jobs.js";
import { promisedBy, unseen } from "../launch/slurm/promised.js";
import { readSubmissions } from "../launch/slurm/records.js";
import { isOpen, type RunState, runStates, type Standing, standingOf } from "../launch/slurm/standing.js";
import { adviceFor, stateWords } from "../launch/slurm/words.js";
import { counted } from "../report/words.js";
import { loadStudy } from "../runs/index.js";
import { columns, wrapped } from "./columns.js";
import type { Output } from "./output.js";
import { runsOf } from "./results.js";
import { type StudyFolder, studyFolders } from "./studyFolders.js";

export async function status(
  which: string | undefined,
  { out }: { readonly out: string },
  output: Output,
): Promise<void> {
  const studies = (await studyFolders(which, out)).map((one) => standing(one, output));
  output.result({
    studies: studies.map(({ name, folder, runsTotal, runs, unseen, jobs }) => ({
      name,
      folder,
      runsTotal,
      runs,
      unseen,
      jobs,
    })),
  });
  if (studies.length === 0) output.text(`${out} holds no study yet. Run one: slalom run my-study.ts`);
  for (const [i, study] of studies.entries()) {
    if (i > 0) output.text("");
    tell(study, output);
  }
}

interface StandingStudy extends StudyFolder {
  readonly runsTotal: number;
  readonly runs: Standing;
  /** Ids of runs whose results jobs have left, and which do not show here. */
  readonly unseen: readonly string[];
  readonly jobs: readonly StudyJob[];
  /** What would train the rest, where jobs were submitted. */
  readonly command?: string;
}

function standing({ name, folder }: StudyFolder, output: Output): StandingStudy {
  const stored = existsSync(join(folder, "study.json")) ? loadStudy(folder) : undefined;
  const last = readSubmissions(folder).at(-1)?.record;
  const runsTotal = stored ? runsOf(stored.record) : (last?.runsTotal ?? 0);
  const jobs = knownJobs(folder, output);
  return {
    name,
    folder,
    runsTotal,
    runs: standingOf(stored?.runs ?? [], jobs, runsTotal),
    unseen: unseen(folder, promisedBy(jobs)),
    jobs,
    ...(last && { command: last.command }),
  };
}

/** Where there is no Slurm, what the store and the logs say of the jobs. */
export function knownJobs(folder: string, output: Output): StudyJob[] {
  try {
    return jobsOf(folder);
  } catch (error) {
    if (!(error instanceof SlalomError) || (error.code !== "library" && error.code !== "device")) throw error;
    output.note(`How the jobs stand is not known here: ${error.message}`);
    return joined(readSubmissions(folder), []);
  }
}

function tell(study: StandingStudy, output: Output): void {
  const { name, runsTotal, runs, jobs, command, folder } = study;
  const { style } = output;
  const results = runs.completed + runs.diverged;
  const others = runStates.filter((state) => state !== "completed" && runs[state] > 0);
  const parts = others.map((state) => `${runs[state]} ${stateNames[state]}`);
  output.text(
    `${style.bold(name)}: ${results} of ${counted(runsTotal, "run")} have results${parts.length > 0 ? `; ${parts.join(", ")}` : ""}`,
  );
  // Of jobs that ended as they should nothing is left to say.
  const told = jobs.filter((job) => job.active || (results < runsTotal && job.state !== "COMPLETED"));
  if (told.length > 0) {
    const rows = told.map((job) => [job.job, shareName(job), stateWords(job)]);
    output.text(columns(rows, { header: ["job", "share", "state"], style, indent: 2 }));
  }
  for (const [advice, ids] of advices(told))
    output.text(wrapped(`${ids.join(", ")} ${advice}`, Math.min(output.width, 110), 2));
  if (study.unseen.length > 0) {
    const text = `Results of ${counted(study.unseen.length, "run")} that jobs have left do not show here. A file system may take a minute; if they stay away, does every node see ${folder}?`;
    output.text(wrapped(text, Math.min(output.width, 110), 2));
  }
  if (isOpen(runs) && command !== undefined) output.text(`What no job trains is submitted by: ${command}`);
  if (results === runsTotal && jobs.length > 0)
    output.text(`Everything is trained: ${join(folder, "report.html")}`);
}

const stateNames: Readonly<Record<RunState, string>> = {
  completed: "completed",
  diverged: "diverged",
  failed: "failed",
  running: "running",
  queued: "queued",
  requeued: "queued again",
  interrupted: "interrupted",
  missing: "not begun",
};

function shareName({ share, runs }: StudyJob): string {
  if (share) return `${share.number}/${share.of}`;
  return runs.length > 0 ? "all" : "then";
}

/** Each advice once, with the jobs that it is for; what was submitted again needs none. */
function advices(jobs: readonly StudyJob[]): Map<string, string[]> {
  const found = new Map<string, string[]>();
  for (const job of jobs) {
    const advice = adviceFor(job);
    if (advice !== undefined) found.set(advice, [...(found.get(advice) ?? []), job.job]);
  }
  return found;
}
