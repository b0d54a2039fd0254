/**
 * NumPy's .npz: a zip archive with one .npy per array, stored or deflated. The directory is read here because
 * fflate checks no CRC-32 and knows no offsets; its inflate does the decompression.
 * Format: PKWARE APPNOTE 6.3, sections 4.3.7 (local header), 4.3.12 (central directory), 4.3.16 (its end).
 */
import { inflateSync } from "fflate";
import { SlalomError, unknownName } from "../../../base/errors.js";
import type { HostTensor } from "../../../base/shape.js";
import { brokenFile, type NamedBytes, readBytes, requireBytes } from "./file.js";
import { decodeNpy } from "./npy.js";

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
  const entries = readDirectory(source);
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
      return decodeNpy({ file: `${source.file}:${entry.path}`, bytes: extract(source, entry) });
    },
  };
}

const format = "NPZ";
const signatures = { local: 0x04034b50, central: 0x02014b50, end: 0x06054b50 };

interface Entry {
  readonly path: string;
  readonly method: number;
  readonly crc: number;
  readonly compressedSize: number;
  readonly size: number;
  /** Where the local header starts. */
  readonly offset: number;
}

function readDirectory(source: NamedBytes): Map<string, Entry> {
  const { file, bytes } = source;
  const view = viewOf(bytes);
  const end = findEnd(source, view);
  const count = view.getUint16(end + 10, true);
  const entries = new Map<string, Entry>();
  let at = view.getUint32(end + 16, true);
  for (let i = 0; i < count; i++) {
    requireBytes(format, source, at, 46, `entry ${i} of the central directory`);
    requireSignature(source, view, at, signatures.central, `entry ${i} of the central directory`);
    const nameLength = view.getUint16(at + 28, true);
    requireBytes(format, source, at + 46, nameLength, `the name of entry ${i}`);
    const path = new TextDecoder().decode(bytes.subarray(at + 46, at + 46 + nameLength));
    const entry: Entry = {
      path,
      method: view.getUint16(at + 10, true),
      crc: view.getUint32(at + 16, true),
      compressedSize: view.getUint32(at + 20, true),
      size: view.getUint32(at + 24, true),
      offset: view.getUint32(at + 42, true),
    };
    if ((view.getUint16(at + 8, true) & 1) !== 0) {
      throw brokenFile({
        format,
        file,
        offset: at + 8,
        received: `an encrypted entry "${path}"`,
        expected: "a plain one",
      });
    }
    if (entry.size === 0xffffffff || entry.compressedSize === 0xffffffff || entry.offset === 0xffffffff) {
      const remedy = "Save the arrays as single .npy files.";
      throw brokenFile({
        format,
        file,
        offset: at + 20,
        received: `"${path}" of 4 GiB or more`,
        expected: "less",
        remedy,
      });
    }
    if (path.endsWith(".npy")) entries.set(path.slice(0, -4), entry);
    at += 46 + nameLength + view.getUint16(at + 30, true) + view.getUint16(at + 32, true);
  }
  return entries;
}

/** The end record, searched backwards because a comment of up to 65,535 bytes may follow it. */
function findEnd({ file, bytes }: NamedBytes, view: DataView): number {
  for (let at = bytes.length - 22; at >= Math.max(0, bytes.length - 22 - 0xffff); at--) {
    if (
      view.getUint32(at, true) === signatures.end &&
      at + 22 + view.getUint16(at + 20, true) === bytes.length
    )
      return at;
  }
  const isZip = bytes.length >= 4 && view.getUint32(0, true) === signatures.local;
  throw brokenFile({
    format,
    file,
    offset: isZip ? bytes.length : 0,
    received: isZip ? "the end of the file without a zip directory" : "no zip archive",
    expected: "a zip archive that starts with 50 4b 03 04 and ends with its directory",
    remedy: isZip ? "The file looks truncated: copy or download it again." : "Is it a file of numpy.savez?",
  });
}

function extract(source: NamedBytes, entry: Entry): Uint8Array {
  const { file, bytes } = source;
  const view = viewOf(bytes);
  requireBytes(format, source, entry.offset, 30, `the header of "${entry.path}"`);
  requireSignature(source, view, entry.offset, signatures.local, `the header of "${entry.path}"`);
  const start =
    entry.offset + 30 + view.getUint16(entry.offset + 26, true) + view.getUint16(entry.offset + 28, true);
  requireBytes(format, source, start, entry.compressedSize, `the content of "${entry.path}"`);
  const packed = bytes.subarray(start, start + entry.compressedSize);
  const fault = (received: string, expected: string, cause?: unknown) =>
    brokenFile(
      { format, file, offset: start, received, expected, remedy: "Copy or download the file again." },
      cause,
    );
  if (entry.method !== 0 && entry.method !== 8) {
    throw fault(`"${entry.path}" packed by method ${entry.method}`, "method 0 (stored) or 8 (deflated)");
  }
  let content = packed;
  if (entry.method === 8) {
    try {
      content = inflateSync(packed);
    } catch (cause) {
      throw fault(
        `"${entry.path}" that does not inflate (${(cause as Error).message})`,
        "a deflate stream",
        cause,
      );
    }
  }
  if (content.length !== entry.size) {
    throw fault(`${content.length} bytes in "${entry.path}"`, `${entry.size}, as the directory says`);
  }
  const crc = crc32(content);
  if (crc !== entry.crc) {
    throw fault(`"${entry.path}" with CRC-32 ${hex32(crc)}`, `${hex32(entry.crc)}, as the directory says`);
  }
  return content;
}

function requireSignature(
  { file }: NamedBytes,
  view: DataView,
  at: number,
  signature: number,
  what: string,
): void {
  const received = view.getUint32(at, true);
  if (received === signature) return;
  throw brokenFile({
    format,
    file,
    offset: at,
    received: hex32(received),
    expected: `${hex32(signature)}, which starts ${what}`,
  });
}

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.length);

const hex32 = (value: number): string => `0x${value.toString(16).padStart(8, "0")}`;

/** CRC-32 of ISO 3309, as zip uses it. `node:zlib` has it only in newer releases than Slalom asks for. */
function crc32(bytes: Uint8Array): number {
  const table = Uint32Array.from({ length: 256 }, (_, index) => {
    let value = index;
    for (let bit = 0; bit < 8; bit++) value = (value & 1) !== 0 ? 0xedb88320 ^ (value >>> 1) : value >>> 1;
    return value;
  });
  let crc = 0xffffffff;
  for (let i = 0; i < bytes.length; i++) crc = table[(crc ^ bytes[i]) & 255] ^ (crc >>> 8);
  return (crc ^ 0xffffffff) >>> 0;
}
