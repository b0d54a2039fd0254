/**
 * Safetensors: tensors by name in one file that the usual tools read. Eight bytes with the length of a JSON header, the
 * header (dtype, shape, place of each tensor), then their bytes, little-endian. https://huggingface.co/docs/safetensors
 */
import { readFileSync } from "node:fs";
import { bytesOf, type DType, dtypes } from "../base/dtype.js";
import { SlalomError } from "../base/errors.js";
import { type HostTensor, sizeOf } from "../base/shape.js";
import { guarded, writeWhole } from "./files.js";

export interface Safetensors {
  readonly tensors: Readonly<Record<string, HostTensor>>;
  /** Texts by name; the format knows no others. */
  readonly metadata: Readonly<Record<string, string>>;
}

const formatNames: { readonly [D in DType]: string } = {
  float32: "F32",
  float64: "F64",
  int32: "I32",
  uint8: "U8",
};

/** Writes the file aside, flushes it and renames it: a reader finds the old one or the new one. `aside` as for `writeWhole`. */
export const writeSafetensors = (path: string, content: Safetensors, aside?: string): void =>
  writeWhole(path, encodeSafetensors(content), aside);

/** @throws SlalomError "store" for a file that can't be read or is none of this format */
export function readSafetensors(path: string): Safetensors {
  return decodeSafetensors(
    guarded("read", path, () => readFileSync(path)),
    path,
  );
}

export function encodeSafetensors({ tensors, metadata }: Safetensors): Uint8Array {
  let end = 0;
  const header: Record<string, unknown> = { __metadata__: metadata };
  for (const [name, { dtype, shape }] of Object.entries(tensors)) {
    const start = end;
    end += sizeOf(shape) * bytesOf(dtype);
    header[name] = { dtype: formatNames[dtype], shape, data_offsets: [start, end] };
  }
  const text = Buffer.from(JSON.stringify(header));
  // Spaces behind the header bring the tensors to a multiple of eight bytes.
  const headerBytes = Math.ceil(text.length / 8) * 8;
  const file = Buffer.alloc(8 + headerBytes + end, " ");
  file.writeBigUInt64LE(BigInt(headerBytes));
  text.copy(file, 8);
  let at = 8 + headerBytes;
  for (const { data } of Object.values(tensors)) {
    file.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), at);
    at += data.byteLength;
  }
  return file;
}

/** @param source names the bytes in errors */
export function decodeSafetensors(bytes: Uint8Array, source: string): Safetensors {
  const fail = (problem: string): never => {
    throw new SlalomError(
      "store",
      `${source} is no whole safetensors file: ${problem}. Delete it, or restore it from a copy.`,
    );
  };
  if (bytes.length < 8) fail(`it has ${bytes.length} bytes; expected a header's length in the first 8`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const headerBytes = Number(view.getBigUint64(0, true));
  const begin = 8 + headerBytes;
  if (begin > bytes.length) fail(`its header of ${headerBytes} bytes reaches beyond its end`);
  const header = parsed(bytes.subarray(8, begin)) ?? fail("its header is not JSON");
  const { __metadata__: metadata = {}, ...entries } = header;
  const tensors: Record<string, HostTensor> = {};
  for (const [name, entry] of Object.entries(entries)) {
    const dtype = (Object.keys(formatNames) as DType[]).find((one) => formatNames[one] === entry.dtype);
    if (dtype === undefined)
      return fail(`tensor "${name}" has dtype ${String(entry.dtype)}; expected F32, F64, I32 or U8`);
    const { shape, data_offsets: offsets } = entry;
    const [start, end] = Array.isArray(offsets) ? offsets : [];
    const isSound = Array.isArray(shape) && end - start === sizeOf(shape) * bytesOf(dtype) && start >= 0;
    if (!isSound || begin + end > bytes.length)
      fail(
        `tensor "${name}" of shape [${String(shape)}] lies at [${String(offsets)}] of ${bytes.length - begin} bytes`,
      );
    // A copy begins at an address that its type allows.
    const own = Uint8Array.from(bytes.subarray(begin + start, begin + end));
    tensors[name] = {
      shape,
      dtype,
      data: new dtypes[dtype].array(own.buffer, own.byteOffset, sizeOf(shape)),
    };
  }
  return { tensors, metadata: metadata as Record<string, string> };
}

interface HeaderEntry {
  readonly dtype?: unknown;
  readonly shape: number[];
  readonly data_offsets: number[];
}

function parsed(bytes: Uint8Array): (Record<string, HeaderEntry> & { __metadata__?: unknown }) | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(bytes).toString("utf8"));
    return typeof value === "object" && value !== null ? (value as Record<string, HeaderEntry>) : undefined;
  } catch {
    return undefined;
  }
}
