/**
 * The loss of a whole split as a compiled program: its gradient and its Hessian's products with vectors, gathered part
 * by part, so that a data set of any size fits. What `leastLoss` and `largestEigenvalues` need of a large problem.
 */
import { SlalomError } from "../base/errors.js";
import { sizeOf } from "../base/shape.js";
import type { Backend } from "../compile/backend.js";
import type { Program } from "../compile/program.js";
import type { Tensor } from "../graph/index.js";
import * as g from "../graph/index.js";
import type { Dataset, SplitName } from "../learn/datasets/dataset.js";
import { preparedBatch } from "../learn/problems/batch.js";
import { checkEvaluation, type Problem } from "../learn/problems/problem.js";
import { grad, hessianVectorProduct } from "../transform/index.js";
import type { HessianProduct } from "./lanczos.js";
import type { Objective } from "./minimum.js";
import { requireStateless } from "./stateless.js";

export interface SplitLossOptions {
  readonly problem: Problem;
  /** What `problem.dataset.load()` gave. */
  readonly dataset: Dataset;
  readonly backend: Backend;
  /** Default "train". */
  readonly split?: SplitName;
  /** Of a part's computation; parts are added in float64. Default "float32". */
  readonly dtype?: "float32" | "float64";
  /** Examples of a part; default 5000. */
  readonly partSize?: number;
}

export interface SplitLoss {
  /** Number of parameters. */
  readonly dimension: number;
  /** Loss and gradient; a point holds the problem's parameters in their order, each row-major. */
  readonly objective: Objective;
  /** The Hessian at a point times vectors. */
  hessianAt(point: Float64Array): HessianProduct;
  /** Frees the program's memory; nothing else works afterwards. */
  release(): void;
}

/**
 * Loss as in evaluation (no dropout), its gradient and Hessian products over all examples of a split.
 * @throws SlalomError "data" for a split that the data set lacks
 * @example const loss = splitLoss({ problem, dataset, backend }); leastLoss(loss.objective, start)
 */
export function splitLoss(options: SplitLossOptions): SplitLoss {
  const { problem, dataset, backend, split = "train" } = options;
  const data = dataset[split];
  if (!data) {
    throw new SlalomError(
      "data",
      `splitLoss: data set "${dataset.name}" has no ${split} split; expected one. Split the training data?`,
    );
  }
  const size = Math.max(1, Math.min(options.partSize ?? 5000, data.count));
  const parts = Math.ceil(data.count / size);
  const { program, parameters } = programOf(options, { count: data.count, size, parts });
  const executable = backend.compile(program);
  executable.write(inputs, data.inputs.data);
  executable.write(targets, data.targets.data);
  const dimension = parameters.reduce((sum, { length }) => sum + length, 0);
  const divisor = problem.reduction === "sum" ? 1 : data.count;
  const scatter = (name: (parameter: string) => string, from: Float64Array): void => {
    let start = 0;
    for (const { name: parameter, length } of parameters) {
      executable.write(name(parameter), from.subarray(start, start + length));
      start += length;
    }
  };
  /** Runs an entry over all parts; the totals it leaves, divided into a mean where the problem takes one. */
  const gathered = (entry: string): Float64Array => {
    executable.write(position, [0]);
    for (const { name, length } of parameters) executable.write(total(name), new Float64Array(length));
    executable.run(entry, parts);
    const result = new Float64Array(dimension);
    let start = 0;
    for (const { name, length } of parameters) {
      result.set(executable.read(total(name)), start);
      start += length;
    }
    return result.map((value) => value / divisor);
  };
  return {
    dimension,
    objective(point) {
      scatter(value, point);
      executable.write(lossTotal, [0]);
      const gradient = gathered(gradientEntry);
      return { loss: executable.read(lossTotal)[0] / divisor, gradient };
    },
    hessianAt(point) {
      return (direction) => {
        scatter(value, point);
        scatter(vector, direction);
        return gathered(productEntry);
      };
    },
    release: () => executable.release(),
  };
}

const inputs = "inputs";
const targets = "targets";
const position = "position";
const lossTotal = "total loss";
const gradientEntry = "gradient";
const productEntry = "product";
const value = (parameter: string): string => `value of ${parameter}`;
const vector = (parameter: string): string => `vector of ${parameter}`;
const total = (parameter: string): string => `total of ${parameter}`;

function programOf(
  { problem, dataset, split = "train", dtype = "float32" }: SplitLossOptions,
  { count, size, parts }: { readonly count: number; readonly size: number; readonly parts: number },
): { program: Program; parameters: readonly { name: string; length: number }[] } {
  const built = problem.build(dataset);
  requireStateless(problem.name, built);
  const { inputs: allInputs, targets: allTargets } = dataset[split]!;
  const entries = Object.entries(built.parameters);
  const variables: Record<string, Tensor> = {};
  const variable = (name: string, shape: readonly number[], type: g.DType): Tensor => {
    variables[name] = g.variable(name, shape, type);
    return variables[name];
  };
  const at = variable(position, [], "int32");
  const places = g.add(g.mul(at, size), g.iota([size]));
  const inside = g.minimum(places, count - 1);
  const taken = (name: string, tensor: typeof allInputs): Tensor =>
    g.take(variable(name, tensor.shape, tensor.dtype), inside);
  const batch = preparedBatch(dataset, taken(inputs, allInputs), taken(targets, allTargets), dtype);
  const wrt = entries.map(([name, { shape }]) => variable(value(name), shape, dtype));
  const vectors = entries.map(([name, { shape }]) => variable(vector(name), shape, dtype));
  const totals = entries.map(([name, { shape }]) => variable(total(name), shape, "float64"));
  const given = Object.fromEntries(entries.map(([name], i) => [name, wrt[i]]));
  const context = { training: false, key: g.keyFromSeed(0) };
  const { loss } = checkEvaluation(problem.name, built, built.evaluate(given, batch, context), size);
  // The last part may be short: what lies beyond the end counts nothing.
  const sum = g.sum(count % size === 0 ? loss : g.where(g.less(places, count), loss, 0));
  const added = (values: readonly Tensor[]): Record<string, Tensor> => ({
    [position]: g.add(at, 1),
    ...Object.fromEntries(
      entries.map(([name], i) => [total(name), g.add(totals[i], g.cast(values[i], "float64"))]),
    ),
  });
  const lossSoFar = variable(lossTotal, [], "float64");
  const program: Program = {
    name: `${problem.name} over ${split}`,
    variables,
    entries: {
      [gradientEntry]: {
        updates: { ...added(grad(sum, wrt)), [lossTotal]: g.add(lossSoFar, g.cast(sum, "float64")) },
        traces: {},
      },
      [productEntry]: { updates: added(hessianVectorProduct(sum, wrt, vectors)), traces: {} },
    },
    traceCapacity: parts,
  };
  const parameters = entries.map(([name, { shape }]) => ({ name, length: sizeOf(shape) }));
  return { program, parameters };
}
