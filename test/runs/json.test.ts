import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { canonical, decode, encode, firstDifference } from "../../src/runs/json.js";

describe("the store's JSON", () => {
  it("writes what JSON cannot hold as words", () => {
    expect(encode({ a: Number.NaN, b: [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, -0, 0] })).toBe(
      '{"a":"NaN","b":["Infinity","-Infinity","-0",0]}',
    );
  });

  it("keeps real strings apart from the words", () => {
    const value = { a: "NaN", b: "~NaN", c: "~~-Infinity", d: "-0", e: "nan", f: "~" };
    expect(encode(value)).toBe('{"a":"~NaN","b":"~~NaN","c":"~~~-Infinity","d":"~-0","e":"nan","f":"~"}');
    expect(decode(encode(value))).toEqual(value);
  });

  it("returns every value exactly, the numbers bit for bit", () => {
    const words = fc.constantFrom("NaN", "Infinity", "-Infinity", "-0", "~NaN", "x");
    const leaf = fc.oneof(fc.double(), fc.constant(-0), fc.boolean(), fc.constant(null), words, fc.string());
    // toEqual tells 0 from -0 and takes NaN as equal to NaN.
    fc.assert(
      fc.property(
        fc.array(
          fc.dictionary(
            fc.string({ minLength: 1 }).map((k) => `k${k}`),
            leaf,
          ),
        ),
        (value) => {
          expect(decode(encode(value))).toEqual(value.map((member) => ({ ...member })));
        },
      ),
    );
  });

  it("has one canonical text whatever the order of members", () => {
    expect(canonical({ b: 1, a: { d: [2, 1], c: undefined } })).toBe('{"a":{"d":[2,1]},"b":1}');
  });

  it("finds the first difference by path", () => {
    const stored = { a: 1, grids: [{ lr: [0.1, 0.2] }, { lr: [1] }] };
    expect(firstDifference(stored, { a: 1, grids: [{ lr: [0.1, 0.2] }, { lr: [1] }] })).toBeUndefined();
    expect(firstDifference(stored, { a: 1, grids: [{ lr: [0.1, 0.3] }, { lr: [2] }] })).toEqual({
      path: "grids[0].lr[1]",
      left: "0.2",
      right: "0.3",
    });
    expect(firstDifference(stored, { grids: stored.grids })).toEqual({
      path: "a",
      left: "1",
      right: "nothing",
    });
  });
});
