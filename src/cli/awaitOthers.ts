/** In the job that completes a study: waits until what the jobs before it have left shows in the run store. */
import { awaitResults, promisedBy } from "../launch/slurm/promised.js";
import { readSubmissions } from "../launch/slurm/records.js";
import { counted } from "../report/words.js";
import type { Output } from "./output.js";
import { knownJobs } from "./status.js";

/** `job` is the id of the present one; another than the last of the study waits for nothing. */
export async function awaitOthers(folder: string, job: string, output: Output): Promise<void> {
  const isLast = readSubmissions(folder).some(
    ({ record }) => record.array !== undefined && record.report === job,
  );
  if (!isLast) return;
  const missing = await awaitResults(folder, promisedBy(knownJobs(folder, output)), {
    onWait: ({ length }) =>
      output.note(
        `Waiting until the results of ${counted(length, "run")} that other jobs have left show in ${folder}.`,
      ),
  });
  if (missing.length > 0)
    output.note(
      `Those of ${counted(missing.length, "run")} do not show, and are trained again: does every node see ${folder}?`,
    );
}
