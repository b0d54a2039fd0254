/** Hessian-vector products against explicit Hessians: closed forms and differences of gradients. */
import { describe, expect, test } from "vitest";
import { evaluate } from "../../src/graph/evaluate.js";
import * as f from "../../src/graph/functions.js";
import { constant, variable } from "../../src/graph/operations/leaves.js";
import type { Tensor } from "../../src/graph/tensor.js";
import { verify } from "../../src/graph/verify.js";
import { grad, hessianVectorProduct } from "../../src/transform/index.js";
import { unitsFrom } from "../support/numbers.js";
import { finiteDifferences, relativeDifference, valuesFor } from "./support.js";

const scalar = (value: number) => ({ shape: [], dtype: "float64", data: Float64Array.of(value) }) as const;

describe("the linear model's sum of squared errors", () => {
  const slope = variable("W", [], "float64");
  const intercept = variable("b", [], "float64");
  const inputs = constant([1, 2, 3, 4], "float64");
  const targets = constant([0, -1, -2, -3], "float64");
  const loss = f.sum(f.square(f.sub(f.add(f.mul(slope, inputs), intercept), targets)));

  test.each([
    [1, 0, 60, 20],
    [0, 1, 20, 8],
    [2, -3, 60, 16],
  ])("times (%f, %f) is (%f, %f) at every point", (v, w, first, second) => {
    const product = hessianVectorProduct(
      loss,
      [slope, intercept],
      [constant(v, "float64"), constant(w, "float64")],
    );
    verify(product);
    for (const [at, bias] of [
      [0.3, -0.3],
      [-7, 11],
    ]) {
      const values = new Map([
        [slope, scalar(at)],
        [intercept, scalar(bias)],
      ]);
      expect(evaluate(product, values).map(({ data }) => data[0])).toEqual([first, second]);
    }
  });
});

test("a small perceptron: every column of the Hessian against differences of the gradient", () => {
  const next = unitsFrom(5);
  const host = (shape: number[]) => ({
    shape,
    dtype: "float64" as const,
    data: Float64Array.from({ length: shape.reduce((a, b) => a * b, 1) }, next),
  });
  const shapes = [[2, 3], [3], [3, 2]];
  const wrt = shapes.map((shape, i) => variable(`p${i}`, shape, "float64"));
  const vectors = shapes.map((shape, i) => variable(`v${i}`, shape, "float64"));
  const data = constant(
    Array.from({ length: 4 }, () => [next(), next()]),
    "float64",
  );
  const labels = f.oneHot(constant([0, 1, 1, 0], "int32"), 2, "float64");
  const hidden = f.tanh(f.add(f.matmul(data, wrt[0]), wrt[1]));
  const loss = f.neg(f.mean(f.mul(f.logSoftmax(f.matmul(hidden, wrt[2])), labels)));

  const point = shapes.map(host);
  const direction = shapes.map(host);
  const values = new Map([...valuesFor(wrt, point), ...valuesFor(vectors, direction)]);
  const products = evaluate(hessianVectorProduct(loss, wrt, vectors), values);

  // <H v, e> by differencing <grad, v> along each coordinate e; <grad, v> is a scalar graph without vectors.
  const fixed = direction.map(({ data: d, shape }) => f.reshape(constant([...d], "float64"), shape));
  const along = grad(loss, wrt)
    .map((gradient, i) => f.sum(f.mul(gradient, fixed[i])))
    .reduce((total: Tensor, term) => f.add(total, term));
  for (const [i, product] of products.entries()) {
    expect(product.shape).toEqual(shapes[i]);
    expect(relativeDifference(product.data, finiteDifferences(along, wrt, point, i))).toBeLessThan(1e-8);
  }
});

test("a linear loss has a Hessian of zeros", () => {
  const x = variable("x", [2]);
  const [product] = evaluate(hessianVectorProduct(f.sum(x), [x], [constant([1, 2])]));
  expect([...product.data]).toEqual([0, 0]);
});

test("errors name the vector", () => {
  const x = variable("x", [2]);
  const loss = f.sum(f.mul(x, x));
  expect(hessianVectorProduct(loss, [], [])).toEqual([]);
  expect(() => hessianVectorProduct(loss, [x], [])).toThrow(
    "hessianVectorProduct: vector 0 is absent; expected f32[2].",
  );
  expect(() => hessianVectorProduct(loss, [x], [constant([1, 2, 3])])).toThrow(
    "hessianVectorProduct: vector 0 is f32[3]; expected f32[2].",
  );
  expect(() => hessianVectorProduct(loss, [x], [constant([1, 2], "float64")])).toThrow(
    "hessianVectorProduct: vector 0 is f64[2]; expected f32[2].",
  );
});
