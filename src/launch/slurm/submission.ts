/**
 * A study as jobs: an array of which each job trains its share of the runs, and one job after it that trains what is
 * still missing, summarises and draws. Processes that train together are one job that does all of it, unless shares are
 * asked for. Only what the store lacks and no job is to train is submitted.
 */
import { rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { SlalomError } from "../../base/errors.js";
import { groupedRuns, type PlannedRuns, runsOfShare, type StudyRun } from "../../lab/index.js";
import { writeWhole } from "../../runs/files.js";
import { runId } from "../../runs/index.js";
import { afterAny, cancel, submit, waitFor } from "./commands.js";
import type { StudyJob } from "./jobs.js";
import { files, type JobRecord, makeSubmissionFolder, submissionFolder, writeRecord } from "./records.js";
import { type Resources, tasksOf } from "./resources.js";
import { plainPath, scriptOf } from "./script.js";

/** A study and how its jobs train it. */
export interface JobRequest {
  readonly study: string;
  /** The study's folder in the run store. */
  readonly folder: string;
  /** Folder from which its commands are to run. */
  readonly directory: string;
  /** Program and arguments that train the study; shares are added to them. */
  readonly train: readonly string[];
  /** The same for the job after them. */
  readonly report: readonly string[];
  readonly resources: Resources;
  /** As it was typed. */
  readonly command: string;
}

/** The shares that need a job. */
export interface ShareDivision {
  readonly of: number;
  /** With the runs that each lacks. */
  readonly shares: readonly { readonly number: number; readonly runs: readonly string[] }[];
}

/** More jobs than this must be asked for. */
const mostUnasked = 32;

/**
 * Which shares to submit. Without a wish, one for as many programs of lanes as a job has cores, or for all where several
 * processes train each program. While jobs of a study wait or run its division stays theirs, or a run would be in two of
 * them.
 * @throws SlalomError "option" for another number of shares than jobs of the study have
 */
export function divide(
  { all, missing }: PlannedRuns,
  jobs: readonly StudyJob[],
  {
    wished,
    cpusPerTask,
    tasks = 1,
  }: { readonly wished?: number; readonly cpusPerTask: number; readonly tasks?: number },
): ShareDivision {
  const active = jobs.filter((job) => job.active);
  const present = active.flatMap(({ share }) => share ?? [])[0];
  if (present && wished !== undefined && wished !== present.of) {
    throw new SlalomError(
      "option",
      `--shares ${wished}: jobs of this study wait or run that divide it into ${present.of} (${active.map(({ job }) => job).join(", ")}); expected the same. Leave it out, or cancel them first.`,
    );
  }
  const programs = groupedRuns(missing).length;
  const useful = tasks > 1 ? 1 : Math.ceil(programs / cpusPerTask);
  const unasked = Math.min(mostUnasked, Math.max(1, useful));
  const of = present?.of ?? Math.min(wished ?? unasked, all.length);
  // Once it runs, the job that completes the study trains everything, as one that is the only one does.
  if (active.some(({ share, state, runs }) => !share && (state !== "PENDING" || runs.length > 0)))
    return { of, shares: [] };
  const taken = new Set(active.map(({ share }) => share?.number));
  const isMissing = new Set<StudyRun>(missing);
  const shares = Array.from({ length: of }, (_, i) => i + 1).flatMap((number) => {
    const runs = runsOfShare(all, { number, of }).filter((run) => isMissing.has(run));
    if (runs.length === 0 || taken.has(number)) return [];
    return [{ number, runs: runs.map(({ configuration }) => runId(configuration)) }];
  });
  return { of, shares };
}

/** The scripts of a submission at this moment, and where they and their logs go; that of one job stands alone. */
export function scriptsOf(
  request: JobRequest,
  { of, shares }: ShareDivision,
  now: Date,
): { readonly folder: string; readonly train: string; readonly report?: string } {
  const { study, directory, resources, train, report } = request;
  const folder = submissionFolder(resolve(directory, request.folder), now);
  const common = { name: jobName(study), resources, directory };
  if (of === 1 && tasksOf(resources) > 1) {
    const about = `Trains the study ${study} by several processes together, summarises and draws it.`;
    const log = join(plainPath(folder), files.trainLog(1));
    return { folder, train: scriptOf({ ...common, about, command: report, log }) };
  }
  return {
    folder,
    train: scriptOf({
      ...common,
      about: `Trains the study ${study}, a share of its runs in each job.`,
      command: train,
      shares: { numbers: shares.map(({ number }) => number), of },
      log: join(plainPath(folder), files.trainLog("%a")),
    }),
    report: scriptOf({
      ...common,
      about: `Trains what is missing of the study ${study}, summarises and draws it.`,
      command: report,
      log: join(plainPath(folder), files.reportLog),
    }),
  };
}

/**
 * Submits the shares, and the job after them unless one of the study waits already, which then waits for these too.
 * @throws SlalomError "device" where Slurm refuses; nothing is left of it then
 */
export function submitShares(
  request: JobRequest,
  division: ShareDivision,
  {
    jobs,
    runsTotal,
    now,
  }: { readonly jobs: readonly StudyJob[]; readonly runsTotal: number; readonly now: Date },
): JobRecord {
  const scripts = scriptsOf(request, division, now);
  const folder = makeSubmissionFolder(request.folder, now);
  const script = (name: string, text: string): string => {
    const path = join(folder, name);
    writeWhole(path, text);
    return path;
  };
  const active = jobs.filter((job) => job.active);
  const others = active.flatMap(({ job, share }) => (share ? [job.split("_")[0]] : []));
  const waiting = active.find(({ share }) => !share);
  const submitted: string[] = [];
  try {
    submitted.push(submit(script(files.trainScript, scripts.train), []));
    const arrays = [...new Set([...others, ...submitted])];
    if (waiting) waitFor(waiting.job, arrays);
    else if (scripts.report !== undefined)
      submitted.push(
        submit(script(files.reportScript, scripts.report), [`--dependency=${afterAny(arrays)}`]),
      );
  } catch (error) {
    if (submitted.length > 0) cancel(submitted);
    rmSync(folder, { recursive: true, force: true });
    throw error;
  }
  const [first, second] = submitted;
  const record: JobRecord = {
    name: jobName(request.study),
    ...(scripts.report === undefined ? { report: first } : { array: first, report: second ?? waiting!.job }),
    of: division.of,
    shares: division.shares,
    runsTotal,
    command: request.command,
    submitted: now.toISOString(),
  };
  writeRecord(folder, record);
  return record;
}

const jobName = (study: string): string => `slalom-${study}`;
