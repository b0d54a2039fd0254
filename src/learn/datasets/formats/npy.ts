/**
 * NumPy's .npy: magic number, version, header length, a Python dictionary with element type, order and shape,
 * then the elements. Format: NumPy Enhancement Proposal 1 and `numpy.lib.format`, versions 1.0 to 3.0.
 */
import { allocate, dtypeOf, type TypedArray } from "../../../base/dtype.js";
import { type HostTensor, type Shape, sizeOf, stridesOf } from "../../../base/shape.js";
import { type ByteOrder, type ElementType, elementBytes, readElements } from "./elements.js";
import { brokenFile, hex, type NamedBytes, readBytes, requireBytes } from "./file.js";

/**
 * The tensor in a .npy file, row-major also where the file is in Fortran order.
 *
 * Element types: f4 as float32, f8 as float64, u1 and bool as uint8, all other integers as int32 (a value outside
 * int32 is an error); little and big endian.
 * Throws "data" with file, byte offset and expectation for a file that is missing, truncated, too long or no .npy.
 */
export const readNpy = async (file: string): Promise<HostTensor> => decodeNpy(await readBytes(file));

/** The tensor in the bytes of a .npy file; throws as `readNpy` does. */
export function decodeNpy(source: NamedBytes): HostTensor {
  const { file, bytes } = source;
  const header = readHeader(source);
  const { shape, element, order, dataOffset } = header;
  const count = sizeOf(shape);
  const length = count * elementBytes(element);
  requireBytes(format, source, dataOffset, length, `the data of shape [${shape.join(",")}]`);
  if (bytes.length > dataOffset + length) {
    throw brokenFile({
      format,
      file,
      offset: dataOffset + length,
      received: `${bytes.length - dataOffset - length} bytes more`,
      expected: `the end of the file after the data of shape [${shape.join(",")}]`,
      remedy: "Is there more than one array in it? Save them with numpy.savez.",
    });
  }
  const stored = readElements(source, { format, offset: dataOffset, count, element, order });
  const data = header.fortranOrder ? toRowMajor(stored, shape) : stored;
  return { shape, dtype: dtypeOf(data), data };
}

const format = "NPY";
const elements: readonly ElementType[] = ["f4", "f8", "b1", "u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8"];

interface Header {
  readonly shape: Shape;
  readonly element: ElementType;
  readonly order: ByteOrder;
  readonly fortranOrder: boolean;
  readonly dataOffset: number;
}

function readHeader(source: NamedBytes): Header {
  const { file, bytes } = source;
  requireBytes(format, source, 0, 8, "the magic number and the version");
  if (hex(bytes.subarray(0, 6)) !== "93 4e 55 4d 50 59") {
    throw brokenFile({
      format,
      file,
      offset: 0,
      received: `the magic number ${hex(bytes.subarray(0, 6))}`,
      expected: '93 4e 55 4d 50 59 ("\\x93NUMPY")',
      remedy: "Is it a file of numpy.save?",
    });
  }
  const version = bytes[6];
  if (version < 1 || version > 3 || bytes[7] !== 0) {
    const received = `version ${version}.${bytes[7]}`;
    throw brokenFile({ format, file, offset: 6, received, expected: "version 1.0, 2.0 or 3.0" });
  }
  const lengthBytes = version === 1 ? 2 : 4;
  requireBytes(format, source, 8, lengthBytes, "the length of the header");
  const view = new DataView(bytes.buffer, bytes.byteOffset + 8, lengthBytes);
  const headerLength = version === 1 ? view.getUint16(0, true) : view.getUint32(0, true);
  const headerOffset = 8 + lengthBytes;
  requireBytes(format, source, headerOffset, headerLength, "the header");
  const dictionary = bytes.subarray(headerOffset, headerOffset + headerLength);
  const text = new TextDecoder(version === 3 ? "utf-8" : "latin1").decode(dictionary);
  return { ...parseHeader(file, headerOffset, text), dataOffset: headerOffset + headerLength };
}

/** Reads e.g. `{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }`. */
function parseHeader(file: string, headerOffset: number, text: string): Omit<Header, "dataOffset"> {
  const entry = (key: string, value: RegExp, expected: string): string => {
    const found = new RegExp(`'${key}'\\s*:\\s*`).exec(text);
    const start = found === null ? 0 : found.index + found[0].length;
    const match = found === null ? null : value.exec(text.slice(start));
    if (match !== null) return match[1];
    const received =
      found === null ? `a header without '${key}'` : `'${key}': ${text.slice(start, start + 32).trim()}`;
    throw brokenFile({ format, file, offset: headerOffset + start, received, expected });
  };
  const known = `one array of a plain type: ${elements.map((name) => `'<${name}'`).join(", ")}, or '>' for big endian`;
  const descr = entry("descr", /^'([<>=|]?[a-zA-Z]\d+)'/, known);
  const element = elements.find((name) => name === descr.replace(/^[<>=|]/, ""));
  if (element === undefined) {
    const offset = headerOffset + text.indexOf(descr);
    const remedy = "Convert it in NumPy with .astype(numpy.float32).";
    throw brokenFile({
      format,
      file,
      offset,
      received: `the element type '${descr}'`,
      expected: known,
      remedy,
    });
  }
  const fortran = entry("fortran_order", /^(True|False)\b/, "'fortran_order': True or False");
  const extents = entry("shape", /^\(((?:\s*\d+\s*,?)*)\s*\)/, "'shape': a tuple of extents such as (3, 4)");
  return {
    shape: extents.split(",").flatMap((extent) => (extent.trim() === "" ? [] : [Number(extent)])),
    element,
    order: descr.startsWith(">") ? "big" : "little",
    fortranOrder: fortran === "True",
  };
}

/** Column-major to row-major: element i of the result is taken at the same index counted from the first axis. */
function toRowMajor(stored: TypedArray, shape: Shape): TypedArray {
  const rowMajor = allocate(dtypeOf(stored), stored.length);
  const strides = stridesOf(shape);
  const columnStrides = shape.map((_, axis) => sizeOf(shape.slice(0, axis)));
  for (let i = 0; i < stored.length; i++) {
    let from = 0;
    for (let axis = 0; axis < shape.length; axis++) {
      from += (Math.floor(i / strides[axis]) % shape[axis]) * columnStrides[axis];
    }
    rowMajor[i] = stored[from];
  }
  return rowMajor;
}
