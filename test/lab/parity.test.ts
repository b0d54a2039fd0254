/** How differences of stretches are held against those of rounding. */
import { expect, test } from "vitest";
import { isTelling, isWithin, nearness, parityOf } from "../../src/lab/parity.js";
import { lengthsOf } from "../../src/lab/stretches.js";

const unit = 2 ** -23;
const flat = (value: number): number[] => Array.from({ length: 10 }, () => value);
const parity = (own: readonly number[], rounded: readonly number[]) =>
  parityOf(new Map([["parameter/w", own]]), new Map([["parameter/w", rounded]]), unit)[0];

test("a stretch is a tenth of the steps, and the last one what is left", () => {
  expect(lengthsOf(100, 10)).toEqual(flat(10));
  expect(lengthsOf(25, 10)).toEqual([3, 3, 3, 3, 3, 3, 3, 3, 1]);
  expect(lengthsOf(3, 10)).toEqual([1, 1, 1]);
});

test("the lower quartile may be eight times the upper one of rounding", () => {
  const own = [9, 1, 8, 2, 7, 3, 6, 4, 5, 10].map((value) => value / 2 ** 20);
  expect(parity(own, own)).toEqual({
    name: "w",
    difference: 3 / 2 ** 20,
    rounding: 8 / 2 ** 20,
    bound: 64 / 2 ** 20,
    most: 10 / 2 ** 20,
    mostBound: 80 / 2 ** 20 + 0.05,
  });
  expect(isWithin(parity(flat(64e-6), flat(8e-6)))).toBe(true);
  expect(isWithin(parity(flat(65e-6), flat(8e-6)))).toBe(false);
});

test("rounding is never taken for less than a unit of the last place", () => {
  expect(parity(flat(0), flat(0))).toMatchObject({ difference: 0, rounding: unit, bound: 8 * unit });
  expect(isWithin(parity(flat(8 * unit), flat(0)))).toBe(true);
});

test("a switch that rounding turns over in few stretches is borne, a large difference in one is not", () => {
  const once = (value: number): number[] => [value, ...flat(1e-6).slice(1)];
  expect(isWithin(parity(once(0.04), flat(1e-6)))).toBe(true);
  expect(isWithin(parity(once(0.06), flat(1e-6)))).toBe(false);
  expect(isWithin(parity(once(0.06), once(0.01)))).toBe(true);
  expect(isWithin(parity(once(Number.POSITIVE_INFINITY), flat(1e-6)))).toBe(false);
});

test("what rounding decides tells nothing, and comes last", () => {
  const names = ["loss", "parameter/w", "slot/w/firstMoment", "average/w", "state/norm.mean"];
  const [own, rounded] = [
    [0.5e-6, 2e-6, 1, 1e-6, 0],
    [1e-6, 1e-6, 1, 1e-6, Number.POSITIVE_INFINITY],
  ].map((values) => new Map(names.map((name, i) => [name, flat(values[i])])));
  const quantities = parityOf(own, rounded, unit);
  expect(quantities.map(({ name }) => name)).toEqual([
    "w",
    "average of w",
    "loss",
    "firstMoment of w",
    "norm.mean",
  ]);
  expect(quantities.map(isTelling)).toEqual([true, true, true, false, false]);
  expect(quantities.map(nearness)).toEqual([0.25, 0.125, 0.0625, 0, 0]);
  expect(quantities.every(isWithin)).toBe(true);
});
