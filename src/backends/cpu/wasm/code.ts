/** Typed pieces of WebAssembly code: a value or a statement is its type and its bytes. */

export type ValueType = "i32" | "i64" | "f32" | "f64" | "v128";

/** What a piece of code leaves on the stack. */
export type ResultType = ValueType | "none";

/** Bytes, nested as they were put together: joined only once, when a function takes them. */
export type Bytes = readonly (number | Bytes)[];

/**
 * Bytes that compute one value of type `T`, or a statement where `T` is "none".
 *
 * Using one piece twice computes it twice: keep it in a local (`FunctionBuilder.let`) instead.
 */
export interface Code<T extends ResultType = ResultType> {
  readonly type: T;
  readonly bytes: Bytes;
}

/** A statement: code that leaves nothing on the stack. */
export type Statement = Code<"none">;

/** What instructions accept: code, or a plain number where the type has constants. */
export type Operand<T extends ValueType> =
  | Code<T>
  | (T extends "v128" ? never : T extends "i64" ? number | bigint : number);

export const valueTypeByte: { readonly [T in ValueType]: number } = {
  i32: 0x7f,
  i64: 0x7e,
  f32: 0x7d,
  f64: 0x7c,
  v128: 0x7b,
};

/** Byte that says "no result" in the type of a block. */
export const emptyBlockType = 0x40;

/** The constant of a scalar type. */
export function constant<T extends Exclude<ValueType, "v128">>(type: T, value: number | bigint): Code<T> {
  switch (type) {
    case "i32":
      return { type, bytes: [0x41, signedLeb32(Number(value) | 0)] };
    case "i64":
      return { type, bytes: [0x42, signedLeb(BigInt.asIntN(64, BigInt(value)))] };
    case "f32":
      return { type, bytes: [0x43, float32Bytes(Number(value))] };
    default:
      return { type, bytes: [0x44, float64Bytes(Number(value))] };
  }
}

/** An operand as bytes that push it. */
export function operandBytes<T extends ValueType>(type: T, operand: Operand<T>): Bytes {
  if (typeof operand === "object") return operand.bytes;
  return constant(type as Exclude<ValueType, "v128">, operand as number | bigint).bytes;
}

/** Appends nested bytes; one by one, as `push(...bytes)` overflows the stack on long bodies. */
export function append(target: number[], bytes: Bytes): void {
  for (const part of bytes) {
    if (typeof part === "number") target.push(part);
    else append(target, part);
  }
}

/** LEB128 of an unsigned integer below 2^53. */
export function unsignedLeb(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  while (rest >= 0x80) {
    bytes.push((rest % 0x80) + 0x80);
    rest = Math.floor(rest / 0x80);
  }
  bytes.push(rest);
  return bytes;
}

/** LEB128 of an int32. */
function signedLeb32(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  for (;;) {
    const low = rest & 0x7f;
    rest >>= 7;
    const done = (rest === 0 && (low & 0x40) === 0) || (rest === -1 && (low & 0x40) !== 0);
    bytes.push(done ? low : low | 0x80);
    if (done) return bytes;
  }
}

/** LEB128 of a signed integer of any width. */
export function signedLeb(value: number | bigint): number[] {
  const bytes: number[] = [];
  let rest = BigInt(value);
  for (;;) {
    const low = Number(rest & 0x7fn);
    rest >>= 7n;
    const done = (rest === 0n && (low & 0x40) === 0) || (rest === -1n && (low & 0x40) !== 0);
    bytes.push(done ? low : low | 0x80);
    if (done) return bytes;
  }
}

/** Little-endian bytes of a float32. */
export function float32Bytes(value: number): number[] {
  const view = new DataView(new ArrayBuffer(4));
  view.setFloat32(0, value, true);
  return [...new Uint8Array(view.buffer)];
}

/** Little-endian bytes of a float64. */
export function float64Bytes(value: number): number[] {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, value, true);
  return [...new Uint8Array(view.buffer)];
}

/** Little-endian bytes of an int32. */
export function int32Bytes(value: number): number[] {
  return [value & 255, (value >>> 8) & 255, (value >>> 16) & 255, (value >>> 24) & 255];
}

/** Little-endian bytes of an int64. */
export function int64Bytes(value: number | bigint): number[] {
  const bits = BigInt.asUintN(64, BigInt(value));
  return Array.from({ length: 8 }, (_, i) => Number((bits >> BigInt(8 * i)) & 255n));
}

/** A length-prefixed UTF-8 name. */
export function nameBytes(name: string): number[] {
  const bytes = [...new TextEncoder().encode(name)];
  return [...unsignedLeb(bytes.length), ...bytes];
}
