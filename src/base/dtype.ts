/** Element types of tensors and the typed arrays that hold them on the host. */

export type DType = "float32" | "float64" | "int32" | "uint8";

export type TypedArray = Float32Array | Float64Array | Int32Array | Uint8Array;

interface DTypeInfo {
  readonly bytes: number;
  /** As error messages and printed graphs write it. */
  readonly short: string;
  readonly array: {
    new (length: number): TypedArray;
    new (buffer: ArrayBufferLike, byteOffset: number, length: number): TypedArray;
  };
}

export const dtypes: { readonly [D in DType]: DTypeInfo } = {
  float32: { bytes: 4, short: "f32", array: Float32Array },
  float64: { bytes: 8, short: "f64", array: Float64Array },
  int32: { bytes: 4, short: "i32", array: Int32Array },
  uint8: { bytes: 1, short: "u8", array: Uint8Array },
};

export const isFloat = (dtype: DType): boolean => dtype === "float32" || dtype === "float64";

/** Bytes of one element. */
export const bytesOf = (dtype: DType): number => dtypes[dtype].bytes;

/** A zeroed host array. */
export const allocate = (dtype: DType, length: number): TypedArray => new dtypes[dtype].array(length);

/** The value as an element of `dtype` would hold it: rounded to float32, wrapped to int32 or uint8. */
export function roundTo(dtype: DType, value: number): number {
  switch (dtype) {
    case "float32":
      return Math.fround(value);
    case "float64":
      return value;
    case "int32":
      return value | 0;
    case "uint8":
      return value & 255;
  }
}

/** The dtype of a host array. */
export function dtypeOf(array: TypedArray): DType {
  if (array instanceof Float32Array) return "float32";
  if (array instanceof Float64Array) return "float64";
  if (array instanceof Int32Array) return "int32";
  return "uint8";
}
