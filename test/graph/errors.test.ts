/** What a misuse is answered with: operation, what was received, what is expected, the remedy. */
import { describe, expect, test } from "vitest";
import { SlalomError } from "../../src/base/errors.js";
import * as f from "../../src/graph/index.js";
import { constant, variable } from "../../src/graph/index.js";

const x = variable("x", [2, 3]);
const y = variable("y", [4, 3]);
const wide = variable("wide", [2, 3], "float64");
const integers = variable("integers", [4], "int32");
const bytes = variable("bytes", [4], "uint8");
const scalar = variable("scalar", []);

const cases: [string, () => unknown, string][] = [
  [
    "adding shapes that do not broadcast",
    () => f.add(x, y),
    "add: shapes do not broadcast, f32[2,3] and f32[4,3]; aligned from the right, extents must be equal or 1 (2 against 4).",
  ],
  [
    "two dtypes",
    () => f.mul(x, wide),
    "mul: operands differ in dtype, f32[2,3], f64[2,3]; cast one of them.",
  ],
  [
    "two plain numbers",
    () => f.add(1, 2),
    "add: two plain numbers, 1 and 2; expected at least one tensor, since a number has no dtype. Use constant(...).",
  ],
  [
    "a fraction beside integers",
    () => f.mul(integers, 0.5),
    "mul: the number 0.5 beside i32[4]; expected an integer. Cast the tensor to f32 first?",
  ],
  ["exp of integers", () => f.exp(integers), "exp: i32 operand; expected f32, f64. Cast it first."],
  [
    "arithmetic on bytes",
    () => f.add(bytes, bytes),
    "add: u8 operand; expected f32, f64, i32. Cast it first.",
  ],
  ["the mean of integers", () => f.mean(integers), "div: i32 operand; expected f32, f64. Cast it first."],
  [
    "the sum of bytes",
    () => f.sum(bytes),
    "sum: u8[4] operand, whose sum would wrap at 256; expected f32, f64, i32. Cast it first.",
  ],
  [
    "a condition that is no truth",
    () => f.where(x, 1, x),
    "where: the condition is f32[2,3]; expected u8, the result of a comparison.",
  ],
  [
    "an axis out of range",
    () => f.sum(x, { axis: 2 }),
    "sum: axis 2 is out of range for rank 2; expected -2 to 1.",
  ],
  [
    "an axis of a scalar",
    () => f.argmax(scalar),
    "argmax: axis -1 is out of range for rank 0; a scalar has no axes.",
  ],
  [
    "a product that fits transposed",
    () => f.matmul(variable("images", [32, 784]), variable("weights", [10, 784])),
    "matmul: inner sizes differ, f32[32,784] x f32[10,784]; expected [784,n] on the right. Transpose the second operand?",
  ],
  [
    "a product that does not fit",
    () => f.matmul(x, y),
    "matmul: inner sizes differ, f32[2,3] x f32[4,3]; expected [3,n] on the right. Transpose the second operand?",
  ],
  [
    "a product with a scalar",
    () => f.matmul(scalar, x),
    "matmul: f32[] x f32[2,3]; expected at least one axis each. Use mul for scalars.",
  ],
  [
    "a product of stacks that differ",
    () => f.matmul(variable("a", [2, 3, 4]), variable("b", [5, 4, 6])),
    "matmul: shapes do not broadcast, f32[2] and f32[5]; aligned from the right, extents must be equal or 1 (2 against 5).",
  ],
  [
    "a product of two dtypes",
    () => f.matmul(x, variable("b", [3, 1], "float64")),
    "dot: f32[2,3] x f64[3,1], contracting axes [1] with [0], batch axes [] with []; expected floating point of one dtype and pairs of distinct axes of equal extents.",
  ],
  [
    "a contraction of an axis that is not there",
    () => f.dot(x, x, { batch: [[], []], contract: [[2], [2]] }),
    "dot: f32[2,3] x f32[2,3], contracting axes [2] with [2], batch axes [] with []; expected floating point of one dtype and pairs of distinct axes of equal extents.",
  ],
  [
    "another number of elements",
    () => f.reshape(x, [4]),
    "reshape: f32[2,3] has 6 elements, [4] has 4; expected equal counts.",
  ],
  [
    "an open extent that is no integer",
    () => f.reshape(x, [-1, 4]),
    "reshape: f32[2,3] has 6 elements, which do not fill [-1,4]; expected at most one -1 and a divisor of the count in the other extents.",
  ],
  [
    "two open extents",
    () => f.reshape(x, [-1, -1]),
    "reshape: f32[2,3] has 6 elements, which do not fill [-1,-1]; expected at most one -1 and a divisor of the count in the other extents.",
  ],
  [
    "negative extents",
    () => f.reshape(x, [-2, -3]),
    "reshape: f32[2,3] does not become [-2,-3]; expected natural numbers as extents.",
  ],
  [
    "an order that is no permutation",
    () => f.transpose(x, [0, 0]),
    "transpose: [0,0] is no permutation of the 2 axes of f32[2,3].",
  ],
  [
    "repeating what is no 1",
    () => f.broadcastTo(x, [2, 4]),
    "broadcastTo: shapes do not broadcast, f32[2,3] and f32[2,4]; aligned from the right, extents must be equal or 1 (3 against 4).",
  ],
  [
    "broadcasting to fewer axes",
    () => f.broadcastTo(x, [3]),
    "broadcastTo: f32[2,3] does not broadcast to [3]; expected equal extents or 1, aligned from the right.",
  ],
  [
    "a slice beyond the end",
    () => f.slice(x, { axis: 1, start: 1, stop: 5 }),
    "slice: 1:5:1 on axis 1 of f32[2,3]; expected integers, 0 <= start <= stop <= 3 and step >= 1.",
  ],
  [
    "a slice of half elements",
    () => f.slice(x, { axis: 1, start: 0.5 }),
    "slice: 0.5:3:1 on axis 1 of f32[2,3]; expected integers, 0 <= start <= stop <= 3 and step >= 1.",
  ],
  [
    "joining what differs elsewhere",
    () => f.concat([x, y], 1),
    "concat: f32[4,3] does not join f32[2,3] along axis 1; expected equal dtypes and extents elsewhere.",
  ],
  ["joining nothing", () => f.concat([]), "concat: no tensors; expected at least one."],
  [
    "padding too few axes",
    () => f.pad(x, [[0, 0]]),
    "pad: widths [0] and [0] for f32[2,3]; expected a pair of natural numbers for each axis.",
  ],
  ["float indices", () => f.take(x, x), "take: indices are f32[2,3]; expected i32. Cast them first."],
  [
    "reading where nothing is",
    () => f.take(f.zeros([0, 3]), integers),
    "take: no elements along axis 0 of f32[0,3].",
  ],
  [
    "ragged rows",
    () => constant([[1, 2], [3]]),
    "constant: rows differ, 1 entries against 2 entries at depth 1; expected a rectangular array.",
  ],
  [
    "a number among rows",
    () => constant([[1, 2], 3]),
    "constant: rows differ, a number against 2 entries at depth 1; expected a rectangular array.",
  ],
  [
    "too few values",
    () => f.constantArray(Float32Array.of(1, 2), [3], "float32"),
    "constant: 2 values do not fill shape [3]; expected 3.",
  ],
  [
    "values of another type",
    () => f.constantArray(Float64Array.of(1, 2), [2], "float32"),
    "constant: the values are a Float64Array; expected Float32Array for float32.",
  ],
];

test.each(cases)("%s", (_, misuse, message) => {
  let error: unknown;
  try {
    misuse();
  } catch (thrown) {
    error = thrown;
  }
  expect(error).toBeInstanceOf(SlalomError);
  expect((error as SlalomError).message).toBe(message);
  expect((error as SlalomError).code).toBe("shape");
});

describe("evaluate", () => {
  const given = (length: number, dtype: "float32" | "float64" = "float32") => ({
    shape: [length],
    dtype,
    data: dtype === "float32" ? new Float32Array(length) : new Float64Array(length),
  });
  const v = variable("rate", [2]);
  test("names a variable without a value", () => {
    expect(() => f.evaluate([f.neg(v)])).toThrow(
      'evaluate: variable "rate" has no value; give one for each variable of the graph.',
    );
  });
  test("refuses a value of another type", () => {
    expect(() => f.evaluate([v], new Map([[v, given(3)]]))).toThrow(
      'evaluate: value f32[3] for variable "rate" of type f32[2]; expected equal types.',
    );
    expect(() => f.evaluate([v], new Map([[v, given(2, "float64")]]))).toThrow(/f64\[2\] .* f32\[2\]/);
    expect(() => f.evaluate([v], new Map([[v, { ...given(2), data: new Float32Array(3) }]]))).toThrow(
      "evaluate: value f32[2] holds 3 elements; expected 2.",
    );
  });
});
