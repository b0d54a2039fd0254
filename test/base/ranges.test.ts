import { describe, expect, test } from "vitest";
import { linspace, logspace } from "../../src/base/ranges.js";

describe("logspace", () => {
  test("reads as decades", () => {
    expect(logspace(1e-5, 1e-1, 5)).toEqual([1e-5, 1e-4, 1e-3, 1e-2, 1e-1]);
    expect(logspace(100, 1, 3)).toEqual([100, 10, 1]);
  });
  test("has equal ratios between", () => {
    const [a, b, c, d] = logspace(1e-3, 10, 4);
    expect(b / a).toBeCloseTo(10 ** (4 / 3), 9);
    expect(c / b).toBeCloseTo(10 ** (4 / 3), 9);
    expect(d).toBe(10);
  });
  test("refuses 0, and counts that are none", () => {
    expect(() => logspace(0, 1, 3)).toThrow("the end 0 has no logarithm");
    expect(() => logspace(1, Number.NaN, 3)).toThrow("NaN");
    expect(() => logspace(1, 2, 0)).toThrow("logspace: 0 numbers");
    expect(() => logspace(1, 2, 2.5)).toThrow("2.5 numbers");
  });
});

describe("linspace", () => {
  test("has equal steps, without the noise of binary fractions", () => {
    expect(linspace(0, 0.4, 5)).toEqual([0, 0.1, 0.2, 0.3, 0.4]);
    expect(linspace(-1, 1, 2)).toEqual([-1, 1]);
    expect(linspace(3, 9, 1)).toEqual([3]);
  });
  test("refuses infinite ends", () => {
    expect(() => linspace(0, Number.POSITIVE_INFINITY, 3)).toThrow("the end is Infinity");
  });
});
