/**
 * Zip archives whose entries are stored or deflated. The directory is read here because fflate checks no CRC-32 and
 * knows no offsets; its inflate does the decompression.
 * Format: PKWARE APPNOTE 6.3, sections 4.3.7 (local header), 4.3.12 (central directory), 4.3.16 (its end).
 */
import { inflateSync } from "fflate";
import { brokenFile, type NamedBytes, requireBytes } from "./file.js";

/** What the archive is to its reader, for messages: "NPZ" and "a file of numpy.savez". */
export interface ZipKind {
  readonly format: string;
  readonly origin: string;
}

export interface ZipEntry {
  readonly path: string;
  readonly method: number;
  readonly crc: number;
  readonly compressedSize: number;
  readonly size: number;
  /** Where the local header starts. */
  readonly offset: number;
}

/** The entries in the directory's order; throws "data" with file, byte offset and expectation where it is broken. */
export function readZipDirectory(kind: ZipKind, source: NamedBytes): ZipEntry[] {
  const { file, bytes } = source;
  const { format } = kind;
  const view = viewOf(bytes);
  const end = findEnd(kind, source, view);
  const count = view.getUint16(end + 10, true);
  const entries: ZipEntry[] = [];
  let at = view.getUint32(end + 16, true);
  for (let i = 0; i < count; i++) {
    requireBytes(format, source, at, 46, `entry ${i} of the central directory`);
    requireSignature(format, source, view, at, signatures.central, `entry ${i} of the central directory`);
    const nameLength = view.getUint16(at + 28, true);
    requireBytes(format, source, at + 46, nameLength, `the name of entry ${i}`);
    const path = new TextDecoder().decode(bytes.subarray(at + 46, at + 46 + nameLength));
    const entry: ZipEntry = {
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
      throw brokenFile({
        format,
        file,
        offset: at + 20,
        received: `"${path}" of 4 GiB or more`,
        expected: "less",
      });
    }
    entries.push(entry);
    at += 46 + nameLength + view.getUint16(at + 30, true) + view.getUint16(at + 32, true);
  }
  return entries;
}

const signatures = { local: 0x04034b50, central: 0x02014b50, end: 0x06054b50 };

/** The end record, searched backwards because a comment of up to 65,535 bytes may follow it. */
function findEnd({ format, origin }: ZipKind, { file, bytes }: NamedBytes, view: DataView): number {
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
    remedy: isZip ? "The file looks truncated: copy or download it again." : `Is it ${origin}?`,
  });
}

/** An entry's content, checked by size and CRC-32; throws "data" where it is broken. */
export function extractZipEntry({ format }: ZipKind, source: NamedBytes, entry: ZipEntry): Uint8Array {
  const { file, bytes } = source;
  const view = viewOf(bytes);
  requireBytes(format, source, entry.offset, 30, `the header of "${entry.path}"`);
  requireSignature(format, source, view, entry.offset, signatures.local, `the header of "${entry.path}"`);
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
  format: string,
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
