/** L-BFGS against closed forms and another optimizer run long; losses over a split against plain evaluation. */
import { describe, expect, it } from "vitest";
import { cpuBackend } from "../../src/backends/cpu/index.js";
import { referenceBackend } from "../../src/backends/reference/index.js";
import { blobs } from "../../src/learn/datasets/index.js";
import { perceptron, softmaxRegression } from "../../src/learn/models/index.js";
import { classificationProblem } from "../../src/learn/problems/index.js";
import {
  hessianOf,
  largestEigenvalues,
  leastLoss,
  type Objective,
  spectrum,
  splitLoss,
} from "../../src/theory/index.js";

const rosenbrock: Objective = ([x, y]) => ({
  loss: (1 - x) ** 2 + 100 * (y - x * x) ** 2,
  gradient: Float64Array.of(-2 * (1 - x) - 400 * x * (y - x * x), 200 * (y - x * x)),
});

describe("leastLoss", () => {
  it("finds the minimizer of quadratics of any condition", () => {
    for (const condition of [1, 10, 1e4, 1e6]) {
      const curvature = Float64Array.from({ length: 12 }, (_, i) => condition ** (i / 11));
      const minimizer = Float64Array.from({ length: 12 }, (_, i) => Math.cos(3 * i));
      const objective: Objective = (x) => ({
        loss: 7 + curvature.reduce((sum, h, i) => sum + 0.5 * h * (x[i] - minimizer[i]) ** 2, 0),
        gradient: curvature.map((h, i) => h * (x[i] - minimizer[i])),
      });
      const result = leastLoss(objective, new Float64Array(12), { relativeDecrease: 0 });
      expect(result.reason).toBe("gradient");
      expect(result.gradientNorm).toBeLessThanOrEqual(1e-8);
      expect(result.loss).toBeCloseTo(7, 13);
      result.point.forEach((value, i) => {
        expect(Math.abs(value - minimizer[i])).toBeLessThan(2e-8);
      });
    }
  });

  it("needs one step where the curvature is 1 everywhere", () => {
    const objective: Objective = (x) => ({ loss: x[0] ** 2 / 2 + x[1] ** 2 / 2, gradient: x.slice() });
    expect(leastLoss(objective, Float64Array.of(0.6, 0.8))).toMatchObject({
      loss: 0,
      iterations: 1,
      evaluations: 2,
      reason: "gradient",
    });
  });

  it("goes down Rosenbrock's valley to its end", () => {
    const { point, loss, iterations, reason } = leastLoss(rosenbrock, Float64Array.of(-1.2, 1));
    expect(reason).toBe("gradient");
    expect(point[0]).toBeCloseTo(1, 8);
    expect(point[1]).toBeCloseTo(1, 8);
    expect(loss).toBeLessThan(1e-17);
    expect(iterations).toBeLessThan(60);
  });

  it("never climbs, counts its calls, and ends when asked to", () => {
    const losses: number[] = [];
    let calls = 0;
    const result = leastLoss(
      (x) => {
        calls++;
        return rosenbrock(x);
      },
      Float64Array.of(-1.2, 1),
      {
        onIteration: ({ iteration, loss }) => {
          losses.push(loss);
          return iteration < 12;
        },
      },
    );
    expect(losses).toEqual([...losses].sort((a, b) => b - a));
    expect(result).toMatchObject({ iterations: 12, evaluations: calls, reason: "asked", loss: losses[11] });
  });

  it("follows a loss without a minimum until ten steps gain too little, and says so", () => {
    // Infimum 0, approached at infinity alone.
    const objective: Objective = ([x]) => ({
      loss: 1 + Math.log1p(Math.exp(-x)),
      gradient: Float64Array.of(-1 / (1 + Math.exp(x))),
    });
    const result = leastLoss(objective, Float64Array.of(0), { gradientNorm: 0 });
    expect(result.loss).toBeCloseTo(1, 12);
    expect(result.point[0]).toBeGreaterThan(25);
    expect(["decrease", "precision", "gradient"]).toContain(result.reason);
  });

  it("refuses impossible options and starts", () => {
    expect(() => leastLoss(rosenbrock, Float64Array.of(0, 0), { memory: 0 })).toThrow(
      "leastLoss: received memory 0; expected an integer from 1",
    );
    expect(() => leastLoss(rosenbrock, Float64Array.of(Number.NaN, 0))).toThrow(
      "the loss at the start is NaN",
    );
  });
});

describe("splitLoss", () => {
  const source = blobs({ count: 60, dimensions: 3, separation: 0.8, split: { train: 47, validation: 13 } });
  const softmax = classificationProblem({ dataset: source, model: softmaxRegression() });

  it("gives the loss, gradient and Hessian of the whole split, whatever its parts", async () => {
    const problem = classificationProblem({ dataset: source, model: perceptron({ hidden: [3] }) });
    const dataset = await source.load();
    const shapes = Object.entries(problem.build(dataset).parameters);
    let from = 0;
    const parameters = Object.fromEntries(
      shapes.map(([name, { shape }]) => {
        const length = shape.reduce((product, n) => product * n, 1);
        from += length;
        return [name, Array.from({ length }, (_, i) => Math.sin(from + 1.7 * i))];
      }),
    );
    const point = Float64Array.from(Object.values(parameters).flat());
    for (const [split, partSize] of [
      ["train", 10],
      ["train", 47],
      ["validation", 5],
    ] as const) {
      const expected = hessianOf({ problem, parameters, dataset, split });
      const loss = splitLoss({
        problem,
        dataset,
        split,
        partSize,
        backend: referenceBackend(),
        dtype: "float64",
      });
      const { loss: mean, gradient } = loss.objective(point);
      expect(loss.dimension).toBe(expected.dimension);
      expect(mean).toBeCloseTo(expected.loss, 12);
      gradient.forEach((one, i) => {
        expect(one).toBeCloseTo(expected.gradient[i], 12);
      });
      const direction = point.map((one, i) => Math.cos(one + i));
      const product = expected.product(direction);
      loss
        .hessianAt(point)(direction)
        .forEach((one, i) => {
          expect(one).toBeCloseTo(product[i], 12);
        });
      loss.release();
    }
  });

  it("leads to the optimum of softmax regression that gradient descent ends at, and to its sharpness", async () => {
    const dataset = await source.load();
    const loss = splitLoss({
      problem: softmax,
      dataset,
      backend: cpuBackend(),
      dtype: "float64",
      partSize: 20,
    });
    const start = new Float64Array(loss.dimension);
    const found = leastLoss(loss.objective, start, { gradientNorm: 1e-9 });
    expect(found.gradientNorm).toBeLessThanOrEqual(1e-9);
    const sharpest = largestEigenvalues(loss.hessianAt(found.point), loss.dimension).values[0];
    const names = Object.entries(softmax.build(dataset).parameters);
    let from = 0;
    const parameters = Object.fromEntries(
      names.map(([name, { shape }]) => {
        const length = shape.reduce((product, n) => product * n, 1);
        from += length;
        return [name, found.point.subarray(from - length, from)];
      }),
    );
    const matrix = hessianOf({ problem: softmax, dataset, parameters }).matrix();
    expect(sharpest).toBeCloseTo(spectrum(matrix).values.at(-1)!, 8);
    let here = start;
    const steepest = largestEigenvalues(loss.hessianAt(start), loss.dimension).values[0];
    for (let step = 0; step < 4000; step++) {
      const { gradient } = loss.objective(here);
      here = here.map((one, i) => one - (1 / steepest) * gradient[i]);
    }
    const descended = loss.objective(here).loss;
    expect(descended).toBeGreaterThanOrEqual(found.loss - 1e-14);
    expect(descended - found.loss).toBeLessThan(1e-6);
    loss.release();
  });

  it("names a split that is not there", async () => {
    const dataset = await source.load();
    expect(() => splitLoss({ problem: softmax, dataset, split: "test", backend: cpuBackend() })).toThrow(
      'splitLoss: data set "blobs" has no test split',
    );
  });
});
