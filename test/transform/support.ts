/** What the tests of gradients and of lanes share. */
import type { HostTensor } from "../../src/base/shape.js";
import { evaluate } from "../../src/graph/evaluate.js";
import { constantArray, variable } from "../../src/graph/operations/leaves.js";
import type { Tensor } from "../../src/graph/tensor.js";
import { unitsFrom } from "../support/numbers.js";

/** One variable for each operand. */
export const variablesFor = (inputs: readonly HostTensor[]): Tensor[] =>
  inputs.map(({ shape, dtype }, i) => variable(`x${i}`, shape, dtype));

export const valuesFor = (
  variables: readonly Tensor[],
  inputs: readonly HostTensor[],
): Map<Tensor, HostTensor> => new Map(variables.map((variable, i) => [variable, inputs[i]]));

/** Fixed random weights of the type of `like`, so that every element of it has its own influence. */
export function weightsLike(like: Tensor, seed: number): Tensor {
  const next = unitsFrom(seed);
  const size = like.shape.reduce((product, extent) => product * extent, 1);
  const data = like.dtype === "float32" ? new Float32Array(size) : new Float64Array(size);
  return constantArray(
    data.map(() => 2 * next()),
    like.shape,
    like.dtype,
  );
}

/** d output / d inputs[operand] of a float64 scalar by central differences, element by element. */
export function finiteDifferences(
  output: Tensor,
  variables: readonly Tensor[],
  inputs: readonly HostTensor[],
  operand: number,
): Float64Array {
  const step = 1e-5;
  const at = inputs[operand];
  const valueWith = (element: number, change: number): number => {
    const data = at.data.slice();
    data[element] += change;
    const moved = inputs.map((input, i) => (i === operand ? { ...at, data } : input));
    return evaluate([output], valuesFor(variables, moved))[0].data[0];
  };
  return Float64Array.from(at.data, (_, i) => (valueWith(i, step) - valueWith(i, -step)) / (2 * step));
}

/** The largest difference of two arrays, relative to their largest value or 1. */
export function relativeDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length) return Infinity;
  let difference = 0;
  let scale = 1;
  for (let i = 0; i < a.length; i++) {
    if (!Object.is(a[i], b[i])) {
      const d = Math.abs(a[i] - b[i]);
      difference = Number.isNaN(d) ? Infinity : Math.max(difference, d);
    }
    scale = Math.max(scale, Math.abs(a[i]), Math.abs(b[i]));
  }
  return difference / scale;
}
