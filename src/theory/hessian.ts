/** The Hessian of a problem's loss at given parameters, as products with vectors: what Lanczos needs. */
import { allocate } from "../base/dtype.js";
import { SlalomError } from "../base/errors.js";
import { formatType, type HostTensor, sizeOf } from "../base/shape.js";
import { evaluate, keyFromSeed, mean, sum, type Tensor, variable } from "../graph/index.js";
import type { Dataset, SplitName } from "../learn/datasets/dataset.js";
import { preparedBatch } from "../learn/problems/batch.js";
import { type Batch, checkEvaluation, type Problem } from "../learn/problems/problem.js";
import { grad, hessianVectorProduct } from "../transform/index.js";
import type { HessianProduct } from "./lanczos.js";
import type { Matrix } from "./spectrum.js";
import { requireStateless } from "./stateless.js";

/** Gives the values of `outputs`, as `evaluate` of the graph does: a compiled program may stand in for it. */
export type Evaluator = (
  outputs: readonly Tensor[],
  values: ReadonlyMap<Tensor, HostTensor>,
) => readonly HostTensor[];

export interface HessianOptions {
  readonly problem: Problem;
  /** Values by parameter name, row-major. */
  readonly parameters: Readonly<Record<string, ArrayLike<number>>>;
  /** The loaded data, for a problem that has some. */
  readonly dataset?: Dataset;
  /** Default "train". */
  readonly split?: SplitName;
  /** Only the first so many examples; default all. */
  readonly examples?: number;
  /** Default "float64". */
  readonly dtype?: "float32" | "float64";
  /** Default: the reference evaluation, for small problems. */
  readonly evaluator?: Evaluator;
}

export interface Hessian {
  /** Number of parameters. */
  readonly dimension: number;
  /** The loss at these parameters, as in evaluation (no dropout). */
  readonly loss: number;
  readonly gradient: Float64Array;
  /** The Hessian times a vector; elements in the order of the problem's parameters, each row-major. */
  readonly product: HessianProduct;
  /** All of it, by one product for each parameter. */
  matrix(): Matrix;
}

/**
 * Loss, gradient and Hessian-vector products of a problem's loss over a whole split.
 * @throws SlalomError "name" for a parameter without values, "shape" for values of another number, "data" for a split
 *   that the data set lacks
 * @example largestEigenvalues(hessianOf({ problem, parameters }).product, 2)
 */
export function hessianOf(options: HessianOptions): Hessian {
  const { problem, dtype = "float64", evaluator = evaluate } = options;
  const built = problem.build(options.dataset);
  requireStateless(problem.name, built);
  const names = Object.keys(built.parameters);
  const wrt = names.map((name) => variable(name, built.parameters[name].shape, dtype));
  const vectors = wrt.map((tensor, i) => variable(`vector of ${names[i]}`, tensor.shape, dtype));
  const data = problem.dataset ? batchOf(options, dtype) : undefined;
  const evaluation = checkEvaluation(
    problem.name,
    built,
    built.evaluate(Object.fromEntries(names.map((name, i) => [name, wrt[i]])), data?.batch, {
      training: false,
      key: keyFromSeed(0),
    }),
    data?.count,
  );
  const loss = data ? (problem.reduction === "sum" ? sum : mean)(evaluation.loss) : evaluation.loss;
  const products = hessianVectorProduct(loss, wrt, vectors);
  const values = new Map(data?.values);
  wrt.forEach((tensor, i) => {
    values.set(tensor, hostValues(problem.name, names[i], tensor, options.parameters));
  });
  const [lossValue, ...gradients] = evaluator([loss, ...grad(loss, wrt)], values);
  const gradient = joined(gradients);
  const product: HessianProduct = (vector) => {
    const given = new Map(values);
    let from = 0;
    for (const tensor of vectors) {
      const data = allocate(dtype, sizeOf(tensor.shape));
      data.set(vector.subarray(from, from + data.length));
      given.set(tensor, { shape: tensor.shape, dtype, data });
      from += data.length;
    }
    return joined(evaluator(products, given));
  };
  const dimension = gradient.length;
  return {
    dimension,
    loss: lossValue.data[0],
    gradient,
    product,
    matrix: () => matrixOf(product, dimension),
  };
}

function matrixOf(product: HessianProduct, dimension: number): Matrix {
  const columns = Array.from({ length: dimension }, (_, i) =>
    product(Float64Array.from({ length: dimension }, (_, j) => (i === j ? 1 : 0))),
  );
  // Symmetric but for rounding: the mean of both halves is exactly so.
  return columns.map((column, i) => Array.from(column, (value, j) => (value + columns[j][i]) / 2));
}

interface GivenBatch {
  readonly batch: Batch;
  readonly values: ReadonlyMap<Tensor, HostTensor>;
  readonly count: number;
}

function batchOf(
  { problem, dataset, split = "train", examples }: HessianOptions,
  dtype: "float32" | "float64",
): GivenBatch {
  const data = dataset?.[split];
  if (!dataset || !data) {
    throw new SlalomError(
      "data",
      `hessianOf: problem "${problem.name}" has no loaded ${split} split here; expected one. Pass what problem.dataset.load() gives.`,
    );
  }
  const count = Math.min(examples ?? data.count, data.count);
  const inputs = firstRows(data.inputs, count);
  const targets = firstRows(data.targets, count);
  const rawInputs = variable("inputs", inputs.shape, inputs.dtype);
  const rawTargets = variable("targets", targets.shape, targets.dtype);
  return {
    batch: preparedBatch(dataset, rawInputs, rawTargets, dtype),
    values: new Map([
      [rawInputs, inputs],
      [rawTargets, targets],
    ]),
    count,
  };
}

const firstRows = ({ shape, dtype, data }: HostTensor, count: number): HostTensor => ({
  shape: [count, ...shape.slice(1)],
  dtype,
  data: data.subarray(0, count * sizeOf(shape.slice(1))),
});

function hostValues(
  problem: string,
  name: string,
  { shape, dtype }: Tensor,
  parameters: Readonly<Record<string, ArrayLike<number>>>,
): HostTensor {
  const given = parameters[name];
  if (!given || given.length !== sizeOf(shape)) {
    throw new SlalomError(
      given ? "shape" : "name",
      `hessianOf: problem "${problem}", parameter "${name}": received ${given ? `${given.length} values` : "no values"}; expected ${sizeOf(shape)} for ${formatType({ shape, dtype })}.`,
    );
  }
  const data = allocate(dtype, sizeOf(shape));
  data.set(given);
  return { shape, dtype, data };
}

function joined(tensors: readonly HostTensor[]): Float64Array {
  return Float64Array.from(tensors.flatMap(({ data }) => Array.from(data)));
}
