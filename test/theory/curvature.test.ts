/** Jacobi and Lanczos against known spectra and each other; Hessians of problems against closed forms. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { evaluate, keyFromSeed, type Tensor } from "../../src/graph/index.js";
import { blobs } from "../../src/learn/datasets/index.js";
import { perceptron, softmaxRegression } from "../../src/learn/models/index.js";
import {
  classificationProblem,
  linearRegression,
  quadratic,
  rosenbrock,
  surfaceProblem,
} from "../../src/learn/problems/index.js";
import { hessianOf, largestEigenvalues, type Matrix, spectrum } from "../../src/theory/index.js";

const times = (matrix: Matrix) => (vector: Float64Array) =>
  Float64Array.from(matrix, (row) => row.reduce((s, value, j) => s + value * vector[j], 0));

/** A symmetric matrix from numbers, one for each element on or below the diagonal. */
const symmetric = (size: number, numbers: readonly number[]): number[][] =>
  Array.from({ length: size }, (_, i) =>
    Array.from(
      { length: size },
      (_, j) => numbers[(Math.max(i, j) * (Math.max(i, j) + 1)) / 2 + Math.min(i, j)],
    ),
  );
const symmetricMatrices = fc.integer({ min: 1, max: 12 }).chain((size) =>
  fc
    .array(fc.double({ min: -10, max: 10, noNaN: true }), {
      minLength: (size * (size + 1)) / 2,
      maxLength: (size * (size + 1)) / 2,
    })
    .map((numbers) => symmetric(size, numbers)),
);

describe("spectrum", () => {
  it("is exercise 1's", () => {
    const { values, vectors } = spectrum([
      [60, 20],
      [20, 8],
    ]);
    const root = Math.sqrt(26 ** 2 + 20 ** 2);
    expect(values[0]).toBeCloseTo(34 - root, 12);
    expect(values[1]).toBeCloseTo(34 + root, 12);
    expect(Math.abs(vectors[1][0] / vectors[1][1])).toBeCloseTo((34 + root - 8) / 20, 12);
  });

  it("solves M v = value v with orthonormal vectors, on any symmetric matrix", () => {
    fc.assert(
      fc.property(symmetricMatrices, (matrix) => {
        const { values, vectors } = spectrum(matrix);
        expect(values).toEqual([...values].sort((a, b) => a - b));
        vectors.forEach((vector, i) => {
          const image = times(matrix)(Float64Array.from(vector));
          vector.forEach((v, j) => {
            expect(Math.abs(image[j] - values[i] * v)).toBeLessThan(1e-12 * 120);
          });
          vectors.forEach((other, k) => {
            const inner = vector.reduce((s, v, j) => s + v * other[j], 0);
            expect(Math.abs(inner - (i === k ? 1 : 0))).toBeLessThan(1e-12);
          });
        });
      }),
      { numRuns: 100 },
    );
  });

  it("has the eigenvalues that a rotated quadratic was made of", () => {
    const eigenvalues = [1e-6, 0.01, 2, 2, 500];
    const { values } = spectrum(quadratic({ eigenvalues, rotationSeed: 9 }).quadratic!.hessian);
    values.forEach((value, i) => {
      expect(Math.abs(value - eigenvalues[i])).toBeLessThan(1e-12 * 500);
    });
  });

  it("refuses what is not symmetric", () => {
    expect(() =>
      spectrum([
        [1, 2],
        [3, 4],
      ]),
    ).toThrow("element [1][0] is 3, [0][1] is 2");
    expect(() => spectrum([[1, 2]])).toThrow("received 1 rows, row 0 of 2; expected a square matrix");
  });
});

describe("largestEigenvalues", () => {
  it("agrees with Jacobi on random symmetric matrices, within its own bounds", () => {
    fc.assert(
      fc.property(symmetricMatrices, (matrix) => {
        const { values } = spectrum(matrix);
        const scale = Math.max(1e-9, ...values.map(Math.abs));
        const result = largestEigenvalues(times(matrix), matrix.length, { count: 2 });
        expect(Math.abs(result.values[0] - values[values.length - 1])).toBeLessThan(1e-7 * scale);
        result.values.forEach((value, i) => {
          const nearest = Math.min(...values.map((other) => Math.abs(other - value)));
          expect(nearest).toBeLessThan(result.errors[i] + 1e-12 * scale);
        });
      }),
      { numRuns: 100 },
    );
  });

  it("finds a few of many in few products, and says how well", () => {
    const eigenvalues = Array.from({ length: 2000 }, (_, i) =>
      i < 3 ? 100 - 20 * i : 10 * Math.sin(i) ** 2,
    );
    const product = (vector: Float64Array) => vector.map((value, i) => eigenvalues[i] * value);
    const result = largestEigenvalues(product, 2000, { count: 3 });
    [100, 80, 60].forEach((value, i) => {
      expect(result.values[i]).toBeCloseTo(value, 6);
    });
    expect(result.converged).toBe(true);
    expect(result.iterations).toBeLessThan(40);
    const rough = largestEigenvalues(product, 2000, { iterations: 3 });
    expect(rough.converged).toBe(false);
    expect(Math.min(...eigenvalues.map((value) => Math.abs(value - rough.values[0])))).toBeLessThan(
      rough.errors[0],
    );
  });

  it("stops where the operator has few distinct eigenvalues", () => {
    const result = largestEigenvalues((v) => v.map((x, i) => (i < 5 ? 2 * x : -7 * x)), 50, { count: 3 });
    expect(result.values.length).toBe(2);
    expect(result.values[0]).toBeCloseTo(2, 12);
    expect(result.values[1]).toBeCloseTo(-7, 12);
    expect(largestEigenvalues((v) => v.map(() => 0), 4).values).toEqual([0]);
  });

  it("names a product that does not fit", () => {
    expect(() => largestEigenvalues((v) => v.slice(1), 3)).toThrow(
      "the product has 2 elements for a vector of 3",
    );
    expect(() => largestEigenvalues((v) => v.map(() => Number.NaN), 3)).toThrow("not finite");
    expect(() => largestEigenvalues((v) => v, 3, { count: 0 })).toThrow("received count 0");
  });
});

describe("hessianOf", () => {
  it("is [[60, 20], [20, 8]] for exercise 1, with loss and gradient beside it", () => {
    const hessian = hessianOf({ problem: linearRegression(), parameters: { W: [0.3], b: [-0.3] } });
    expect(hessian.matrix()).toEqual([
      [60, 20],
      [20, 8],
    ]);
    expect(hessian.loss).toBeCloseTo(23.66, 12);
    expect(hessian.gradient[0]).toBeCloseTo(52, 12);
    expect(largestEigenvalues(hessian.product, 2).values[0]).toBeCloseTo(34 + Math.hypot(26, 20), 10);
  });

  it("is Rosenbrock's at its minimum, by an evaluator of one's own too", () => {
    let calls = 0;
    const hessian = hessianOf({
      problem: surfaceProblem(rosenbrock),
      parameters: { x: [1], y: [1] },
      evaluator: (outputs: readonly Tensor[], values) => {
        calls++;
        return evaluate(outputs, values);
      },
    });
    expect(hessian.matrix()).toEqual([
      [802, -400],
      [-400, 200],
    ]);
    expect(calls).toBe(3);
  });

  it("has softmax regression's known form at zero: (diag(p) - p p^T) times the mean of x x^T", async () => {
    const dataset = await blobs({ classes: 3, count: 40, dimensions: 2 }).load();
    const problem = classificationProblem({
      dataset: blobs({ classes: 3, count: 40 }),
      model: softmaxRegression(),
    });
    const hessian = hessianOf({
      problem,
      parameters: { "dense1.weight": new Array(6).fill(0), "dense1.bias": [0, 0, 0] },
      dataset,
    });
    expect(hessian.loss).toBeCloseTo(Math.log(3), 12);
    const { inputs, count } = dataset.train;
    const second = (a: number, b: number) => {
      let total = 0;
      for (let n = 0; n < count; n++) total += inputs.data[2 * n + a] * inputs.data[2 * n + b];
      return total / count;
    };
    const matrix = hessian.matrix();
    for (let k = 0; k < 6; k++) {
      for (let l = 0; l < 6; l++) {
        const classes = (k >> 1 === l >> 1 ? 1 / 3 : 0) - 1 / 9;
        expect(matrix[k][l]).toBeCloseTo(classes * second(k & 1, l & 1), 10);
      }
    }
    expect(largestEigenvalues(hessian.product, 9).values[0]).toBeCloseTo(spectrum(matrix).values[8], 8);
  });

  it("matches differences of gradients on a perceptron", async () => {
    const dataset = await blobs({ classes: 2, count: 20 }).load();
    const problem = classificationProblem({
      dataset: blobs(),
      model: perceptron({ hidden: [3], activation: "tanh" }),
    });
    const { parameters: specs } = problem.build(dataset);
    const names = Object.keys(specs);
    const start = evaluate(names.map((name) => specs[name].initial(keyFromSeed(5)))).map(({ data }) =>
      Float64Array.from(data),
    );
    const at = (direction: Float64Array, step: number) => {
      let from = 0;
      const parameters = Object.fromEntries(
        names.map((name, i) => {
          const moved = start[i].map((value, k) => value + step * direction[from + k]);
          from += moved.length;
          return [name, moved];
        }),
      );
      return hessianOf({ problem, parameters, dataset, examples: 10 });
    };
    const here = at(new Float64Array(17), 0);
    expect(here.dimension).toBe(17);
    const direction = Float64Array.from({ length: 17 }, (_, i) => Math.cos(3 * i));
    const product = here.product(direction);
    const [ahead, behind] = [at(direction, 1e-5).gradient, at(direction, -1e-5).gradient];
    product.forEach((value, i) => {
      expect(value).toBeCloseTo((ahead[i] - behind[i]) / 2e-5, 7);
    });
  });

  it("names what is missing", () => {
    const problem = linearRegression();
    expect(() => hessianOf({ problem, parameters: { W: [1] } })).toThrow('parameter "b": received no values');
    expect(() => hessianOf({ problem, parameters: { W: [1, 2], b: [0] } })).toThrow(
      "received 2 values; expected 1",
    );
  });
});
