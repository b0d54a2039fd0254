/** The one error class, its helpers, and what shapes and dtypes are. */
import { describe, expect, test } from "vitest";
import { allocate, bytesOf, type DType, dtypeOf, dtypes, isFloat, roundTo } from "../../src/base/dtype.js";
import { checkKeys, invariant, nearestFirst, SlalomError, unknownName } from "../../src/base/errors.js";
import {
  broadcastShapes,
  formatType,
  resolveAxis,
  type Shape,
  sameShape,
  sizeOf,
  stridesOf,
} from "../../src/base/shape.js";

const thrownBy = (action: () => unknown): SlalomError => {
  try {
    action();
  } catch (error) {
    if (error instanceof SlalomError) return error;
    throw error;
  }
  throw new TypeError("nothing was thrown");
};

describe("errors", () => {
  test("carry a code and a cause", () => {
    const cause = new RangeError("inner");
    const error = new SlalomError("data", "outer", { cause });
    expect([error.code, error.name, error.message, error.cause]).toEqual([
      "data",
      "SlalomError",
      "outer",
      cause,
    ]);
    expect(error).toBeInstanceOf(Error);
  });
  test("invariant throws an internal error that asks for a report", () => {
    expect(() => invariant(true, "fine")).not.toThrow();
    const error = thrownBy(() => invariant(0, "lanes differ"));
    expect(error.code).toBe("internal");
    expect(error.message).toBe("lanes differ (a bug in Slalom: please report it)");
  });

  const names = ["sgd", "momentum", "adam", "adamw", "adagrad", "nadam"];
  test("names are sorted nearest first, ties as given, upper case as lower", () => {
    expect(nearestFirst("adm", names).slice(0, 3)).toEqual(["adam", "adamw", "nadam"]);
    expect(nearestFirst("ADAMW", names)[0]).toBe("adamw");
    expect(nearestFirst("zz", ["aa", "bb", "cc"])).toEqual(["aa", "bb", "cc"]);
    expect(names[0]).toBe("sgd");
  });
  test("an unknown name lists the valid ones and suggests a near one alone", () => {
    expect(unknownName("optimizer", "adem", names).message).toBe(
      'unknown optimizer "adem". Did you mean "adam"? Valid: adam, adamw, nadam, sgd, adagrad, momentum.',
    );
    expect(unknownName("optimizer", "conjugateGradient", names).message).not.toContain("Did you mean");
    expect(unknownName("optimizer", "Momentum", names).message).toContain('Did you mean "momentum"?');
    expect(unknownName("optimizer", "SGD", names).message).toContain('Did you mean "sgd"?');
    expect(unknownName("option", "x", ["lr", "beta1"]).message).toBe('unknown option "x". Valid: lr, beta1.');
    expect(unknownName("optimizer", "x", []).message).toBe('unknown optimizer "x". None is known.');
    expect(unknownName("optimizer", "x", names).code).toBe("name");
  });
  test("checkKeys names the first key that is not valid", () => {
    expect(() => checkKeys("adam", { lr: 1 }, ["lr", "beta1"])).not.toThrow();
    const error = thrownBy(() => checkKeys("adam", { lr: 1, beta: 2 }, ["lr", "beta1"]));
    expect(error.code).toBe("option");
    expect(error.message).toBe('unknown option of adam "beta". Did you mean "beta1"? Valid: beta1, lr.');
  });
});

describe("shapes", () => {
  test("sizes and strides", () => {
    expect([[], [3], [2, 3, 4], [2, 0, 4]].map(sizeOf)).toEqual([1, 3, 24, 0]);
    expect([[], [3], [2, 3, 4]].map(stridesOf)).toEqual([[], [1], [12, 4, 1]]);
  });
  test("equality", () => {
    expect(sameShape([2, 3], [2, 3])).toBe(true);
    expect(sameShape([2, 3], [3, 2])).toBe(false);
    expect(sameShape([2], [2, 1])).toBe(false);
  });
  test("axes from either end; errors name the operation", () => {
    expect([0, 2, -1, -3].map((axis) => resolveAxis("sum", axis, 3))).toEqual([0, 2, 2, 0]);
    expect(() => resolveAxis("sum", 3, 3)).toThrow(
      "sum: axis 3 is out of range for rank 3; expected -3 to 2.",
    );
    expect(() => resolveAxis("sum", -4, 3)).toThrow(/^sum: axis -4/);
    expect(() => resolveAxis("sum", 0.5, 3)).toThrow(/^sum: axis 0.5/);
    expect(() => resolveAxis("sum", 0, 0)).toThrow(
      "sum: axis 0 is out of range for rank 0; a scalar has no axes.",
    );
  });
  test.each<[Shape, Shape, Shape]>([
    [[], [], []],
    [[3], [], [3]],
    [[2, 3], [3], [2, 3]],
    [[2, 1], [3], [2, 3]],
    [
      [4, 1, 3],
      [2, 1],
      [4, 2, 3],
    ],
    [[1], [0], [0]],
  ])("[%j] and [%j] broadcast to [%j], in either order", (a, b, expected) => {
    const typed = (shape: Shape) => ({ shape, dtype: "float32" as const });
    expect(broadcastShapes("add", typed(a), typed(b))).toEqual(expected);
    expect(broadcastShapes("add", typed(b), typed(a))).toEqual(expected);
  });
  test("what does not broadcast is named with both types", () => {
    const error = thrownBy(() =>
      broadcastShapes("add", { shape: [2, 3], dtype: "float32" }, { shape: [2], dtype: "int32" }),
    );
    expect(error.code).toBe("shape");
    expect(error.message).toBe(
      "add: shapes do not broadcast, f32[2,3] and i32[2]; aligned from the right, extents must be equal or 1 (3 against 2).",
    );
  });
  test("types in print", () => {
    expect(formatType({ shape: [32, 784], dtype: "float32" })).toBe("f32[32,784]");
    expect(formatType({ shape: [], dtype: "uint8" })).toBe("u8[]");
  });
});

describe("dtypes", () => {
  test.each(Object.keys(dtypes) as DType[])("%s: arrays, bytes, rounding as the array stores", (dtype) => {
    const array = allocate(dtype, 3);
    expect(dtypeOf(array)).toBe(dtype);
    expect(array.BYTES_PER_ELEMENT).toBe(bytesOf(dtype));
    expect([...array]).toEqual([0, 0, 0]);
    for (const value of [0, 1.5, -1.5, 0.1, 300, -1, 2 ** 31, 1e10, Infinity, NaN]) {
      array[0] = value;
      expect(roundTo(dtype, value)).toBe(array[0]);
    }
  });
  test("which are floats", () => {
    expect((Object.keys(dtypes) as DType[]).filter(isFloat)).toEqual(["float32", "float64"]);
  });
});
