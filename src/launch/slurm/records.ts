/**
 * What is kept of submissions, beside the runs that their jobs train:
 *
 *   <root>/<study>/jobs/<when>/job.json     the jobs, their shares of the runs, the command
 *                             train.sh      the script of the array, or of the one job
 *                             report.sh     the script of the job after it
 *                             train-3.log   what the job of share 3 printed
 *                             report.log
 */
import { join } from "node:path";
import { encodeRecord, makeFolder, readRecord, writeWhole } from "../../runs/files.js";
import { foldersIn } from "../../runs/read.js";

/** `job.json`. */
export interface JobRecord {
  /** What its jobs are called: an id alone might be another's once the cluster has counted anew. */
  readonly name: string;
  /** Id of the array; absent for one job that trains, summarises and draws everything. */
  readonly array?: string;
  /** How many shares the study is divided into. */
  readonly of: number;
  /** Those that were submitted, each with the runs that it lacked. */
  readonly shares: readonly { readonly number: number; readonly runs: readonly string[] }[];
  /**
   * Id of the job that completes, summarises and draws when the array has ended; of several submissions it is one.
   * Without an array, of the one job.
   */
  readonly report: string;
  /** Runs of the study. */
  readonly runsTotal: number;
  /** As it was typed. */
  readonly command: string;
  /** ISO 8601. */
  readonly submitted: string;
}

/** Names in a submission's folder; of the array's jobs Slurm puts the number in place of `%a`. */
export const files = {
  record: "job.json",
  trainScript: "train.sh",
  reportScript: "report.sh",
  trainLog: (number: number | "%a"): string => `train-${number}.log`,
  reportLog: "report.log",
} as const;

/** A submission as its folder tells it. */
export interface Submission {
  readonly folder: string;
  readonly record: JobRecord;
}

const jobsFolder = (study: string): string => join(study, "jobs");

/** Makes a folder for a submission of this moment. */
export function makeSubmissionFolder(study: string, now: Date): string {
  const folder = submissionFolder(study, now);
  makeFolder(folder);
  return folder;
}

export const submissionFolder = (study: string, now: Date): string =>
  join(jobsFolder(study), now.toISOString().replaceAll(":", "-"));

export const writeRecord = (folder: string, record: JobRecord): void =>
  writeWhole(join(folder, files.record), encodeRecord(record));

/** Submissions of the study in this folder, oldest first. */
export const readSubmissions = (study: string): Submission[] =>
  foldersIn(jobsFolder(study))
    .sort()
    .flatMap((name) => {
      const folder = join(jobsFolder(study), name);
      const record = readRecord<JobRecord>(
        join(folder, files.record),
        `Delete ${folder}: the runs are not touched, but their jobs are no longer known.`,
      );
      return record ? [{ folder, record }] : [];
    });
