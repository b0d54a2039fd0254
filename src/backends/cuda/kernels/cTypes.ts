/** Element types and numbers as CUDA C writes them. */
import { type DType, isFloat, roundTo } from "../../../base/dtype.js";

export const cType: { readonly [D in DType]: string } = {
  float32: "float",
  float64: "double",
  int32: "int",
  uint8: "unsigned char",
};

/** The number as an element of `dtype`, exactly. */
export function literal(dtype: DType, value: number): string {
  if (!isFloat(dtype)) {
    const integer = roundTo(dtype, value);
    // The least integer has no literal of its own type.
    return integer === -(2 ** 31) ? "(-2147483647 - 1)" : `${integer}`;
  }
  const rounded = roundTo(dtype, value);
  if (Number.isNaN(rounded)) return `notANumber<${cType[dtype]}>()`;
  if (!Number.isFinite(rounded)) return `${rounded < 0 ? "-" : ""}infinity<${cType[dtype]}>()`;
  const digits = Object.is(rounded, -0) ? "-0" : `${rounded}`;
  const real = /[.e]/.test(digits) ? digits : `${digits}.0`;
  return dtype === "float32" ? `${real}f` : real;
}
