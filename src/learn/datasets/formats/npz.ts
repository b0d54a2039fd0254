/** NumPy's .npz: a zip archive with one .npy per array. */
import { SlalomError, unknownName } from "../../../base/errors.js";
import type { HostTensor } from "../../../base/shape.js";
import { type NamedBytes, readBytes } from "./file.js";
import { decodeNpy } from "./npy.js";
import { extractZipEntry, readZipDirectory } from "./zip.js";

/** The arrays of a .npz file: their names, and each decoded when it is asked for. */
export interface NpzArchive {
  readonly file: string;
  readonly names: readonly string[];
  /** The array of that name; throws "data" for an unknown name or a broken entry. */
  get(name: string): HostTensor;
}

/** Opens a .npz file; throws "data" with file, byte offset and expectation if it is missing or broken. */
export const readNpz = async (file: string): Promise<NpzArchive> => openNpz(await readBytes(file));

/** Opens the bytes of a .npz file; throws as `readNpz` does. */
export function openNpz(source: NamedBytes): NpzArchive {
  const arrays = readZipDirectory(kind, source).filter(({ path }) => path.endsWith(".npy"));
  const entries = new Map(arrays.map((entry) => [entry.path.slice(0, -4), entry]));
  const names = [...entries.keys()];
  if (names.length === 0) {
    throw new SlalomError(
      "data",
      `NPZ file "${source.file}": received an archive without a .npy entry; expected one or more.`,
    );
  }
  return {
    file: source.file,
    names,
    get(name) {
      const entry = entries.get(name);
      if (entry === undefined) throw unknownName(`array of NPZ file "${source.file}"`, name, names, "data");
      return decodeNpy({ file: `${source.file}:${entry.path}`, bytes: extractZipEntry(kind, source, entry) });
    },
  };
}

const kind = { format: "NPZ", origin: "a file of numpy.savez" };
