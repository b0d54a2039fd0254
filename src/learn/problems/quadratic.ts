/** Quadratics with a chosen spectrum: what conditioning does to an optimizer, and nothing else. */
import { checkKeys, SlalomError } from "../../base/errors.js";
import { keyFromSeed, normalFromBits, randomBits } from "../../base/random.js";
import { constant, dot, mul, square, sum, type Tensor } from "../../graph/index.js";
import { functionProblem } from "./functionProblem.js";
import type { Problem, Surface } from "./problem.js";

export interface QuadraticOptions {
  /** Eigenvalues of the Hessian, none negative, at least one above 0. Instead of `condition` and `dimension`. */
  readonly eigenvalues?: readonly number[];
  /** Greatest over least eigenvalue, from 1; default 100. The eigenvalues are 1/condition to 1, evenly on a log axis. */
  readonly condition?: number;
  /** Number of eigenvalues; default 10. */
  readonly dimension?: number;
  /** Seed of a random rotation of the axes; without it the Hessian is diagonal. */
  readonly rotationSeed?: number;
  /** First value of x; default: 1 along every eigenvector. */
  readonly start?: readonly number[];
}

/**
 * loss(x) = 1/2 x^T H x, where H has the given eigenvalues: least loss 0 at x = 0. Parameter: "x" [dimension].
 *
 * Optimizers that scale each coordinate (Adam) see through a diagonal Hessian; `rotationSeed` takes that away.
 * @throws SlalomError "option" for eigenvalues and sizes out of range, "shape" for a start of another length
 * @example quadratic({ condition: 1000, dimension: 20, rotationSeed: 1 })
 */
export function quadratic(options: QuadraticOptions = {}): Problem {
  checkKeys("quadratic", options, ["eigenvalues", "condition", "dimension", "rotationSeed", "start"]);
  const eigenvalues = eigenvaluesOf(options);
  const dimension = eigenvalues.length;
  const { rotationSeed } = options;
  const vectors = rotationSeed === undefined ? undefined : orthonormalVectors(rotationSeed, dimension);
  const hessian = hessianOf(eigenvalues, vectors);
  const start =
    options.start ??
    Array.from({ length: dimension }, (_, i) => vectors?.reduce((sum, vector) => sum + vector[i], 0) ?? 1);
  if (start.length !== dimension) {
    throw new SlalomError(
      "shape",
      `quadratic: received a start of ${start.length} numbers; expected ${dimension}, one for each eigenvalue.`,
    );
  }
  return functionProblem({
    name: "quadratic",
    title: `quadratic, ${dimension} eigenvalues`,
    options: {
      eigenvalues,
      rotationSeed: rotationSeed ?? null,
      start: options.start ?? "1 along every eigenvector",
    },
    start: { x: start },
    loss: ({ x }) => (vectors ? generalForm(x, hessian) : diagonalForm(x, eigenvalues)),
    optimum: { loss: 0, parameters: { x: start.map(() => 0) } },
    surface: dimension === 2 ? surfaceOf(hessian, start) : undefined,
    quadratic: { parameters: ["x"], hessian, minimizer: start.map(() => 0), minimum: 0, start },
  });
}

const diagonalForm = (x: Tensor, eigenvalues: readonly number[]): Tensor =>
  mul(sum(mul(square(x), constant(eigenvalues, x.dtype))), 0.5);

function generalForm(x: Tensor, hessian: readonly (readonly number[])[]): Tensor {
  const product = dot(constant(hessian, x.dtype), x, { batch: [[], []], contract: [[1], [0]] });
  return mul(sum(mul(x, product)), 0.5);
}

function eigenvaluesOf(options: QuadraticOptions): readonly number[] {
  if (options.eigenvalues !== undefined) {
    const { eigenvalues } = options;
    const sound = eigenvalues.every((value) => value >= 0 && Number.isFinite(value));
    if (sound && eigenvalues.some((value) => value > 0)) return eigenvalues;
    throw new SlalomError(
      "option",
      `quadratic: received eigenvalues [${eigenvalues.join(", ")}]; expected finite numbers, none negative, one above 0.`,
    );
  }
  const { condition = 100, dimension = 10 } = options;
  if (!(condition >= 1 && Number.isFinite(condition))) {
    throw new SlalomError("option", `quadratic: received condition ${condition}; expected a number from 1.`);
  }
  if (!Number.isInteger(dimension) || dimension < 1) {
    throw new SlalomError(
      "option",
      `quadratic: received dimension ${dimension}; expected an integer from 1.`,
    );
  }
  return Array.from({ length: dimension }, (_, i) =>
    dimension === 1 ? 1 : condition ** (i / (dimension - 1) - 1),
  );
}

/** sum of eigenvalue v v^T over the eigenvectors v: the axes if there are none given. */
function hessianOf(
  eigenvalues: readonly number[],
  vectors: readonly (readonly number[])[] | undefined,
): number[][] {
  const element = (i: number, j: number): number => {
    if (!vectors) return i === j ? eigenvalues[i] : 0;
    return eigenvalues.reduce((sum, value, k) => sum + value * (vectors[k][i] * vectors[k][j]), 0);
  };
  return eigenvalues.map((_, i) => eigenvalues.map((_, j) => element(i, j)));
}

/** A random rotation: normal vectors made orthonormal by Gram-Schmidt, twice against rounding. */
function orthonormalVectors(seed: number, dimension: number): number[][] {
  const key = keyFromSeed(seed);
  const vectors: number[][] = [];
  for (let i = 0; i < dimension; i++) {
    let vector = Array.from({ length: dimension }, (_, j) =>
      normalFromBits(randomBits(key, i * dimension + j), 1),
    );
    for (const other of [...vectors, ...vectors]) {
      const along = inner(vector, other);
      vector = vector.map((value, j) => value - along * other[j]);
    }
    const length = Math.sqrt(inner(vector, vector));
    vectors.push(vector.map((value) => value / length));
  }
  return vectors;
}

const inner = (a: readonly number[], b: readonly number[]): number =>
  a.reduce((sum, value, i) => sum + value * b[i], 0);

function surfaceOf(hessian: readonly (readonly number[])[], start: readonly number[]): Surface {
  const reach = 1.25 * Math.max(...start.map(Math.abs), 0.1);
  return {
    axes: ["x[0]", "x[1]"],
    range: [
      [-reach, reach],
      [-reach, reach],
    ],
    value: (x, y) => 0.5 * (hessian[0][0] * x * x + 2 * hessian[0][1] * x * y + hessian[1][1] * y * y),
    minima: [[0, 0]],
  };
}
