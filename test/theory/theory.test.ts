/** Predictions against plain loops and against graphs evaluated step by step, in float64; limits from both sides. */
import { describe, expect, it } from "vitest";
import {
  constantArray,
  evaluate,
  type HostTensor,
  keyFromSeed,
  type Tensor,
  variable,
} from "../../src/graph/index.js";
import { linearRegression, type Problem, quadratic } from "../../src/learn/problems/index.js";
import {
  adamStabilityThreshold,
  asymptoticRate,
  conditionNumber,
  gradientDescentTheory,
  heavyBallTheory,
  predictDivergence,
  predictedLosses,
  predictedPath,
  predictedStepsTo,
  quadraticModes,
  type Setting,
  spectralRadius,
  stabilityBoundary,
  stabilityLimit,
} from "../../src/theory/index.js";
import { grad } from "../../src/transform/index.js";

const exercise = linearRegression();
const modes = quadraticModes(exercise.quadratic!);
// Eigenvalues of [[60, 20], [20, 8]]: 34 -+ sqrt(26^2 + 20^2).
const root = Math.sqrt(26 ** 2 + 20 ** 2);
const [least, greatest] = [34 - root, 34 + root];

/** Heavy ball on exercise 1 in a plain loop over its four points. */
function plainLoop({ lr, momentum = 0 }: Setting, steps: number): { losses: number[]; path: number[][] } {
  let [W, b, vW, vb] = [0.3, -0.3, 0, 0];
  const losses: number[] = [];
  const path: number[][] = [];
  for (let t = 0; t <= steps; t++) {
    let [loss, gW, gb] = [0, 0, 0];
    for (let i = 0; i < 4; i++) {
      const x = i + 1;
      const residual = W * x + b + i;
      loss += residual ** 2;
      gW += 2 * residual * x;
      gb += 2 * residual;
    }
    losses.push(loss);
    path.push([W, b]);
    vW = momentum * vW + gW;
    vb = momentum * vb + gb;
    W -= lr * vW;
    b -= lr * vb;
  }
  return { losses, path };
}

/** The same by the problem's own graph and its gradient. */
function graphLoop(problem: Problem, { lr, momentum = 0 }: Setting, steps: number): number[] {
  const built = problem.build();
  const names = Object.keys(built.parameters);
  const wrt = names.map((name) => variable(name, built.parameters[name].shape, "float64"));
  const { loss } = built.evaluate(Object.fromEntries(names.map((name, i) => [name, wrt[i]])), undefined, {
    training: true,
    key: keyFromSeed(0),
  });
  const outputs = [loss, ...grad(loss, wrt)];
  let values = evaluate(names.map((name) => built.parameters[name].initial(keyFromSeed(0))));
  const velocities = values.map(({ data }) => new Float64Array(data.length));
  return Array.from({ length: steps + 1 }, () => {
    const given = new Map<Tensor, HostTensor>(wrt.map((tensor, i) => [tensor, values[i]]));
    const [value, ...gradients] = evaluate(outputs, given);
    values = values.map((parameter, i) => {
      const velocity = velocities[i].map((v, k) => momentum * v + gradients[i].data[k]);
      velocities[i] = velocity;
      const moved = Float64Array.from(parameter.data, (p, k) => p - lr * velocity[k]);
      return evaluate([constantArray(moved, parameter.shape, "float64")])[0];
    });
    return value.data[0];
  });
}

/** Greatest relative difference over all measured steps. */
const worstDifference = (predicted: ArrayLike<number>, measured: readonly number[]): number =>
  Math.max(...measured.map((value, t) => Math.abs(predicted[t] - value) / value));

describe("predicted against measured", () => {
  const settings: Setting[] = [
    { lr: 1e-5, momentum: 0 },
    { lr: 1e-3, momentum: 0 },
    { lr: 0.01, momentum: 0 },
    { lr: 0.0299, momentum: 0 },
    { lr: 0.05, momentum: 0 },
    { lr: 1e-3, momentum: 0.9 },
    { lr: 0.01, momentum: 0.6 },
    { lr: 0.05, momentum: 0.9 },
    { lr: 0.06, momentum: 0.3 },
  ];
  it.each(settings)("holds at every step of exercise 1, $lr and momentum $momentum", (setting) => {
    const steps = 400;
    const { losses, path } = plainLoop(setting, steps);
    // Below 1e-10 of its start a loss feels the rounding of parameters near 1; above 1e300 float64 ends.
    const predicted = predictedLosses(modes, setting, steps);
    const significant = losses.findIndex((loss) => loss < 1e-10 * losses[0] || loss > 1e300);
    const end = significant < 0 ? steps + 1 : significant;
    expect(end).toBeGreaterThan(20);
    expect(worstDifference(predicted, losses.slice(0, end))).toBeLessThan(1e-9);
    expect(worstDifference(predicted, graphLoop(exercise, setting, Math.min(60, end - 1)))).toBeLessThan(
      1e-9,
    );
    const points = predictedPath(modes, setting, 50);
    points.forEach(([W, b], t) => {
      const size = Math.hypot(...path[t]);
      expect(Math.hypot(W - path[t][0], b - path[t][1]) / size).toBeLessThan(1e-9);
    });
  });

  it("holds on a rotated quadratic of ten dimensions", () => {
    const problem = quadratic({ condition: 100, dimension: 10, rotationSeed: 2 });
    const own = quadraticModes(problem.quadratic!);
    for (const setting of [{ lr: 1.5 }, { lr: 1.2, momentum: 0.7 }, { lr: 2.5 }]) {
      expect(
        worstDifference(predictedLosses(own, setting, 60), graphLoop(problem, setting, 60)),
      ).toBeLessThan(1e-9);
    }
  });

  it("finds the step of a target", () => {
    const setting = { lr: 0.01, momentum: 0.6 };
    const measured = plainLoop(setting, 500).losses.findIndex((loss) => loss <= 1e-3);
    expect(predictedStepsTo(modes, setting, { target: 1e-3, steps: 500 })).toBe(measured);
    expect(predictedStepsTo(modes, { lr: 1e-5 }, { target: 1e-3, steps: 100 })).toBeUndefined();
  });
});

describe("limits and best settings", () => {
  it("are exercise 1's closed forms", () => {
    expect(modes.eigenvalues[0]).toBeCloseTo(least, 12);
    expect(modes.eigenvalues[1]).toBeCloseTo(greatest, 12);
    expect(conditionNumber(modes.eigenvalues)).toBeCloseTo(greatest / least, 9);
    const descent = gradientDescentTheory(modes.eigenvalues);
    expect(descent.stabilityLimit).toBeCloseTo(2 / greatest, 14);
    expect(descent.bestLr).toBeCloseTo(2 / 68, 14);
    expect(descent.bestRate).toBeCloseTo(root / 34, 13);
    const ball = heavyBallTheory(modes.eigenvalues);
    const c = Math.sqrt(greatest / least);
    expect(ball.bestLr).toBeCloseTo(4 / (Math.sqrt(greatest) + Math.sqrt(least)) ** 2, 14);
    expect(ball.bestMomentum).toBeCloseTo(((c - 1) / (c + 1)) ** 2, 12);
    expect(ball.bestRate).toBeCloseTo((c - 1) / (c + 1), 12);
  });

  it("are best: no neighbour has a better rate", () => {
    const { bestLr, bestRate } = gradientDescentTheory(modes.eigenvalues);
    expect(asymptoticRate(modes.eigenvalues, { lr: bestLr })).toBeCloseTo(bestRate, 12);
    for (const factor of [0.9, 0.99, 1.01]) {
      expect(asymptoticRate(modes.eigenvalues, { lr: factor * bestLr })).toBeGreaterThan(bestRate);
    }
    const ball = heavyBallTheory(modes.eigenvalues);
    // At a double root, rounding moves the radius by its square root.
    const setting = { lr: ball.bestLr, momentum: ball.bestMomentum };
    expect(asymptoticRate(modes.eigenvalues, setting)).toBeCloseTo(ball.bestRate, 6);
    for (const [lr, momentum] of [
      [0.97, 1],
      [1.03, 1],
      [1, 0.97],
      [1, 1.03],
    ]) {
      const other = { lr: lr * ball.bestLr, momentum: momentum * ball.bestMomentum };
      expect(asymptoticRate(modes.eigenvalues, other)).toBeGreaterThan(ball.bestRate + 1e-4);
    }
  });

  it("give the rate that runs show", () => {
    for (const setting of [{ lr: 0.01 }, { lr: 0.02, momentum: 0.3 }]) {
      const { losses } = plainLoop(setting, 120);
      const measured = Math.sqrt(losses[120] / losses[100]) ** (1 / 20);
      expect(measured).toBeCloseTo(asymptoticRate(modes.eigenvalues, setting), 5);
    }
    // Complex roots: the radius is the momentum's root whatever the eigenvalue.
    expect(spectralRadius(3, { lr: 0.1, momentum: 0.81 })).toBeCloseTo(0.9, 14);
  });

  it("divide runs that converge from runs that diverge", () => {
    for (const momentum of [0, 0.3, 0.9]) {
      const limit = stabilityLimit(greatest, momentum);
      const before = plainLoop({ lr: limit * 0.9995, momentum }, 20_000).losses;
      const beyond = plainLoop({ lr: limit * 1.0005, momentum }, 20_000).losses;
      expect(before[20_000]).toBeLessThan(1e-3 * before[0]);
      expect(beyond[20_000] > 1e3 * beyond[0]).toBe(true);
      expect(predictDivergence(modes, { lr: limit * 0.9995, momentum })).toBeUndefined();
      expect(predictDivergence(modes, { lr: limit * 1.0005, momentum })?.eigenvalue).toBeCloseTo(
        greatest,
        10,
      );
    }
    expect(predictDivergence(modes, { lr: stabilityLimit(modes.eigenvalues[1]) })).toBeUndefined();
    expect(stabilityBoundary(4, [0, 0.5])).toEqual([
      { momentum: 0, lr: 0.5 },
      { momentum: 0.5, lr: 0.75 },
    ]);
  });

  it("tell when the exercise's diverging runs leave float32", () => {
    for (const lr of [0.05, 0.1, 0.5, 1]) {
      const { losses } = plainLoop({ lr }, 200);
      const step = losses.findIndex((loss) => loss > 3.4028234663852886e38);
      const prediction = predictDivergence(modes, { lr });
      expect(prediction?.step).toBe(step);
      expect(prediction?.growth).toBeCloseTo(lr * greatest - 1, 10);
      expect(prediction?.stabilityLimit).toBeCloseTo(2 / greatest, 12);
    }
    expect(predictDivergence(modes, { lr: 0.05 }, { steps: 10 })?.step).toBeUndefined();
    expect(predictDivergence(modes, { lr: 0.05 }, { bound: 1e6 })?.step).toBe(
      plainLoop({ lr: 0.05 }, 100).losses.findIndex((loss) => loss > 1e6),
    );
  });

  it("leave flat directions out and refuse what has no least value", () => {
    expect(conditionNumber([0, 2, 8])).toBe(4);
    expect(asymptoticRate([0, 2, 8], { lr: 0.2 })).toBeCloseTo(0.6, 14);
    expect(() => conditionNumber([-1, 2])).toThrow(
      "received eigenvalues from -1 to 2; expected none negative",
    );
    expect(() => stabilityLimit(0)).toThrow("received greatest eigenvalue 0");
    expect(() => predictedLosses(modes, { lr: 0.1, momentum: 1 }, 5)).toThrow("received momentum 1");
    expect(() => predictedLosses(modes, { lr: Number.NaN }, 5)).toThrow("received lr NaN");
    expect(() => predictedLosses(modes, { lr: 0.1 }, 1.5)).toThrow("received 1.5 steps");
  });

  it("estimate Adam's as Cohen et al. do", () => {
    expect(adamStabilityThreshold({ lr: 1e-3 })).toBeCloseTo(38_000, 6);
    expect(adamStabilityThreshold({ lr: 0.1, beta1: 0 })).toBeCloseTo(20, 12);
  });
});
