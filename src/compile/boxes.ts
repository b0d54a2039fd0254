/** Some iterations of a loop nest, one after another, as loop nests. */
import type { Part } from "../base/parts.js";
import { sizeOf } from "../base/shape.js";

/** A loop nest inside of another. */
export interface Box {
  /** The first index in each dimension. */
  readonly first: readonly number[];
  readonly extents: readonly number[];
}

/**
 * The iterations `part` of a nest in row-major order as boxes, in that order: whole rows are one box, and what is left of
 * rows at both ends others.
 */
export function boxesOf(extents: readonly number[], { start, end }: Part): Box[] {
  if (start >= end) return [];
  if (extents.length === 0) return [{ first: [], extents: [] }];
  const inner = extents.slice(1);
  const rowSize = sizeOf(inner);
  const within = (row: number, from: number, to: number): Box[] =>
    boxesOf(inner, { start: from, end: to }).map((box) => ({
      first: [row, ...box.first],
      extents: [1, ...box.extents],
    }));
  const [firstRow, lastRow] = [start, end - 1].map((at) => Math.floor(at / rowSize));
  const [from, to] = [start - firstRow * rowSize, end - lastRow * rowSize];
  const rows = (begin: number, stop: number): Box[] =>
    begin < stop ? [{ first: [begin, ...inner.map(() => 0)], extents: [stop - begin, ...inner] }] : [];
  const isWhole = from === 0;
  const endsWhole = to === rowSize;
  if (firstRow === lastRow && !(isWhole && endsWhole)) return within(firstRow, from, to);
  return [
    ...(isWhole ? [] : within(firstRow, from, rowSize)),
    ...rows(isWhole ? firstRow : firstRow + 1, endsWhole ? lastRow + 1 : lastRow),
    ...(endsWhole ? [] : within(lastRow, 0, to)),
  ];
}
