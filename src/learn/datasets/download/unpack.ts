/** Files out of an archive, by their names in whatever folders; each is written aside and renamed. */
import { randomBytes } from "node:crypto";
import { readFile, rename, rm, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { gunzipSync } from "node:zlib";
import { parseTar } from "nanotar";
import { SlalomError } from "../../../base/errors.js";
import type { NamedBytes } from "../formats/file.js";
import { extractZipEntry, readZipDirectory } from "../formats/zip.js";
import { diskFailure } from "./failure.js";

/**
 * Writes the named files of an archive into a folder.
 * @throws SlalomError "data" for a broken archive, a name that it lacks, or a disk that refuses
 */
export async function unpack(
  archive: { readonly path: string; readonly kind: "zip" | "tar.gz" },
  names: readonly string[],
  folder: string,
): Promise<void> {
  const source: NamedBytes = { file: archive.path, bytes: await readFile(archive.path) };
  const members = archive.kind === "zip" ? zipMembers(source) : tarMembers(source);
  const missing = names.find((name) => !members.has(name));
  if (missing !== undefined) {
    throw new SlalomError(
      "data",
      `archive "${archive.path}": received no file "${missing}" among ${members.size}; expected ${names.length} of the data set.`,
    );
  }
  for (const name of names) await place(join(folder, name), members.get(name)!());
}

/** Contents by file name; unpacked when they are asked for. */
type Members = ReadonlyMap<string, () => Uint8Array>;

const zip = { format: "zip", origin: "a zip archive" };

const zipMembers = (source: NamedBytes): Members =>
  new Map(
    readZipDirectory(zip, source).map((entry) => [
      basename(entry.path),
      () => extractZipEntry(zip, source, entry),
    ]),
  );

function tarMembers({ file, bytes }: NamedBytes): Members {
  try {
    // A copy: the reader takes the whole buffer beneath an array.
    const files = parseTar(new Uint8Array(gunzipSync(bytes)));
    return new Map(files.flatMap(({ name, data }) => (data ? [[basename(name), () => data]] : [])));
  } catch (cause) {
    throw new SlalomError(
      "data",
      `archive "${file}": received no whole tar.gz (${(cause as Error).message}); expected one. Download it again.`,
      { cause },
    );
  }
}

async function place(target: string, content: Uint8Array): Promise<void> {
  const aside = `${target}.${randomBytes(4).toString("hex")}.aside`;
  try {
    await writeFile(aside, content, { flush: true });
    await rename(aside, target);
  } catch (cause) {
    await rm(aside, { force: true });
    throw diskFailure(target, cause);
  }
}
