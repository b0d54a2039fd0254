/** Small multiples: equal panels in rows and columns. */
import type { Rect } from "./svg.js";

export interface PanelPlace {
  readonly frame: Rect;
  /** Whether this panel carries the labels of the y axis (first of its row). */
  readonly isLeft: boolean;
  /** Whether this panel carries the labels of the x axis (none below it). */
  readonly isBottom: boolean;
}

/** Columns that give panels of at least `minWidth`, with rows as even as can be. */
export function chooseColumns(count: number, width: number, minWidth = 175): number {
  const most = Math.max(1, Math.min(count, Math.floor(width / minWidth)));
  return Math.max(1, Math.ceil(count / Math.ceil(count / most)));
}

/** The frames of `count` panels in `area`, row by row. `headPx` is kept free above each for its title. */
export function panelGrid(options: {
  readonly count: number;
  readonly columns: number;
  readonly area: Rect;
  readonly gapPx: number;
  readonly headPx: number;
}): PanelPlace[] {
  const { count, columns, area, gapPx, headPx } = options;
  const rows = Math.ceil(count / columns);
  const width = (area.width - gapPx * (columns - 1)) / columns;
  const cell = (area.height - gapPx * (rows - 1)) / rows;
  return Array.from({ length: count }, (_, index) => {
    const column = index % columns;
    const row = Math.floor(index / columns);
    return {
      frame: {
        x: area.x + column * (width + gapPx),
        y: area.y + row * (cell + gapPx) + headPx,
        width,
        height: cell - headPx,
      },
      isLeft: column === 0,
      isBottom: index + columns >= count,
    };
  });
}
