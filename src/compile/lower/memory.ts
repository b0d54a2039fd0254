/** Memory by liveness: temporaries whose lives do not meet share bytes. */

export interface Lifetime {
  readonly bytes: number;
  /** Numbers of the kernels that first write and last read it. */
  readonly first: number;
  readonly last: number;
}

const alignment = 64;

export const aligned = (bytes: number): number => Math.ceil(bytes / alignment) * alignment;

/** A byte offset for each, and the bytes that all of them need: the largest first, each as low as it fits. */
export function packLifetimes(lifetimes: readonly Lifetime[]): { offsets: number[]; bytes: number } {
  const order = lifetimes.map((_, i) => i).sort((i, j) => lifetimes[j].bytes - lifetimes[i].bytes || i - j);
  const offsets = new Array<number>(lifetimes.length).fill(0);
  const placed: number[] = [];
  let bytes = 0;
  for (const i of order) {
    const { first, last } = lifetimes[i];
    const neighbours = placed
      .filter((j) => lifetimes[j].first <= last && lifetimes[j].last >= first)
      .sort((x, y) => offsets[x] - offsets[y]);
    let offset = 0;
    for (const j of neighbours) {
      if (offset + lifetimes[i].bytes <= offsets[j]) break;
      offset = Math.max(offset, offsets[j] + aligned(lifetimes[j].bytes));
    }
    offsets[i] = offset;
    bytes = Math.max(bytes, offset + aligned(lifetimes[i].bytes));
    placed.push(i);
  }
  return { offsets, bytes };
}
