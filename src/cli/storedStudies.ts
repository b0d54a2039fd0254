/** Studies that a command names: by name in the run store, by their folder, or by the file that defines them. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { SlalomError } from "../base/errors.js";
import type { Study } from "../lab/index.js";
import type { Problem } from "../learn/problems/index.js";
import { problems } from "../learn/problems/index.js";
import { loadStudy, openStore, type StoredStudy, type StudyRecord } from "../runs/index.js";
import { canonical } from "../runs/json.js";

/** The stored study of that name, folder or file. Errors list what is stored. */
export const storedStudy = async (which: string, root: string): Promise<StoredStudy> =>
  (await find(which, root)).stored;

/** The same with the problem that it trained: that of the file which was named, else a built-in one. */
export async function studyWithProblem(
  which: string,
  root: string,
): Promise<{ study: StoredStudy; problem: Problem | undefined }> {
  const { stored, defined } = await find(which, root);
  return { study: stored, problem: defined?.problem ?? builtInProblem(stored.record) };
}

/** @returns `defined`: what the file says, where one was named */
async function find(which: string, root: string): Promise<{ stored: StoredStudy; defined?: Study }> {
  if (existsSync(join(which, "study.json"))) return { stored: loadStudy(which) };
  if (!isFile(which)) return { stored: loadStudy(openStore(root).openStudy(which).folder) };
  const { loadStudies } = await import("../launch/studySource.js");
  const studies = await loadStudies(which);
  const stored = studies.filter(({ name }) => openStore(root).has(name));
  if (stored.length === 1) {
    const [defined] = stored;
    return { stored: loadStudy(openStore(root).openStudy(defined.name).folder), defined };
  }
  const names = studies.map(({ name }) => name).join(", ");
  throw new SlalomError(
    "name",
    stored.length === 0
      ? `${which}: none of its studies (${names}) is stored in ${root}. Run it first: slalom run ${which}`
      : `${which} holds several studies (${names}); name one of them.`,
  );
}

/** Whether a file that may define studies is named. */
export const isFile = (which: string): boolean => /\.[cm]?[jt]s$/.test(which) && existsSync(which);

/** The problem of a stored study, where it is a built-in one with its default options. */
export function builtInProblem({ problem, problemOptions }: StudyRecord): Problem | undefined {
  const found = problems.find(({ name }) => name === problem)?.create();
  return found && canonical(found.options) === canonical(problemOptions) ? found : undefined;
}
