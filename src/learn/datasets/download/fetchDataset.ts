/** A published data set on this machine: what its folder lacks is downloaded, checked and unpacked. */
import { existsSync } from "node:fs";
import { basename, join } from "node:path";
import { checkKeys, SlalomError } from "../../../base/errors.js";
import type { DatasetSource } from "../dataset.js";
import {
  defaultCache,
  type OriginalFile,
  type Published,
  type RemoteFile,
  readOriginal,
} from "../published.js";
import { type DownloadOptions, download } from "./download.js";
import type { PartFile } from "./partFile.js";
import { isPath } from "./transfer.js";
import { unpack } from "./unpack.js";

export interface FetchOptions extends DownloadOptions {
  /** Downloads go into a folder of the data set's name in this one; default `.cache/slalom` in the user's folder. */
  readonly cache?: string;
  /** Another place of the same files: an address whose last part each file's name becomes, or a folder that has them. */
  readonly from?: string;
}

export interface Fetched {
  /** What the data set's option `folder` takes. */
  readonly folder: string;
  /** Files that were downloaded now; none where all were there. */
  readonly downloaded: readonly string[];
}

/**
 * Brings a data set's files into the cache; only here does Slalom use the network. Files that are there and sound stay
 * as they are; a broken download goes on where it ended. Several processes may do it at once.
 * @throws SlalomError "data" where the network, the server, the disk or the content are not as they should be, "option"
 *   for a data set that comes with a package or is made here
 * @example await fetchDataset(cifar10(), { cache: "/scratch/me" })
 */
export async function fetchDataset(
  { name, published }: Pick<DatasetSource, "name" | "published">,
  options: FetchOptions = {},
): Promise<Fetched> {
  checkKeys("fetchDataset", options, optionNames);
  if (published === undefined) {
    throw new SlalomError("option", `fetch: "${name}" is not read from files; there is nothing to download.`);
  }
  const { files, downloads, provided } = published;
  const { cache, from, ...rest } = options;
  const given = provided?.folder();
  if (cache === undefined && given !== undefined && (await unsound(published, given, files)).length === 0)
    return { folder: given, downloaded: [] };
  if (downloads.length === 0) {
    throw new SlalomError(
      "option",
      `fetch: "${published.name}" is not to be downloaded: it comes with the ${provided?.by}. Run npm install.`,
    );
  }
  const folder = join(cache ?? defaultCache(), published.name);
  const downloaded: string[] = [];
  for (const remote of downloads) {
    const held = remote.archive ? files : files.filter((file) => file.name === fileName(remote));
    const lacking = await unsound(published, folder, held);
    if (lacking.length === 0) continue;
    const part = await download(remote, addressOf(remote, from), join(folder, fileName(remote)), rest);
    if (remote.archive) await unpackPart(part, remote.archive, lacking, folder);
    else await part.finish();
    downloaded.push(fileName(remote));
  }
  return { folder, downloaded };
}

async function unpackPart(
  part: PartFile,
  kind: "zip" | "tar.gz",
  lacking: readonly OriginalFile[],
  folder: string,
): Promise<void> {
  try {
    const names = lacking.map(({ name }) => name);
    await unpack({ path: part.path, kind }, names, folder);
  } catch (error) {
    await part.keep();
    throw error;
  }
  await part.discard();
}

/** The files that are not there, or not the original ones. */
async function unsound(
  published: Published,
  folder: string,
  files: readonly OriginalFile[],
): Promise<OriginalFile[]> {
  const found: OriginalFile[] = [];
  for (const file of files) if (!(await isSound(published, folder, file))) found.push(file);
  return found;
}

async function isSound(published: Published, folder: string, file: OriginalFile): Promise<boolean> {
  if (!existsSync(join(folder, file.name))) return false;
  if (file.sha256 === undefined) return true;
  try {
    await readOriginal(published, folder, file);
    return true;
  } catch (error) {
    if (error instanceof SlalomError) return false;
    throw error;
  }
}

const fileName = ({ url }: RemoteFile): string => basename(new URL(url).pathname);

const optionNames = ["cache", "from", "signal", "proxy", "onProgress", "onRetry", "waitsMs", "stallMs"];

/** Where a file is fetched from. */
export function addressOf(remote: RemoteFile, from: string | undefined): string {
  if (from === undefined) return remote.url;
  const name = fileName(remote);
  if (isPath(from)) return join(from, name);
  if (/^https?:/i.test(from) && URL.canParse(from)) return `${from.replace(/\/+$/, "")}/${name}`;
  throw new SlalomError(
    "option",
    `fetch: received the address "${from}"; expected one such as https://mirror.example/data, or a folder.`,
  );
}
