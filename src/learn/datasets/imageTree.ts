/** A folder of images: one subfolder a class, or train, validation and test with such subfolders each. */
import type { Dirent } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { SlalomError } from "../../base/errors.js";
import { inClassOrder } from "./classNames.js";
import { type SplitName, splitNames } from "./dataset.js";
import { imageEndings } from "./formats/image.js";

export interface ImageTree {
  /** In the order of their indices: as numbers if all are, else as text. */
  readonly classNames: readonly string[];
  /** Class by class, within a class by name. */
  readonly splits: Readonly<Partial<Record<SplitName, readonly LabelledFile[]>>>;
}

export interface LabelledFile {
  readonly file: string;
  readonly label: number;
}

/**
 * The files of a folder with their classes; hidden files and those that file managers leave are passed over.
 * @throws SlalomError "data" naming the place, for a folder that is missing, holds images beside folders or other files
 *   than images, has a class without images or fewer than two, or a class outside of train that train lacks
 */
export async function imageTree(folder: string): Promise<ImageTree> {
  const top = await foldersIn(folder, "a folder for each class, or train, validation and test");
  if (!(await isSplit(folder, top))) {
    const classNames = classesOf(folder, top);
    return { classNames, splits: { train: await labelled(folder, top, classNames) } };
  }
  const classNames = classesOf(join(folder, "train"), await classFolders(join(folder, "train")));
  const splits: Partial<Record<SplitName, readonly LabelledFile[]>> = {};
  for (const name of top) {
    const split = splitNames.find((each) => each === (name === "val" ? "validation" : name));
    if (split === undefined || splits[split] !== undefined) {
      throw refuse(folder, `a folder "${name}" beside train`, "train, validation (or val) and test alone");
    }
    const place = join(folder, name);
    splits[split] = await labelled(place, await classFolders(place), classNames);
  }
  return { classNames, splits };
}

const classFolders = (folder: string): Promise<string[]> => foldersIn(folder, "a folder for each class");

/** A folder of that name that holds folders; one that holds images is a class. */
async function isSplit(folder: string, top: readonly string[]): Promise<boolean> {
  if (!top.includes("train")) return false;
  return (await listed(join(folder, "train"))).some(({ isFolder }) => isFolder);
}

function classesOf(folder: string, names: readonly string[]): string[] {
  if (names.length >= 2) return inClassOrder(names);
  throw refuse(folder, `${names.length} folder ("${names[0]}")`, "two or more, one for each class");
}

async function labelled(
  folder: string,
  names: readonly string[],
  classNames: readonly string[],
): Promise<LabelledFile[]> {
  const unknown = names.find((name) => !classNames.includes(name));
  if (unknown !== undefined) {
    throw refuse(
      folder,
      `a class "${unknown}" that the training images lack`,
      `one of ${classNames.join(", ")}`,
    );
  }
  const files: LabelledFile[] = [];
  for (const [label, className] of classNames.entries()) {
    if (!names.includes(className)) continue;
    const place = join(folder, className);
    const images = await imagesIn(place);
    files.push(...images.map((name) => ({ file: join(place, name), label })));
  }
  return files;
}

async function imagesIn(folder: string): Promise<string[]> {
  const entries = await listed(folder);
  for (const { name, isFolder } of entries) {
    if (isFolder) throw refuse(folder, `a folder "${name}" among images`, "images alone");
    if (!isImage(name)) {
      throw refuse(folder, `"${name}", no image`, `files that end in ${imageEndings.join(", ")}`);
    }
  }
  if (entries.length > 0) return entries.map(({ name }) => name);
  throw refuse(folder, "a class without images", "one or more");
}

async function foldersIn(folder: string, expected: string): Promise<string[]> {
  const entries = await listed(folder);
  const folders = entries.filter(({ isFolder }) => isFolder).map(({ name }) => name);
  const file = entries.find(({ isFolder }) => !isFolder);
  if (folders.length > 0 && file === undefined) return folders;
  if (file === undefined) throw refuse(folder, "an empty folder", expected);
  throw refuse(folder, `a file "${file.name}"${folders.length > 0 ? " beside folders" : ""}`, expected);
}

interface Entry {
  readonly name: string;
  readonly isFolder: boolean;
}

/** What is in a folder, by name; links count as what they lead to. */
async function listed(folder: string): Promise<Entry[]> {
  let entries: Dirent[];
  try {
    entries = await readdir(folder, { withFileTypes: true });
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    const reason =
      code === "ENOENT" ? "there is no such folder" : code === "ENOTDIR" ? "it is a file" : message;
    throw new SlalomError(
      "data",
      `imageFolder: cannot read "${folder}": ${reason}. Check the path; a relative one starts at ${process.cwd()}.`,
      { cause },
    );
  }
  const kept = entries.filter(({ name }) => !name.startsWith(".") && !leftovers.includes(name.toLowerCase()));
  const known = await Promise.all(
    kept.map(async (entry) => ({
      name: entry.name,
      isFolder: entry.isSymbolicLink()
        ? (await stat(join(folder, entry.name))).isDirectory()
        : entry.isDirectory(),
    })),
  );
  return known.sort((a, b) => (a.name < b.name ? -1 : 1));
}

const leftovers = ["thumbs.db", "desktop.ini"];

const isImage = (name: string): boolean =>
  imageEndings.some((ending) => name.toLowerCase().endsWith(`.${ending}`));

const refuse = (folder: string, received: string, expected: string): SlalomError =>
  new SlalomError("data", `imageFolder: "${folder}": received ${received}; expected ${expected}.`);
