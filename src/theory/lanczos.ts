/**
 * The greatest eigenvalues of a symmetric operator from products with vectors alone: Lanczos with full
 * reorthogonalisation. Y. Saad: "Numerical methods for large eigenvalue problems", chapter 6.
 */
import { SlalomError } from "../base/errors.js";
import { keyFromSeed, normalFromBits, randomBits } from "../base/random.js";
import { spectrum } from "./spectrum.js";

/** A symmetric linear operator: the product with a vector of its dimension. */
export type HessianProduct = (vector: Float64Array) => Float64Array;

export interface LanczosOptions {
  /** How many of the greatest eigenvalues; default 1. */
  readonly count?: number;
  /** The most products; default 100. Each keeps a vector. */
  readonly iterations?: number;
  /** Stops when each error bound is below this share of the greatest magnitude seen; default 1e-8. */
  readonly tolerance?: number;
  /** Of the random first vector; default 0. */
  readonly seed?: number;
}

export interface LanczosResult {
  /** Descending, greatest in value (not in magnitude). An eigenvalue that occurs several times is found once. */
  readonly values: readonly number[];
  /** For each value: an eigenvalue lies within this distance, by the residual of its vector. */
  readonly errors: readonly number[];
  /** Products made. */
  readonly iterations: number;
  readonly converged: boolean;
}

/**
 * The greatest eigenvalues of a symmetric operator, such as a loss's Hessian: its first is the sharpness, and 2 divided
 * by it the learning rate at which gradient descent becomes unstable there.
 *
 * Where the operator's range is exhausted early there may be fewer values than asked for.
 * @param product the operator; called once for each iteration
 * @param dimension length of its vectors, an integer from 1
 * @throws SlalomError "option" for impossible options, "shape" where the product has another length or is not finite
 * @example largestEigenvalues(hessian.product, hessian.dimension, { count: 3 }).values
 */
export function largestEigenvalues(
  product: HessianProduct,
  dimension: number,
  { count = 1, iterations = 100, tolerance = 1e-8, seed = 0 }: LanczosOptions = {},
): LanczosResult {
  for (const [name, value] of Object.entries({ dimension, count, iterations })) {
    if (Number.isInteger(value) && value >= 1) continue;
    throw new SlalomError(
      "option",
      `largestEigenvalues: received ${name} ${value}; expected an integer from 1.`,
    );
  }
  const most = Math.min(dimension, iterations);
  const basis: Float64Array[] = [randomUnit(dimension, seed)];
  const diagonal: number[] = [];
  const beside: number[] = [];
  for (;;) {
    const last = basis[basis.length - 1];
    const image = checkedProduct(product, last);
    diagonal.push(inner(last, image));
    // Twice: once leaves what rounding put back.
    for (const vector of [...basis, ...basis]) addMultiple(image, vector, -inner(vector, image));
    const residual = Math.sqrt(inner(image, image));
    beside.push(residual);
    const isLast = diagonal.length >= most;
    // The small problem costs n^3: not at every step.
    const isCheck = diagonal.length >= count && (diagonal.length % 5 === 0 || diagonal.length <= count + 2);
    const scale = Math.max(...diagonal.map(Math.abs), ...beside.slice(0, -1));
    const isExhausted = residual <= 1e-14 * scale;
    if (isLast || isCheck || isExhausted) {
      const result = ritzValues(diagonal, beside, { count, tolerance });
      if (isLast || isExhausted || result.converged) return result;
    }
    basis.push(image.map((value) => value / residual));
  }
}

/** Eigenvalues of the tridiagonal matrix; |residual x last element of its vector| bounds each one's error. */
function ritzValues(
  diagonal: readonly number[],
  beside: readonly number[],
  { count, tolerance }: { readonly count: number; readonly tolerance: number },
): LanczosResult {
  const size = diagonal.length;
  const matrix = diagonal.map((value, i) =>
    diagonal.map((_, j) => (i === j ? value : Math.abs(i - j) === 1 ? beside[Math.min(i, j)] : 0)),
  );
  const { values, vectors } = spectrum(matrix);
  const chosen = values.map((_, i) => size - 1 - i).slice(0, count);
  const errors = chosen.map((i) => Math.abs(beside[size - 1] * vectors[i][size - 1]));
  const scale = Math.max(...values.map(Math.abs));
  return {
    values: chosen.map((i) => values[i]),
    errors,
    iterations: size,
    converged: errors.every((error) => error <= tolerance * scale),
  };
}

function randomUnit(dimension: number, seed: number): Float64Array {
  const key = keyFromSeed(seed);
  const vector = Float64Array.from({ length: dimension }, (_, i) => normalFromBits(randomBits(key, i), 1));
  const length = Math.sqrt(inner(vector, vector));
  return vector.map((value) => value / length);
}

function checkedProduct(product: HessianProduct, vector: Float64Array): Float64Array {
  const image = product(vector).slice();
  if (image.length === vector.length && image.every(Number.isFinite)) return image;
  throw new SlalomError(
    "shape",
    `largestEigenvalues: the product has ${image.length} elements for a vector of ${vector.length}, or some are not finite; expected as many finite ones. Is the loss finite here?`,
  );
}

const inner = (a: Float64Array, b: Float64Array): number => {
  let total = 0;
  for (let i = 0; i < a.length; i++) total += a[i] * b[i];
  return total;
};

function addMultiple(target: Float64Array, vector: Float64Array, factor: number): void {
  for (let i = 0; i < target.length; i++) target[i] += factor * vector[i];
}
