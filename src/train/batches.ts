/** Batches as problems expect them, and how many examples an evaluation looks at in a step. */

import type { Tensor } from "../graph/index.js";
import * as g from "../graph/index.js";
import type { Dataset } from "../learn/datasets/dataset.js";
import type { Batch } from "../learn/problems/problem.js";

/** Raw examples as the problem expects them: scaled floats; targets as they are, floats in the run's dtype. */
export function preparedBatch(
  { scale, offset, classes }: Dataset,
  inputs: Tensor,
  targets: Tensor,
  dtype: "float32" | "float64",
): Batch {
  const scaled = scale === 1 ? g.cast(inputs, dtype) : g.mul(g.cast(inputs, dtype), scale);
  return {
    inputs: offset === 0 ? scaled : g.add(scaled, offset),
    targets: classes === undefined ? g.cast(targets, dtype) : targets,
  };
}

/**
 * The divisor of `count` nearest to a thousand examples, or a thousand with a short last batch; no more than `most`, which
 * is what memory is there for.
 */
export function evaluationBatchSize(count: number, most = Number.POSITIVE_INFINITY): number {
  const wanted = Math.min(1000, count, most);
  for (let size = wanted; size >= wanted / 2; size--) if (count % size === 0) return size;
  return wanted;
}
