/**
 * Eigenvalues and eigenvectors of a small symmetric matrix, by cyclic Jacobi rotations: simple, and exact to rounding.
 * G. Golub, C. Van Loan: "Matrix computations", section 8.5.
 */
import { SlalomError } from "../base/errors.js";

export type Matrix = readonly (readonly number[])[];

export interface Spectrum {
  /** Ascending. */
  readonly values: readonly number[];
  /** `vectors[i]` belongs to `values[i]`; of length 1, orthogonal to the others. */
  readonly vectors: Matrix;
}

/**
 * The spectrum of a symmetric matrix; work of order n^3, meant for n up to a few hundred.
 * @throws SlalomError "shape" for a matrix that is not square or not symmetric (to 1e-9 of its largest element)
 */
export function spectrum(matrix: Matrix): Spectrum {
  checkSymmetric(matrix);
  const size = matrix.length;
  const a = matrix.map((row) => Float64Array.from(row));
  const vectors = a.map((_, i) => Float64Array.from({ length: size }, (_, j) => (i === j ? 1 : 0)));
  for (let sweep = 0; sweep < maxSweeps && offDiagonal(a) > 0; sweep++) {
    for (let p = 0; p < size; p++) {
      for (let q = p + 1; q < size; q++) rotate(a, vectors, p, q);
    }
  }
  const order = a.map((_, i) => i).sort((i, j) => a[i][i] - a[j][j]);
  return { values: order.map((i) => a[i][i]), vectors: order.map((i) => [...vectors[i]]) };
}

/**
 * Greatest over least eigenvalue of a positive semi-definite Hessian. Flat directions (eigenvalues that are 0 to
 * rounding) are left out: no loss depends on them.
 * @throws SlalomError "option" for a negative eigenvalue or none above 0
 */
export function conditionNumber(values: readonly number[]): number {
  const { least, greatest } = curvatureRange(values);
  return greatest / least;
}

/** Least and greatest eigenvalue above 0; see `conditionNumber`. */
export function curvatureRange(values: readonly number[]): { least: number; greatest: number } {
  const greatest = Math.max(...values);
  const flat = 1e-13 * greatest;
  const positive = values.filter((value) => value > flat);
  if (positive.length === 0 || values.some((value) => value < -flat)) {
    throw new SlalomError(
      "option",
      `theory: received eigenvalues from ${Math.min(...values)} to ${greatest}; expected none negative and one above 0: else the quadratic has no least value.`,
    );
  }
  return { least: Math.min(...positive), greatest };
}

/** Jacobi converges quadratically: five to ten sweeps do; more than these mean NaN. */
const maxSweeps = 60;

/** Makes a[p][q] zero by a rotation of rows and columns p and q; rows of `vectors` turn along. */
function rotate(a: Float64Array[], vectors: Float64Array[], p: number, q: number): void {
  const element = a[p][q];
  // Below rounding beside both diagonal elements: a rotation would change nothing but this element.
  if (Math.abs(element) <= 1e-17 * Math.sqrt(Math.abs(a[p][p] * a[q][q]))) {
    a[p][q] = 0;
    a[q][p] = 0;
    return;
  }
  const theta = (a[q][q] - a[p][p]) / (2 * element);
  const t = (theta < 0 ? -1 : 1) / (Math.abs(theta) + Math.hypot(theta, 1));
  const cosine = 1 / Math.hypot(t, 1);
  const sine = t * cosine;
  for (let k = 0; k < a.length; k++) {
    const [x, y] = [a[k][p], a[k][q]];
    a[k][p] = cosine * x - sine * y;
    a[k][q] = sine * x + cosine * y;
  }
  turnRows(a[p], a[q], cosine, sine);
  turnRows(vectors[p], vectors[q], cosine, sine);
  a[p][q] = 0;
  a[q][p] = 0;
}

function turnRows(first: Float64Array, second: Float64Array, cosine: number, sine: number): void {
  for (let k = 0; k < first.length; k++) {
    const [x, y] = [first[k], second[k]];
    first[k] = cosine * x - sine * y;
    second[k] = sine * x + cosine * y;
  }
}

function offDiagonal(a: readonly Float64Array[]): number {
  let greatest = 0;
  for (let i = 0; i < a.length; i++) {
    for (let j = 0; j < i; j++) greatest = Math.max(greatest, Math.abs(a[i][j]));
  }
  return greatest;
}

function checkSymmetric(matrix: Matrix): void {
  const size = matrix.length;
  const ragged = matrix.findIndex((row) => row.length !== size);
  if (size === 0 || ragged >= 0) {
    throw new SlalomError(
      "shape",
      `spectrum: received ${size} rows${ragged >= 0 ? `, row ${ragged} of ${matrix[ragged].length}` : ""}; expected a square matrix.`,
    );
  }
  const greatest = Math.max(...matrix.map((row) => Math.max(...row.map(Math.abs))));
  for (let i = 0; i < size; i++) {
    for (let j = 0; j < i; j++) {
      if (Math.abs(matrix[i][j] - matrix[j][i]) <= 1e-9 * greatest) continue;
      throw new SlalomError(
        "shape",
        `spectrum: element [${i}][${j}] is ${matrix[i][j]}, [${j}][${i}] is ${matrix[j][i]}; expected a symmetric matrix of finite numbers.`,
      );
    }
  }
}
