/** How many examples an evaluation looks at in a step. */

/**
 * The divisor of `count` nearest to a thousand examples, or a thousand with a short last batch; no more than `most`, which
 * is what memory is there for.
 */
export function evaluationBatchSize(count: number, most = Number.POSITIVE_INFINITY): number {
  const wanted = Math.min(1000, count, most);
  for (let size = wanted; size >= wanted / 2; size--) if (count % size === 0) return size;
  return wanted;
}
