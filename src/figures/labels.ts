/** Labels that move apart instead of lying on each other. */

/**
 * Positions nearest to the wanted ones (least squares) with at least `gap` between neighbours, all
 * within [low, high] where they fit. The order of the wanted positions is kept.
 */
export function spreadLabels(
  wanted: readonly number[],
  options: { readonly gap: number; readonly low: number; readonly high: number },
): number[] {
  const { gap, low, high } = options;
  const order = wanted.map((_, i) => i).sort((a, b) => wanted[a] - wanted[b] || a - b);
  // Subtracting i * gap turns "at least gap apart" into "not decreasing": pool adjacent violators.
  const blocks: { sum: number; count: number }[] = [];
  const room = high - gap * (wanted.length - 1);
  order.forEach((index, rank) => {
    blocks.push({ sum: wanted[index] - rank * gap, count: 1 });
    while (blocks.length > 1) {
      const [before, last] = blocks.slice(-2);
      if (before.sum / before.count <= last.sum / last.count) break;
      blocks.splice(-2, 2, { sum: before.sum + last.sum, count: before.count + last.count });
    }
  });
  const placed = new Array<number>(wanted.length);
  let rank = 0;
  for (const block of blocks) {
    const base = Math.max(low, Math.min(room, block.sum / block.count));
    for (let i = 0; i < block.count; i++, rank++) placed[order[rank]] = base + rank * gap;
  }
  return placed;
}
