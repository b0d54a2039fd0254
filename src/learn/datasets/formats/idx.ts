/**
 * IDX, the format of MNIST: magic number 00 00 TYPE RANK, RANK extents as big-endian uint32, then the elements
 * row-major and big-endian; plain or gzip. Format: LeCun, Cortes and Burges, "The MNIST database".
 */

import { dtypeOf } from "../../../base/dtype.js";
import { type HostTensor, sizeOf } from "../../../base/shape.js";
import { type ElementType, elementBytes, readElements } from "./elements.js";
import { brokenFile, decompress, hex, type NamedBytes, readBytes, requireBytes } from "./file.js";

/**
 * The tensor in an IDX file, plain or gzip.
 *
 * Element types: ubyte as uint8; byte, short and int as int32; float as float32; double as float64.
 * Throws "data" with file, byte offset and expectation for a file that is missing, truncated, too long or no IDX.
 */
export const readIdx = async (file: string): Promise<HostTensor> => decodeIdx(await readBytes(file));

/** The tensor in the bytes of an IDX file, plain or gzip; throws as `readIdx` does. */
export function decodeIdx(source: NamedBytes): HostTensor {
  const content = decompress(source);
  const { file, bytes } = content;
  requireBytes("IDX", content, 0, 4, "the magic number");
  const element = elementTypes.get(bytes[2]);
  const rank = bytes[3];
  if (bytes[0] !== 0 || bytes[1] !== 0 || element === undefined) {
    throw brokenFile({
      format: "IDX",
      file,
      offset: element === undefined && bytes[0] === 0 && bytes[1] === 0 ? 2 : 0,
      received: `the magic number ${hex(bytes.subarray(0, 4))}`,
      expected:
        "00 00 TYPE RANK with TYPE one of 08 (ubyte), 09 (byte), 0b (short), 0c (int), 0d (float), 0e (double)",
      remedy: "Is it an IDX file?",
    });
  }
  const header = 4 + 4 * rank;
  requireBytes("IDX", content, 4, 4 * rank, `the extents of ${rank} axes`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, header);
  const shape = Array.from({ length: rank }, (_, axis) => view.getUint32(4 + 4 * axis, false));
  const count = sizeOf(shape);
  const length = count * elementBytes(element);
  requireBytes("IDX", content, header, length, `the data of shape [${shape.join(",")}]`);
  if (bytes.length > header + length) {
    throw brokenFile({
      format: "IDX",
      file,
      offset: header + length,
      received: `${bytes.length - header - length} bytes more`,
      expected: `the end of the file after the data of shape [${shape.join(",")}]`,
      remedy: "The extents in the header do not fit the data.",
    });
  }
  const data = readElements(content, { format: "IDX", offset: header, count, element, order: "big" });
  return { shape, dtype: dtypeOf(data), data };
}

const elementTypes: ReadonlyMap<number, ElementType> = new Map([
  [0x08, "u1"],
  [0x09, "i1"],
  [0x0b, "i2"],
  [0x0c, "i4"],
  [0x0d, "f4"],
  [0x0e, "f8"],
]);
