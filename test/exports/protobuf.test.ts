/** Messages on the wire, against bytes worked out by the rules of the encoding. */
import { describe, expect, test } from "vitest";
import {
  bytes,
  double,
  float,
  integer,
  mapped,
  message,
  nested,
  repeated,
  text,
} from "../../src/exports/protobuf.js";

const hex = (encoded: Uint8Array): string => Buffer.from(encoded).toString("hex");

describe("fields", () => {
  test.each([
    ["an integer of two bytes", message({ a: integer(1) }).encode({ a: 150 }), "089601"],
    ["a zero", message({ a: integer(1) }).encode({ a: 0 }), "0800"],
    ["-1, in ten bytes", message({ a: integer(1) }).encode({ a: -1 }), "08ffffffffffffffffff01"],
    ["2^53 - 1", message({ a: integer(1) }).encode({ a: 2 ** 53 - 1 }), "08ffffffffffffff0f"],
    ["a float", message({ a: float(2) }).encode({ a: 1 }), "150000803f"],
    ["a float that is too large", message({ a: float(2) }).encode({ a: 1e300 }), "150000807f"],
    ["a double", message({ a: double(1) }).encode({ a: 1 }), "09000000000000f03f"],
    ["a text", message({ b: text(2) }).encode({ b: "testing" }), "120774657374696e67"],
    ["UTF-8", message({ b: text(2) }).encode({ b: "é" }), "1202c3a9"],
    ["bytes", message({ b: bytes(9) }).encode({ b: Uint8Array.of(0, 255) }), "4a0200ff"],
    ["field 16, whose tag takes two bytes", message({ a: integer(16) }).encode({ a: 1 }), "800101"],
  ])("%s", (_, encoded, expected) => {
    expect(hex(encoded)).toBe(expected);
  });

  test("in the order of the table; absent ones are left out", () => {
    const pair = message({ a: integer(1), b: text(2) });
    expect(hex(pair.encode({ b: "x", a: 3 }))).toBe("0803120178");
    expect(hex(pair.encode({ a: 3 }))).toBe("0803");
    expect(hex(pair.encode({}))).toBe("");
  });

  test("messages in messages, several of one field, maps sorted by name", () => {
    const inner = message({ a: integer(1) });
    expect(hex(message({ c: nested(3, inner) }).encode({ c: { a: 150 } }))).toBe("1a03089601");
    expect(hex(message({ d: repeated(integer(4)) }).encode({ d: [3, 270] }))).toBe("2003208e02");
    expect(hex(message({ m: mapped(1, inner) }).encode({ m: { b: { a: 2 }, a: { a: 1 } } }))).toBe(
      "0a070a0161120208010a070a016212020802",
    );
  });
});
