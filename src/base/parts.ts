/** Who has which elements, where several divide them. */

/** Elements of an array that belong to one rank. */
export interface Part {
  readonly start: number;
  /** Exclusive. */
  readonly end: number;
}

/** The part of `length` elements that belongs to a rank: in order of ranks, the first ones an element longer. */
export function partOf(
  length: number,
  { rank, size }: { readonly rank: number; readonly size: number },
): Part {
  const least = Math.floor(length / size);
  const longer = length % size;
  const start = rank * least + Math.min(rank, longer);
  return { start, end: start + least + (rank < longer ? 1 : 0) };
}
