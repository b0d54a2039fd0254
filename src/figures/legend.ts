/** Legends: rows of a swatch and its text, in aligned columns when they need more than one row. */
import type { SeriesStyle } from "./colour.js";
import { divergedMark, marker } from "./marks.js";
import { group, type Point, segment } from "./svg.js";
import { drawText, fitText, textWidth } from "./text.js";
import { theme } from "./theme.js";

export interface LegendItem {
  readonly label: string;
  /** Draws the sample in a box of `swatchWidth` that starts at the point and is centred on it vertically. */
  readonly swatch: (at: Point) => string;
}

const swatchWidth = 24;
const rowHeight = 18;
const titleSize = theme.fontSize.text;

/** The legend laid out in `width`: its height, and how to draw it at a place. */
export function layoutLegend(options: {
  readonly items: readonly LegendItem[];
  readonly width: number;
  readonly title?: string;
}): { readonly height: number; readonly draw: (at: Point) => string } {
  const { items, width } = options;
  if (items.length === 0) return { height: 0, draw: () => "" };
  const titleWidth = options.title === undefined ? 0 : textWidth(options.title, { size: titleSize }) + 12;
  const widths = items.map((item) => swatchWidth + 6 + textWidth(item.label) + 16);
  const room = Math.max(0, width - titleWidth) + 16;
  const places = arrange(widths, room);
  const rows = Math.max(...places.map((place) => place.row)) + 1;
  return {
    height: rows * rowHeight + 6,
    draw: (at) => {
      const parts: string[] = [];
      const firstY = at.y + rowHeight / 2;
      if (options.title !== undefined) {
        parts.push(
          drawText(
            options.title,
            { x: at.x, y: firstY },
            { align: "middle", fill: theme.mutedInk, size: titleSize },
          ),
        );
      }
      items.forEach((item, index) => {
        const place = { x: at.x + titleWidth + places[index].x, y: firstY + places[index].row * rowHeight };
        const label = fitText(item.label, width - (place.x - at.x) - swatchWidth - 6);
        parts.push(item.swatch(place));
        parts.push(drawText(label, { x: place.x + swatchWidth + 6, y: place.y }, { align: "middle" }));
      });
      return group({ class: "legend" }, parts);
    },
  };
}

/** Aligned columns, unless running text takes fewer rows (one long name would widen every column). */
function arrange(widths: readonly number[], room: number): { x: number; row: number }[] {
  const running: { x: number; row: number }[] = [];
  let [x, row] = [0, 0];
  for (const width of widths) {
    if (x > 0 && x + width > room) [x, row] = [0, row + 1];
    running.push({ x, row });
    x += width;
  }
  const columnWidth = Math.max(...widths);
  const columns = Math.max(1, Math.floor(room / columnWidth));
  if (row === 0 || row + 1 < Math.ceil(widths.length / columns)) return running;
  return widths.map((_, index) => ({ x: (index % columns) * columnWidth, row: Math.floor(index / columns) }));
}

/** A piece of line, with the category's marker on it when asked for. */
export function lineSwatch(
  style: SeriesStyle,
  options: { readonly marker?: "shown" | "hidden" } = {},
): (at: Point) => string {
  return (at) => {
    const line = segment(
      at,
      { x: at.x + swatchWidth, y: at.y },
      {
        stroke: style.colour,
        "stroke-width": 2.2,
        "stroke-dasharray": style.dash,
      },
    );
    return options.marker === "shown"
      ? `${line}\n${marker({ x: at.x + swatchWidth / 2, y: at.y }, style)}`
      : line;
  };
}

/** The thin dots of predicted curves. */
export function predictedSwatch(at: Point): string {
  return segment(
    at,
    { x: at.x + swatchWidth, y: at.y },
    { stroke: theme.ink, "stroke-width": 1.3, "stroke-dasharray": "2 3" },
  );
}

export function divergedSwatch(at: Point): string {
  return divergedMark({ x: at.x + swatchWidth / 2, y: at.y }, theme.ink);
}

export { swatchWidth };
