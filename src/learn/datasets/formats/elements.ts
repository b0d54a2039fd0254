/** Binary elements of data files to host arrays: byte order, and integers that no dtype holds widened to int32. */
import type { TypedArray } from "../../../base/dtype.js";
import { brokenFile, type NamedBytes } from "./file.js";

/** An element type as files store it: kind and bytes, in NumPy's letters (`b1` is a boolean byte). */
export type ElementType = "b1" | "u1" | "i1" | "u2" | "i2" | "u4" | "i4" | "u8" | "i8" | "f4" | "f8";

export type ByteOrder = "little" | "big";

/** Bytes of one stored element. */
export const elementBytes = (element: ElementType): number => Number(element[1]);

interface Region {
  readonly format: string;
  readonly offset: number;
  readonly count: number;
  readonly element: ElementType;
  readonly order: ByteOrder;
}

/**
 * The elements of a region as the dtype that holds them: f4 float32, f8 float64, u1 and b1 uint8, every other
 * integer int32. The region must lie within the bytes. u1 is a view of the file's bytes, the rest is a copy.
 *
 * Throws "data" with the element's offset for an integer outside int32, or a boolean byte that is not 0 or 1.
 */
export function readElements(source: NamedBytes, region: Region): TypedArray {
  const { bytes } = source;
  const { offset, count, element, order } = region;
  const width = elementBytes(element);
  const view = new DataView(bytes.buffer, bytes.byteOffset + offset, count * width);
  const little = order === "little";
  switch (element) {
    case "u1":
      return new Uint8Array(bytes.buffer, bytes.byteOffset + offset, count);
    case "b1":
      return Uint8Array.from({ length: count }, (_, i) => {
        const value = bytes[offset + i];
        if (value > 1) throw outOfRange(source, region, i, value, "a boolean, 0 or 1");
        return value;
      });
    case "i1":
      return Int32Array.from({ length: count }, (_, i) => view.getInt8(i));
    case "u2":
      return Int32Array.from({ length: count }, (_, i) => view.getUint16(i * 2, little));
    case "i2":
      return Int32Array.from({ length: count }, (_, i) => view.getInt16(i * 2, little));
    case "i4":
      return hostOrder(source, region, Int32Array);
    case "f4":
      return hostOrder(source, region, Float32Array);
    case "f8":
      return hostOrder(source, region, Float64Array);
    case "u4":
      return narrow(source, region, (i) => view.getUint32(i * 4, little));
    case "u8":
      return narrow(source, region, (i) => view.getBigUint64(i * 8, little));
    case "i8":
      return narrow(source, region, (i) => view.getBigInt64(i * 8, little));
  }
}

/** A copy, aligned and in the host's byte order. */
function hostOrder<A extends TypedArray>(
  { bytes }: NamedBytes,
  { offset, count, element, order }: Region,
  array: new (buffer: ArrayBuffer) => A,
): A {
  const width = elementBytes(element);
  const copy = Uint8Array.from(bytes.subarray(offset, offset + count * width));
  const hostIsLittle = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;
  if ((order === "little") !== hostIsLittle) {
    const swapped = Buffer.from(copy.buffer);
    if (width === 4) swapped.swap32();
    else swapped.swap64();
  }
  return new array(copy.buffer);
}

function narrow(source: NamedBytes, region: Region, read: (index: number) => number | bigint): Int32Array {
  const values = new Int32Array(region.count);
  for (let i = 0; i < region.count; i++) {
    const value = read(i);
    if (value > 2147483647 || value < -2147483648) {
      throw outOfRange(source, region, i, value, "an integer that int32 holds, -2147483648 to 2147483647");
    }
    values[i] = Number(value);
  }
  return values;
}

function outOfRange(
  source: NamedBytes,
  region: Region,
  index: number,
  value: number | bigint,
  expected: string,
) {
  return brokenFile({
    format: region.format,
    file: source.file,
    offset: region.offset + index * elementBytes(region.element),
    received: `element ${index} = ${value}`,
    expected,
  });
}
