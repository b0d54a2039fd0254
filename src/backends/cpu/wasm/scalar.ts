/**
 * Scalar instructions under their WebAssembly names: `i32.add(a, 4)`, `f32.load(address, 16)`.
 * Operands are code or plain numbers; a number becomes a constant of the operand's type.
 */
import {
  type Bytes,
  type Code,
  constant,
  type Operand,
  operandBytes,
  type Statement,
  type ValueType,
} from "./code.js";
import { binary, load, opcodeBytes, store, unary } from "./shapes.js";

export const i32 = {
  /** The constant `value`; 2^31 and above wrap, so unsigned constants may be given as such. */
  const: (value: number): Code<"i32"> => constant("i32", value),
  ...load("i32", 4, { load: 0x28 }),
  ...load("i32", 1, { load8_s: 0x2c, load8_u: 0x2d }),
  ...load("i32", 2, { load16_s: 0x2e, load16_u: 0x2f }),
  ...store("i32", 4, { store: 0x36 }),
  ...store("i32", 1, { store8: 0x3a }),
  ...store("i32", 2, { store16: 0x3b }),
  ...unary("i32", "i32", {
    eqz: 0x45,
    clz: 0x67,
    ctz: 0x68,
    popcnt: 0x69,
    extend8_s: 0xc0,
    extend16_s: 0xc1,
  }),
  ...binary("i32", "i32", { eq: 0x46, ne: 0x47, lt_s: 0x48, lt_u: 0x49, gt_s: 0x4a, gt_u: 0x4b }),
  ...binary("i32", "i32", { le_s: 0x4c, le_u: 0x4d, ge_s: 0x4e, ge_u: 0x4f }),
  ...binary("i32", "i32", {
    add: 0x6a,
    sub: 0x6b,
    mul: 0x6c,
    div_s: 0x6d,
    div_u: 0x6e,
    rem_s: 0x6f,
    rem_u: 0x70,
  }),
  ...binary("i32", "i32", { and: 0x71, or: 0x72, xor: 0x73, shl: 0x74, shr_s: 0x75, shr_u: 0x76 }),
  ...binary("i32", "i32", { rotl: 0x77, rotr: 0x78 }),
  ...unary("i64", "i32", { wrap_i64: 0xa7 }),
  ...unary("f32", "i32", { trunc_f32_s: 0xa8, trunc_f32_u: 0xa9, reinterpret_f32: 0xbc }),
  ...unary("f64", "i32", { trunc_f64_s: 0xaa, trunc_f64_u: 0xab }),
  ...unary("f32", "i32", { trunc_sat_f32_s: [0xfc, 0], trunc_sat_f32_u: [0xfc, 1] }),
  ...unary("f64", "i32", { trunc_sat_f64_s: [0xfc, 2], trunc_sat_f64_u: [0xfc, 3] }),
};

export const i64 = {
  const: (value: number | bigint): Code<"i64"> => constant("i64", value),
  ...load("i64", 8, { load: 0x29 }),
  ...load("i64", 1, { load8_s: 0x30, load8_u: 0x31 }),
  ...load("i64", 2, { load16_s: 0x32, load16_u: 0x33 }),
  ...load("i64", 4, { load32_s: 0x34, load32_u: 0x35 }),
  ...store("i64", 8, { store: 0x37 }),
  ...store("i64", 1, { store8: 0x3c }),
  ...store("i64", 2, { store16: 0x3d }),
  ...store("i64", 4, { store32: 0x3e }),
  ...unary("i64", "i32", { eqz: 0x50 }),
  ...binary("i64", "i32", { eq: 0x51, ne: 0x52, lt_s: 0x53, lt_u: 0x54, gt_s: 0x55, gt_u: 0x56 }),
  ...binary("i64", "i32", { le_s: 0x57, le_u: 0x58, ge_s: 0x59, ge_u: 0x5a }),
  ...unary("i64", "i64", { clz: 0x79, ctz: 0x7a, popcnt: 0x7b }),
  ...binary("i64", "i64", {
    add: 0x7c,
    sub: 0x7d,
    mul: 0x7e,
    div_s: 0x7f,
    div_u: 0x80,
    rem_s: 0x81,
    rem_u: 0x82,
  }),
  ...binary("i64", "i64", { and: 0x83, or: 0x84, xor: 0x85, shl: 0x86, shr_s: 0x87, shr_u: 0x88 }),
  ...binary("i64", "i64", { rotl: 0x89, rotr: 0x8a }),
  ...unary("i32", "i64", { extend_i32_s: 0xac, extend_i32_u: 0xad }),
  ...unary("f32", "i64", { trunc_f32_s: 0xae, trunc_f32_u: 0xaf }),
  ...unary("f64", "i64", { trunc_f64_s: 0xb0, trunc_f64_u: 0xb1, reinterpret_f64: 0xbd }),
  ...unary("f32", "i64", { trunc_sat_f32_s: [0xfc, 4], trunc_sat_f32_u: [0xfc, 5] }),
  ...unary("f64", "i64", { trunc_sat_f64_s: [0xfc, 6], trunc_sat_f64_u: [0xfc, 7] }),
  ...unary("i64", "i64", { extend8_s: 0xc2, extend16_s: 0xc3, extend32_s: 0xc4 }),
};

export const f32 = {
  const: (value: number): Code<"f32"> => constant("f32", value),
  ...load("f32", 4, { load: 0x2a }),
  ...store("f32", 4, { store: 0x38 }),
  ...binary("f32", "i32", { eq: 0x5b, ne: 0x5c, lt: 0x5d, gt: 0x5e, le: 0x5f, ge: 0x60 }),
  ...unary("f32", "f32", {
    abs: 0x8b,
    neg: 0x8c,
    ceil: 0x8d,
    floor: 0x8e,
    trunc: 0x8f,
    nearest: 0x90,
    sqrt: 0x91,
  }),
  ...binary("f32", "f32", {
    add: 0x92,
    sub: 0x93,
    mul: 0x94,
    div: 0x95,
    min: 0x96,
    max: 0x97,
    copysign: 0x98,
  }),
  ...unary("i32", "f32", { convert_i32_s: 0xb2, convert_i32_u: 0xb3, reinterpret_i32: 0xbe }),
  ...unary("i64", "f32", { convert_i64_s: 0xb4, convert_i64_u: 0xb5 }),
  ...unary("f64", "f32", { demote_f64: 0xb6 }),
};

export const f64 = {
  const: (value: number): Code<"f64"> => constant("f64", value),
  ...load("f64", 8, { load: 0x2b }),
  ...store("f64", 8, { store: 0x39 }),
  ...binary("f64", "i32", { eq: 0x61, ne: 0x62, lt: 0x63, gt: 0x64, le: 0x65, ge: 0x66 }),
  ...unary("f64", "f64", {
    abs: 0x99,
    neg: 0x9a,
    ceil: 0x9b,
    floor: 0x9c,
    trunc: 0x9d,
    nearest: 0x9e,
    sqrt: 0x9f,
  }),
  ...binary("f64", "f64", {
    add: 0xa0,
    sub: 0xa1,
    mul: 0xa2,
    div: 0xa3,
    min: 0xa4,
    max: 0xa5,
    copysign: 0xa6,
  }),
  ...unary("i32", "f64", { convert_i32_s: 0xb7, convert_i32_u: 0xb8 }),
  ...unary("i64", "f64", { convert_i64_s: 0xb9, convert_i64_u: 0xba, reinterpret_i64: 0xbf }),
  ...unary("f32", "f64", { promote_f32: 0xbb }),
};

export const memory = {
  /** Fills `bytes` bytes at `address` with the low byte of `value`. */
  fill: (address: Operand<"i32">, value: Operand<"i32">, bytes: Operand<"i32">): Statement => ({
    type: "none",
    bytes: [i32s(address, value, bytes), opcodeBytes([0xfc, 11]), 0],
  }),
  /** Copies `bytes` bytes from `source` to `target`; they may overlap. */
  copy: (target: Operand<"i32">, source: Operand<"i32">, bytes: Operand<"i32">): Statement => ({
    type: "none",
    bytes: [i32s(target, source, bytes), opcodeBytes([0xfc, 10]), 0, 0],
  }),
  /** Current size in pages of 64 KiB. */
  size: (): Code<"i32"> => ({ type: "i32", bytes: [0x3f, 0] }),
};

/** `ifTrue` where `condition` is not zero, else `ifFalse`; both are computed. */
export function select<T extends ValueType>(
  condition: Operand<"i32">,
  ifTrue: Code<T>,
  ifFalse: Code<T>,
): Code<T> {
  const type = ifTrue.type;
  return { type, bytes: [ifTrue.bytes, ifFalse.bytes, operandBytes("i32", condition), 0x1b] };
}

function i32s(...operands: Operand<"i32">[]): Bytes {
  return operands.map((operand) => operandBytes("i32", operand));
}
