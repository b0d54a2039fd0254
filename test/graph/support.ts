/** Values of graphs without variables, as nested arrays. */
import type { HostTensor } from "../../src/base/shape.js";
import { evaluate } from "../../src/graph/evaluate.js";
import type { Tensor } from "../../src/graph/tensor.js";

export type Nested = number | readonly Nested[];

export const nestedValue = (tensor: Tensor): Nested => nest(evaluate([tensor])[0]);

/** Row-major values as nested arrays. */
export function nest({ shape, data }: Pick<HostTensor, "shape" | "data">): Nested {
  const level = (depth: number, from: number, size: number): Nested => {
    if (depth === shape.length) return data[from];
    const part = size / shape[depth];
    return Array.from({ length: shape[depth] }, (_, i) => level(depth + 1, from + i * part, part));
  };
  return level(0, 0, data.length);
}
