/** Least squares with a linear model on all of the data at every step: a quadratic loss, known in closed form. */
import { checkKeys, SlalomError } from "../../base/errors.js";
import { add, constant, dot, mul, square, sub, sum, type Tensor } from "../../graph/index.js";
import { functionProblem } from "./functionProblem.js";
import type { Parameters, Problem, QuadraticForm, Surface } from "./problem.js";
import { solveLinear } from "./solveLinear.js";

export interface LinearRegressionOptions {
  /** n numbers, or n rows of d numbers; default [1, 2, 3, 4]. */
  readonly inputs?: readonly number[] | readonly (readonly number[])[];
  /** n numbers; default [0, -1, -2, -3] with the default inputs. */
  readonly targets?: readonly number[];
  /** First values: W a number, or d of them for inputs in rows. Default 0.3 (each) and -0.3. */
  readonly start?: { readonly W?: number | readonly number[]; readonly b?: number };
  /** Whether the loss is the sum (default) or the mean of the squared errors. */
  readonly reduction?: "sum" | "mean";
}

/**
 * loss(W, b) = sum over i of (W x_i + b - y_i)^2, all data at every step. No factor 1/2.
 *
 * By default four points on the line y = 1 - x: Hessian [[60, 20], [20, 8]], least loss 0 at W = -1, b = 1.
 * Parameters: "W" (scalar, or [d]) and "b" (scalar). For mini-batches take `regressionProblem`.
 * @throws SlalomError "option" for unknown options, "shape" for data or starts that do not fit together
 * @example linearRegression({ inputs: [[1, 0], [0, 1], [1, 1]], targets: [1, 2, 3], reduction: "mean" })
 */
export function linearRegression(options: LinearRegressionOptions = {}): Problem {
  checkKeys("linearRegression", options, ["inputs", "targets", "start", "reduction"]);
  checkKeys("linearRegression's start", options.start ?? {}, ["W", "b"]);
  const { inputs = [1, 2, 3, 4], reduction = "sum" } = options;
  const targets = options.targets ?? (options.inputs === undefined ? [0, -1, -2, -3] : []);
  const isScalar = typeof inputs[0] === "number";
  const rows = (inputs as readonly (number | readonly number[])[]).map((x) =>
    typeof x === "number" ? [x] : x,
  );
  const { W = isScalar ? 0.3 : rows[0].map(() => 0.3), b = -0.3 } = options.start ?? {};
  checkData(rows, targets, W, isScalar);
  const weight = reduction === "sum" ? 1 : 1 / targets.length;
  const quadratic = quadraticForm(rows, targets, [...[W].flat(), b], weight);
  const surface = isScalar && quadratic ? surfaceOf(rows, targets, quadratic, weight) : undefined;
  return functionProblem({
    name: "linear-regression",
    title: "linear regression",
    options: { inputs, targets, start: { W, b }, reduction },
    start: { W, b },
    loss: (parameters) => squaredErrors(parameters, inputs, targets, weight),
    optimum: quadratic && {
      loss: quadratic.minimum,
      parameters: { W: quadratic.minimizer.slice(0, -1), b: quadratic.minimizer.slice(-1) },
    },
    surface,
    quadratic,
  });
}

function squaredErrors(
  { W, b }: Parameters,
  inputs: readonly number[] | readonly (readonly number[])[],
  targets: readonly number[],
  weight: number,
): Tensor {
  const x = constant(inputs, W.dtype);
  const products = W.shape.length === 0 ? mul(x, W) : dot(x, W, { batch: [[], []], contract: [[1], [0]] });
  const total = sum(square(sub(add(products, b), constant(targets, W.dtype))));
  return weight === 1 ? total : mul(total, weight);
}

/** The exact quadratic; undefined where the data leave the minimizer open. */
function quadraticForm(
  rows: readonly (readonly number[])[],
  targets: readonly number[],
  start: readonly number[],
  weight: number,
): QuadraticForm | undefined {
  const design = rows.map((row) => [...row, 1]);
  const size = start.length;
  const hessian = Array.from({ length: size }, (_, i) =>
    Array.from({ length: size }, (_, j) => 2 * weight * total(design, (row) => row[i] * row[j])),
  );
  const residual = (at: readonly number[], n: number) => total(design[n], (x, i) => x * at[i]) - targets[n];
  const loss = (at: readonly number[]) => weight * total(design, (_, n) => residual(at, n) ** 2);
  // Newton's step from 0, and more from there: they take away what rounding left, as the residuals are small then.
  let minimizer = start.map(() => 0);
  for (let step = 0; step < 3; step++) {
    const gradient = start.map(
      (_, i) => 2 * weight * total(design, (row, n) => row[i] * residual(minimizer, n)),
    );
    const change = solveLinear(hessian, gradient);
    if (!change) return undefined;
    const next = minimizer.map((value, i) => value - change[i]);
    if (step === 0 || loss(next) < loss(minimizer)) minimizer = next;
  }
  const minimum = loss(minimizer);
  return { parameters: ["W", "b"], hessian, minimizer, minimum, start };
}

function surfaceOf(
  rows: readonly (readonly number[])[],
  targets: readonly number[],
  { minimizer, start }: QuadraticForm,
  weight: number,
): Surface {
  // A square around the minimizer that holds the start, with room for what overshoots.
  const reach = 1.25 * Math.max(...start.map((value, i) => Math.abs(value - minimizer[i])), 0.1);
  const around = (i: number): [number, number] => [minimizer[i] - reach, minimizer[i] + reach];
  return {
    axes: ["W", "b"],
    range: [around(0), around(1)],
    value: (W, b) => weight * total(rows, ([x], n) => (W * x + b - targets[n]) ** 2),
    minima: [[minimizer[0], minimizer[1]]],
  };
}

const total = <T>(items: readonly T[], term: (item: T, index: number) => number): number =>
  items.reduce((sofar, item, index) => sofar + term(item, index), 0);

function checkData(
  rows: readonly (readonly number[])[],
  targets: readonly number[],
  W: number | readonly number[],
  isScalar: boolean,
): void {
  const size = rows[0]?.length ?? 0;
  const ragged = rows.findIndex((row) => row.length !== size);
  if (size === 0 || ragged >= 0 || rows.length !== targets.length) {
    const received =
      ragged >= 0
        ? `row ${ragged} of ${rows[ragged].length} numbers after rows of ${size}`
        : `${rows.length}`;
    throw new SlalomError(
      "shape",
      `linearRegression: received ${received} inputs and ${targets.length} targets; expected as many of each, and rows of one length.`,
    );
  }
  const fits = isScalar ? typeof W === "number" : Array.isArray(W) && W.length === size;
  if (fits) return;
  throw new SlalomError(
    "shape",
    `linearRegression: received start W ${JSON.stringify(W)}; expected ${isScalar ? "a number" : `a list of ${size} numbers`}, as the inputs have it.`,
  );
}
