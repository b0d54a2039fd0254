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
  const isOneRow = titleWidth + widths.reduce((sum, one) => sum + one, 0) - 16 <= width;
  const room = width - titleWidth;
  const columnWidth = Math.min(room, Math.max(...widths));
  const columns = Math.max(1, Math.floor((room + 16) / columnWidth));
  const rows = isOneRow ? 1 : Math.ceil(items.length / columns);
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
      let x = at.x + titleWidth;
      items.forEach((item, index) => {
        const place = isOneRow
          ? { x, y: firstY }
          : {
              x: at.x + titleWidth + (index % columns) * columnWidth,
              y: firstY + Math.floor(index / columns) * rowHeight,
            };
        x += widths[index];
        const label = fitText(item.label, width - (place.x - at.x) - swatchWidth - 6);
        parts.push(item.swatch(place));
        parts.push(drawText(label, { x: place.x + swatchWidth + 6, y: place.y }, { align: "middle" }));
      });
      return group({ class: "legend" }, parts);
    },
  };
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
