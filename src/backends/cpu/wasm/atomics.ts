/** Atomic instructions of shared memories: all of them are sequentially consistent. */
import { type Code, type Operand, operandBytes, type Statement, unsignedLeb } from "./code.js";
import { opcodeBytes } from "./shapes.js";

export const atomic = {
  load: (address: Operand<"i32">, offsetBytes = 0): Code<"i32"> => ({
    type: "i32",
    bytes: [operandBytes("i32", address), aligned(0x10, offsetBytes)],
  }),
  store: (address: Operand<"i32">, value: Operand<"i32">, offsetBytes = 0): Statement => ({
    type: "none",
    bytes: [operandBytes("i32", address), operandBytes("i32", value), aligned(0x17, offsetBytes)],
  }),
  /** Adds `value`; the result is what was there before. */
  add: (address: Operand<"i32">, value: Operand<"i32">, offsetBytes = 0): Code<"i32"> => ({
    type: "i32",
    bytes: [operandBytes("i32", address), operandBytes("i32", value), aligned(0x1e, offsetBytes)],
  }),
  /** Sleeps while `expected` is there: 0 when woken, 1 where another value is there, 2 after so many nanoseconds. */
  wait: (
    address: Operand<"i32">,
    expected: Operand<"i32">,
    timeoutNs: Operand<"i64">,
    offsetBytes = 0,
  ): Code<"i32"> => ({
    type: "i32",
    bytes: [
      operandBytes("i32", address),
      operandBytes("i32", expected),
      operandBytes("i64", timeoutNs),
      aligned(0x01, offsetBytes),
    ],
  }),
  /** Wakes at most `count` that sleep at the address; the result is how many. */
  notify: (address: Operand<"i32">, count: Operand<"i32">, offsetBytes = 0): Code<"i32"> => ({
    type: "i32",
    bytes: [operandBytes("i32", address), operandBytes("i32", count), aligned(0x00, offsetBytes)],
  }),
};

/** An atomic access of four bytes, at an address that must be a multiple of four. */
const aligned = (code: number, offsetBytes: number): number[] => [
  ...opcodeBytes([0xfe, code]),
  2,
  ...unsignedLeb(offsetBytes),
];
