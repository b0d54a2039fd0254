/** The few shapes that instructions come in; the tables of scalar.ts and simd.ts are built from them. */
import {
  type Bytes,
  type Code,
  type Operand,
  operandBytes,
  type Statement,
  unsignedLeb,
  type ValueType,
} from "./code.js";

/** An opcode: one byte, or a prefix (0xfc, 0xfd) and a number. */
export type Opcode = number | readonly [prefix: number, code: number];

/** Name of an instruction to its opcode. */
type Opcodes<K extends string> = { readonly [N in K]: Opcode };

export type Unary<A extends ValueType, R extends ValueType> = (a: Operand<A>) => Code<R>;
export type Binary<A extends ValueType, B extends ValueType, R extends ValueType> = (
  a: Operand<A>,
  b: Operand<B>,
) => Code<R>;
export type Ternary<A extends ValueType, R extends ValueType> = (
  a: Operand<A>,
  b: Operand<A>,
  c: Operand<A>,
) => Code<R>;
/** Reads at `address + offsetBytes`. */
export type Load<R extends ValueType> = (address: Operand<"i32">, offsetBytes?: number) => Code<R>;
/** Writes `value` at `address + offsetBytes`. */
export type Store<A extends ValueType> = (
  address: Operand<"i32">,
  value: Operand<A>,
  offsetBytes?: number,
) => Statement;
/** Reads one lane of `vector` at `address + offsetBytes`, the other lanes stay. */
export type LoadLane = (
  lane: number,
  address: Operand<"i32">,
  vector: Code<"v128">,
  offsetBytes?: number,
) => Code<"v128">;
/** Writes one lane of `vector` at `address + offsetBytes`. */
export type StoreLane = (
  lane: number,
  address: Operand<"i32">,
  vector: Code<"v128">,
  offsetBytes?: number,
) => Statement;

export function opcodeBytes(opcode: Opcode): number[] {
  return typeof opcode === "number" ? [opcode] : [opcode[0], ...unsignedLeb(opcode[1])];
}

export function unary<K extends string, A extends ValueType, R extends ValueType>(
  input: A,
  result: R,
  opcodes: Opcodes<K>,
): Record<K, Unary<A, R>> {
  return each(opcodes, (opcode) => (a: Operand<A>) => ({
    type: result,
    bytes: [operandBytes(input, a), opcode],
  }));
}

export function binary<K extends string, A extends ValueType, R extends ValueType>(
  input: A,
  result: R,
  opcodes: Opcodes<K>,
): Record<K, Binary<A, A, R>> {
  return each(opcodes, (opcode) => (a: Operand<A>, b: Operand<A>) => ({
    type: result,
    bytes: [operandBytes(input, a), operandBytes(input, b), opcode],
  }));
}

export function ternary<K extends string, A extends ValueType, R extends ValueType>(
  input: A,
  result: R,
  opcodes: Opcodes<K>,
): Record<K, Ternary<A, R>> {
  return each(opcodes, (opcode) => (a: Operand<A>, b: Operand<A>, c: Operand<A>) => ({
    type: result,
    bytes: [operandBytes(input, a), operandBytes(input, b), operandBytes(input, c), opcode],
  }));
}

/** Shifts of all lanes by one scalar number of bits. */
export function shift<K extends string>(opcodes: Opcodes<K>): Record<K, Binary<"v128", "i32", "v128">> {
  return each(opcodes, (opcode) => (a: Operand<"v128">, bits: Operand<"i32">) => ({
    type: "v128",
    bytes: [operandBytes("v128", a), operandBytes("i32", bits), opcode],
  }));
}

export function load<K extends string, R extends ValueType>(
  result: R,
  naturalBytes: number,
  opcodes: Opcodes<K>,
): Record<K, Load<R>> {
  return each(opcodes, (opcode) => (address: Operand<"i32">, offsetBytes = 0) => ({
    type: result,
    bytes: [operandBytes("i32", address), opcode, memoryArgument(naturalBytes, offsetBytes)],
  }));
}

export function store<K extends string, A extends ValueType>(
  input: A,
  naturalBytes: number,
  opcodes: Opcodes<K>,
): Record<K, Store<A>> {
  return each(opcodes, (opcode) => (address: Operand<"i32">, value: Operand<A>, offsetBytes = 0) => ({
    type: "none",
    bytes: [
      operandBytes("i32", address),
      operandBytes(input, value),
      opcode,
      memoryArgument(naturalBytes, offsetBytes),
    ],
  }));
}

export function loadLane<K extends string>(naturalBytes: number, opcodes: Opcodes<K>): Record<K, LoadLane> {
  return each(opcodes, (opcode) => (lane, address, vector, offsetBytes = 0) => ({
    type: "v128",
    bytes: laneAccess(opcode, naturalBytes, lane, address, vector, offsetBytes),
  }));
}

export function storeLane<K extends string>(naturalBytes: number, opcodes: Opcodes<K>): Record<K, StoreLane> {
  return each(opcodes, (opcode) => (lane, address, vector, offsetBytes = 0) => ({
    type: "none",
    bytes: laneAccess(opcode, naturalBytes, lane, address, vector, offsetBytes),
  }));
}

/** Reads lane `lane` of a vector. */
export function extractLane<K extends string, R extends ValueType>(
  result: R,
  opcodes: Opcodes<K>,
): Record<K, (a: Code<"v128">, lane: number) => Code<R>> {
  return each(opcodes, (opcode) => (a: Code<"v128">, lane: number) => ({
    type: result,
    bytes: [a.bytes, opcode, lane],
  }));
}

/** The vector with lane `lane` replaced. */
export function replaceLane<K extends string, A extends ValueType>(
  input: A,
  opcodes: Opcodes<K>,
): Record<K, (a: Code<"v128">, lane: number, value: Operand<A>) => Code<"v128">> {
  return each(opcodes, (opcode) => (a: Code<"v128">, lane: number, value: Operand<A>) => ({
    type: "v128",
    bytes: [a.bytes, operandBytes(input, value), opcode, lane],
  }));
}

function laneAccess(
  opcode: readonly number[],
  naturalBytes: number,
  lane: number,
  address: Operand<"i32">,
  vector: Code<"v128">,
  offsetBytes: number,
): Bytes {
  return [
    operandBytes("i32", address),
    vector.bytes,
    opcode,
    memoryArgument(naturalBytes, offsetBytes),
    lane,
  ];
}

/** Alignment hint (log2 of bytes; only a hint, unaligned access is right everywhere) and offset. */
function memoryArgument(naturalBytes: number, offsetBytes: number): number[] {
  return [Math.log2(naturalBytes), ...unsignedLeb(offsetBytes)];
}

function each<K extends string, F>(
  opcodes: Opcodes<K>,
  make: (opcode: readonly number[]) => F,
): Record<K, F> {
  const made = {} as Record<K, F>;
  for (const name of Object.keys(opcodes) as K[]) made[name] = make(opcodeBytes(opcodes[name]));
  return made;
}
