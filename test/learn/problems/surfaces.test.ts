/** Every surface: minima, plain formula against tensors, gradient against finite differences, no lower point nearby. */
import { describe, expect, it } from "vitest";
import { constant, evaluate } from "../../../src/graph/index.js";
import { surfaceProblem, surfaces } from "../../../src/learn/problems/index.js";
import { grad } from "../../../src/transform/index.js";

const { loss: ackleyLoss } = surfaces.find(({ name }) => name === "ackley")!;

describe.each(surfaces)("$name", (surface) => {
  const { value, loss, minima, minimum, range, start } = surface;
  const points = Array.from({ length: 40 }, (_, i) =>
    // A low-discrepancy walk over the range.
    range.map(
      ([low, high], axis) => low + (high - low) * ((0.37 + i * [0.7548776662, 0.569840291][axis]) % 1),
    ),
  );
  const gradientAt = (x: number, y: number) => {
    const parameters = [constant(x, "float64"), constant(y, "float64")];
    const l = loss(parameters[0], parameters[1]);
    return evaluate([l, ...grad(l, parameters)]).map(({ data }) => data[0]);
  };

  it("has its least value at its minima, and none lower in its range", () => {
    for (const [x, y] of minima) {
      expect(value(x, y)).toBeCloseTo(minimum, 12);
      const [, dx, dy] = gradientAt(x, y);
      expect(Math.hypot(dx, dy)).toBeLessThan(1e-6);
    }
    const least = Math.min(...points.map(([x, y]) => value(x, y)));
    expect(least).toBeGreaterThan(minimum);
    for (const [x, y] of [...minima, start]) {
      expect(x).toBeGreaterThanOrEqual(range[0][0]);
      expect(x).toBeLessThanOrEqual(range[0][1]);
      expect(y).toBeGreaterThanOrEqual(range[1][0]);
      expect(y).toBeLessThanOrEqual(range[1][1]);
    }
  });

  it("has one formula in numbers and tensors, and the gradient of finite differences", () => {
    const h = 1e-5;
    for (const [x, y] of [...points, start]) {
      const [computed, dx, dy] = gradientAt(x, y);
      const scale = 1 + Math.abs(value(x, y));
      expect(Math.abs(computed - value(x, y)) / scale).toBeLessThan(1e-12);
      const slopeX = (value(x + h, y) - value(x - h, y)) / (2 * h);
      const slopeY = (value(x, y + h) - value(x, y - h)) / (2 * h);
      const size = scale + Math.abs(dx) + Math.abs(dy);
      expect(Math.abs(dx - slopeX) / size).toBeLessThan(1e-6);
      expect(Math.abs(dy - slopeY) / size).toBeLessThan(1e-6);
    }
  });

  it("is a problem that starts where told", () => {
    const problem = surfaceProblem(surface, { start: [0.25, -0.5] });
    const { parameters } = problem.build();
    const [x, y] = evaluate([parameters.x.initial([0, 0]), parameters.y.initial([0, 0])]);
    expect([x.data[0], y.data[0]]).toEqual([0.25, -0.5]);
    expect(problem.optimum?.loss).toBe(minimum);
  });
});

describe("ackley", () => {
  it("has gradient 0, not NaN, at its kink, in float32 as well", () => {
    const parameters = [constant(0), constant(0)];
    const l = ackleyLoss(parameters[0], parameters[1]);
    expect(evaluate(grad(l, parameters)).map(({ data }) => Math.abs(data[0]))).toEqual([0, 0]);
  });
});
