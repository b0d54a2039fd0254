/** Folders of studies that are stored or submitted: a job may not have begun to store anything yet. */
import { existsSync, statSync } from "node:fs";
import { basename, join } from "node:path";
import { SlalomError, unknownName } from "../base/errors.js";
import { readSubmissions } from "../launch/slurm/records.js";
import { foldersIn } from "../runs/read.js";
import { isFile } from "./storedStudies.js";

export interface StudyFolder {
  readonly name: string;
  readonly folder: string;
}

/**
 * The studies that are meant: one by name in the run store, by folder, or by the file that defines it; all of a run store
 * by its folder. Without `which` all in `root`.
 * @throws SlalomError "name" where there is none, with those that there are
 */
export async function studyFolders(which: string | undefined, root: string): Promise<StudyFolder[]> {
  if (which === undefined) return studiesIn(root);
  if (isStudy(which)) return [{ name: basename(which), folder: which }];
  const all = studiesIn(root);
  if (isFile(which)) {
    const { loadStudies } = await import("../launch/studySource.js");
    const names = (await loadStudies(which)).map(({ name }) => name);
    const found = all.filter(({ name }) => names.includes(name));
    if (found.length > 0) return found;
    throw new SlalomError(
      "name",
      `${which}: none of its studies (${names.join(", ")}) is stored or submitted in ${root}. Run it first: slalom run ${which}`,
    );
  }
  const found = all.filter(({ name }) => name === which);
  const isFolder = statSync(which, { throwIfNoEntry: false })?.isDirectory() ?? false;
  const here = found.length > 0 || !isFolder ? found : studiesIn(which);
  if (here.length > 0) return here;
  throw unknownName(
    `study in ${root}`,
    which,
    all.map(({ name }) => name),
  );
}

const studiesIn = (root: string): StudyFolder[] =>
  foldersIn(root)
    .sort()
    .map((name) => ({ name, folder: join(root, name) }))
    .filter(({ folder }) => isStudy(folder));

const isStudy = (folder: string): boolean =>
  existsSync(join(folder, "study.json")) ||
  (existsSync(join(folder, "jobs")) && readSubmissions(folder).length > 0);
