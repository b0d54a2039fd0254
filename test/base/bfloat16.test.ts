/** Rounding to bfloat16, by values worked out by hand. */
import { expect, test } from "vitest";
import { roundedToBfloat16 } from "../../src/base/bfloat16.js";

const rounded = (...values: number[]): number[] => [...roundedToBfloat16(Float32Array.from(values))];

test("keeps what has 8 bits of significand", () => {
  expect(rounded(0, 1, -1.5, 255, 2 ** 100, 2 ** -130)).toEqual([0, 1, -1.5, 255, 2 ** 100, 2 ** -130]);
  expect(Object.is(rounded(-0)[0], -0)).toBe(true);
});

test("takes the nearest, and of two equally near the one with an even last place", () => {
  const place = 2 ** -7;
  expect(rounded(1 + 0.4 * place, 1 + 0.6 * place)).toEqual([1, 1 + place]);
  expect(rounded(1 + 0.5 * place, 1 + 1.5 * place)).toEqual([1, 1 + 2 * place]);
  expect(rounded(-1 - 0.5 * place, -1 - 1.5 * place)).toEqual([-1, -1 - 2 * place]);
  // Carries into the exponent.
  expect(rounded(2 - 2 ** -20)).toEqual([2]);
});

test("keeps infinities and NaN, and rounds past the greatest to infinity", () => {
  expect(rounded(Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY)).toEqual([
    Number.POSITIVE_INFINITY,
    Number.NEGATIVE_INFINITY,
  ]);
  expect(rounded(3.4028235e38)).toEqual([Number.POSITIVE_INFINITY]);
  const payload = new Float32Array(Int32Array.of(0x7fffffff, 0x7f800001, -1).buffer);
  expect([...roundedToBfloat16(payload)]).toEqual([Number.NaN, Number.NaN, Number.NaN]);
});

test("leaves its argument alone", () => {
  const given = Float32Array.of(1.001);
  roundedToBfloat16(given);
  expect(given[0]).toBe(Math.fround(1.001));
});
