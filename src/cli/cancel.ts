/** `slalom cancel`: ends the jobs of studies that wait or run. They keep their trainings where they stand. */
import { cancel } from "../launch/slurm/commands.js";
import { jobsOf } from "../launch/slurm/jobs.js";
import { counted } from "../report/words.js";
import type { Output } from "./output.js";
import { studyFolders } from "./studyFolders.js";

export async function cancelJobs(
  which: string,
  { out }: { readonly out: string },
  output: Output,
): Promise<void> {
  const studies = (await studyFolders(which, out)).map(({ name, folder }) => ({
    name,
    folder,
    jobs: jobsOf(folder)
      .filter((job) => job.active)
      .map(({ job }) => job),
  }));
  const jobs = studies.flatMap((study) => study.jobs);
  // What waits for the others first, or it would begin when they end.
  if (jobs.length > 0)
    cancel([...jobs.filter((job) => !job.includes("_")), ...jobs.filter((job) => job.includes("_"))]);
  output.result({ studies });
  for (const { name, folder, jobs: ended } of studies) {
    output.text(
      ended.length === 0
        ? `${name}: no job waits or runs.`
        : `${name}: ${counted(ended.length, "job")} cancelled (${ended.join(", ")}). What was trained is kept in ${folder}.`,
    );
  }
}
