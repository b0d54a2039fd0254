/** Axes and gridlines of a frame, with labels that neither touch each other nor leave the figure. */
import type { Scale } from "./scale.js";
import { group, type Rect, rectangle, segment } from "./svg.js";
import { drawText, textWidth } from "./text.js";
import { theme } from "./theme.js";
import type { Tick, Ticks } from "./ticks.js";

/** Space that the two axes need outside of the frame. */
export const axisSpace = { tickLabels: 20, axisLabel: 17 } as const;

const tickGap = { x: 56, y: 30 };

/** The ticks of a horizontal scale, thinned until their labels stand apart. */
export function xTicks(scale: Scale): Ticks {
  const ticks = scale.ticks(tickGap.x);
  return { ...ticks, major: thinned(ticks.major, scale) };
}

export function yTicks(scale: Scale): Ticks {
  return scale.ticks(tickGap.y);
}

/** How far the widest label of a vertical axis reaches to the left of the frame. */
export function yLabelWidth(ticks: Ticks): number {
  return Math.ceil(Math.max(0, ...ticks.major.map((tick) => textWidth(tick.label))) + 8);
}

/** Gridlines behind the data. */
export function drawGrid(
  frame: Rect,
  x: { scale: Scale; ticks: Ticks },
  y: { scale: Scale; ticks: Ticks },
): string {
  const bottom = frame.y + frame.height;
  const right = frame.x + frame.width;
  const vertical = (value: number, stroke: string) => {
    const px = x.scale.toPixel(value);
    return segment({ x: px, y: frame.y }, { x: px, y: bottom }, { stroke });
  };
  const horizontal = (value: number, stroke: string) => {
    const px = y.scale.toPixel(value);
    return segment({ x: frame.x, y: px }, { x: right, y: px }, { stroke });
  };
  return group({ class: "grid", "stroke-width": 1 }, [
    ...x.ticks.major.map((tick) => vertical(tick.value, theme.grid)),
    ...y.ticks.major.map((tick) => horizontal(tick.value, theme.grid)),
  ]);
}

/** The horizontal axis below the frame; `labels: "hidden"` for panels with another below them. */
export function drawXAxis(
  frame: Rect,
  scale: Scale,
  ticks: Ticks,
  options: { readonly labels?: "shown" | "hidden"; readonly within: Rect },
): string {
  const y = frame.y + frame.height;
  const parts = [segment({ x: frame.x, y }, { x: frame.x + frame.width, y }, { stroke: theme.axis })];
  for (const value of ticks.minor) {
    const x = scale.toPixel(value);
    parts.push(segment({ x, y }, { x, y: y + 3 }, { stroke: theme.axis, "stroke-width": 0.8 }));
  }
  for (const tick of ticks.major) {
    const x = scale.toPixel(tick.value);
    parts.push(segment({ x, y }, { x, y: y + 5 }, { stroke: theme.axis }));
    if (options.labels === "hidden") continue;
    const half = textWidth(tick.label) / 2;
    const inside = Math.min(
      options.within.x + options.within.width - half,
      Math.max(options.within.x + half, x),
    );
    parts.push(
      drawText(tick.label, { x: inside, y: y + 8 }, { anchor: "middle", align: "top", fill: theme.mutedInk }),
    );
  }
  return group({ class: "x-axis" }, parts);
}

/** The vertical axis left of the frame. */
export function drawYAxis(
  frame: Rect,
  scale: Scale,
  ticks: Ticks,
  options: { readonly labels?: "shown" | "hidden" } = {},
): string {
  const x = frame.x;
  const parts = [segment({ x, y: frame.y }, { x, y: frame.y + frame.height }, { stroke: theme.axis })];
  for (const value of ticks.minor) {
    const y = scale.toPixel(value);
    parts.push(segment({ x: x - 3, y }, { x, y }, { stroke: theme.axis, "stroke-width": 0.8 }));
  }
  for (const tick of ticks.major) {
    const y = scale.toPixel(tick.value);
    parts.push(segment({ x: x - 5, y }, { x, y }, { stroke: theme.axis }));
    if (options.labels === "hidden") continue;
    parts.push(
      drawText(tick.label, { x: x - 8, y }, { anchor: "end", align: "middle", fill: theme.mutedInk }),
    );
  }
  return group({ class: "y-axis" }, parts);
}

/** A thin frame around the whole plot, for maps. */
export function drawFrame(frame: Rect): string {
  return rectangle(frame, { fill: "none", stroke: theme.axis });
}

/** Every n-th label, the smallest n at which none touches its neighbour; the other ticks go. */
function thinned(ticks: readonly Tick[], scale: Scale): readonly Tick[] {
  for (let every = 1; every < ticks.length; every++) {
    const kept = ticks.filter((_, index) => index % every === 0);
    if (kept.every((tick, i) => i === 0 || clear(kept[i - 1], tick, scale))) return kept;
  }
  return ticks.slice(0, 1);
}

function clear(left: Tick, right: Tick, scale: Scale): boolean {
  const distance = Math.abs(scale.toPixel(right.value) - scale.toPixel(left.value));
  return distance >= (textWidth(left.label) + textWidth(right.label)) / 2 + 8;
}
