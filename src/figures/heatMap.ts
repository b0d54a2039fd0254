/**
 * Heat map of a result over two hyperparameters, such as learning rate and momentum. Cells lie where
 * their values lie on the axis; a diverged cell is hatched, one that missed the target carries a dash,
 * and a boundary from the theory is drawn over them in the axes' own units.
 */
import { SlalomError } from "../base/errors.js";
import { axisSpace, drawFrame, drawXAxis, drawYAxis } from "./axes.js";
import { type CellAxis, cellAxis } from "./cellAxis.js";
import { inkOn, sequentialColour } from "./colour.js";
import { drawColourBar } from "./colourBar.js";
import { type FigureText, figure } from "./figure.js";
import { type LegendItem, layoutLegend } from "./legend.js";
import { formatNumber } from "./numbers.js";
import { clipPolyline, clipSegment, simplify } from "./polyline.js";
import { dataDomain, makeScale, type Scale, type ScaleKind } from "./scale.js";
import { element, group, type Point, pathData, type Rect, rectangle } from "./svg.js";
import { drawText, textWidth } from "./text.js";
import { theme } from "./theme.js";

export interface HeatMapCell {
  readonly x: number;
  readonly y: number;
  /** Needed where the outcome is "finished". */
  readonly value?: number;
  /** "not-reached": it ran to the end and missed the target. Default "finished". */
  readonly outcome?: "finished" | "diverged" | "not-reached";
}

export interface HeatMapAxis {
  readonly label?: string;
  readonly scale?: ScaleKind;
  /** "value": cells as wide as their share of the axis; "even": all equal, in order. Default "value". */
  readonly spacing?: "value" | "even";
}

export interface HeatMapData extends FigureText {
  readonly cells: readonly HeatMapCell[];
  readonly x: HeatMapAxis;
  readonly y: HeatMapAxis;
  readonly values: {
    readonly label: string;
    readonly scale?: ScaleKind;
    readonly domain?: readonly [number, number];
    /** Which end is good: it gets the light end of the ramp. Default "lower". */
    readonly better?: "lower" | "higher";
    /** Default formatNumber with three digits. */
    readonly format?: (value: number) => string;
  };
  /** Curves of the theory, such as the limit of stability. */
  readonly boundaries?: readonly {
    readonly label: string;
    readonly points: readonly (readonly [number, number])[];
  }[];
}

/** The figure as an SVG document. Throws a data error without cells, or with two cells at one place. */
export function heatMapFigure(data: HeatMapData): string {
  check(data);
  return figure(data, data.bodyHeight ?? 360, (area) => drawBody(data, area));
}

function drawBody(data: HeatMapData, area: Rect): string[] {
  const legend = layoutLegend({ items: legendItems(data), width: area.width });
  const head = legend.height + (data.y.label === undefined ? 6 : 20);
  const below = axisSpace.tickLabels + (data.x.label === undefined ? 0 : axisSpace.axisLabel);
  const height = area.height - head - below;
  const ys = distinct(data.cells.map((cell) => cell.y));
  const xs = distinct(data.cells.map((cell) => cell.x));
  const left = Math.ceil(Math.max(...ys.map((value) => textWidth(formatNumber(value)))) + 9);
  const values = data.cells.filter(isFinished).map((cell) => cell.value!);
  const kind = data.values.scale ?? "linear";
  const domain = data.values.domain ?? dataDomain(values, kind, [0, 0]);
  const bar = drawColourBar({
    right: area.x + area.width,
    y: area.y + head,
    height,
    kind,
    domain,
    label: data.values.label,
    colourAt: (share) => rampColour(share, data),
  });
  const frame: Rect = {
    x: area.x + left,
    y: area.y + head,
    width: area.width - left - bar.width - 16,
    height,
  };
  const x = cellAxis({ ...data.x, values: xs, range: [frame.x, frame.x + frame.width] });
  const y = cellAxis({ ...data.y, values: ys, range: [frame.y + frame.height, frame.y] });
  const share = makeScale({ kind, domain, range: [0, 1] });

  const parts = [legend.draw({ x: area.x, y: area.y })];
  if (data.y.label !== undefined) {
    parts.push(
      drawText(
        data.y.label,
        { x: area.x, y: area.y + legend.height + 2 },
        { align: "top", fill: theme.mutedInk },
      ),
    );
  }
  const format = data.values.format ?? ((value: number) => formatNumber(value));
  const areTextsShown = textsFit(data, x, y, format);
  parts.push(
    group(
      { class: "cells" },
      data.cells.map((cell) =>
        drawCell(cell, { x, y, share, data, format, texts: areTextsShown ? "shown" : "hidden" }),
      ),
    ),
  );
  const within = {
    x: area.x,
    y: frame.y,
    width: area.x + area.width - bar.width - area.x,
    height: frame.height,
  };
  parts.push(
    drawFrame(frame),
    drawXAxis(frame, x.scale, x.ticks, { within }),
    drawYAxis(frame, y.scale, y.ticks),
    ...(data.boundaries ?? []).map((boundary, i) => drawBoundary(boundary.points, { x, y, frame }, i)),
    bar.svg,
  );
  if (data.x.label !== undefined) {
    parts.push(
      drawText(
        data.x.label,
        { x: frame.x + frame.width / 2, y: area.y + area.height - 2 },
        { anchor: "middle", fill: theme.mutedInk },
      ),
    );
  }
  return parts;
}

function drawCell(
  cell: HeatMapCell,
  plot: {
    x: CellAxis;
    y: CellAxis;
    share: Scale;
    data: HeatMapData;
    format: (value: number) => string;
    texts: "shown" | "hidden";
  },
): string {
  const [x0, x1] = plot.x.edges(cell.x);
  const [y0, y1] = plot.y.edges(cell.y);
  const box: Rect = {
    x: Math.min(x0, x1),
    y: Math.min(y0, y1),
    width: Math.abs(x1 - x0),
    height: Math.abs(y1 - y0),
  };
  const middle = { x: box.x + box.width / 2, y: box.y + box.height / 2 };
  const rim = { stroke: theme.background, "stroke-width": 1 };
  if (cell.outcome === "diverged") return hatched(box);
  if (!isFinished(cell))
    return `${rectangle(box, { class: "not-reached", fill: "#eceef1", ...rim })}\n${dash(middle)}`;
  const fill = rampColour(plot.share.toPixel(cell.value!), plot.data);
  const tile = rectangle(box, { class: "cell", fill, ...rim });
  if (plot.texts === "hidden") return tile;
  return `${tile}\n${drawText(plot.format(cell.value!), middle, { anchor: "middle", align: "middle", size: theme.fontSize.small, fill: inkOn(fill) })}`;
}

/** Grey with diagonal lines, drawn one by one: a `pattern` would need an id. */
function hatched(box: Rect): string {
  const parts = [
    rectangle(box, { class: "diverged", fill: "#f4f4f4", stroke: theme.background, "stroke-width": 1 }),
  ];
  const inner = { x: box.x + 0.5, y: box.y + 0.5, width: box.width - 1, height: box.height - 1 };
  let data = "";
  // Lines x + y = constant on one lattice for all cells, so that neighbours join.
  const step = 7;
  for (
    let sum = Math.ceil((box.x + box.y) / step) * step;
    sum < box.x + box.y + box.width + box.height;
    sum += step
  ) {
    const line = clipSegment(
      { x: sum - inner.y, y: inner.y },
      { x: sum - inner.y - inner.height, y: inner.y + inner.height },
      inner,
    );
    if (line !== undefined) data += pathData(line);
  }
  if (data !== "")
    parts.push(element("path", { d: data, stroke: "#8b929a", "stroke-width": 1.1, fill: "none" }));
  return parts.join("\n");
}

function dash(at: Point): string {
  return element("path", {
    d: pathData([
      { x: at.x - 4, y: at.y },
      { x: at.x + 4, y: at.y },
    ]),
    stroke: "#8b929a",
    "stroke-width": 1.5,
  });
}

function drawBoundary(
  points: readonly (readonly [number, number])[],
  plot: { x: CellAxis; y: CellAxis; frame: Rect },
  index: number,
): string {
  const pixels = points.map(([px, py]) => ({ x: plot.x.toPixel(px), y: plot.y.toPixel(py) }));
  const data = clipPolyline(pixels, plot.frame)
    .map((part) => pathData(simplify(part)))
    .join("");
  if (data === "") return "";
  return group({ class: "boundary", fill: "none", "stroke-linejoin": "round" }, [
    element("path", { d: data, stroke: theme.background, "stroke-width": 4.6 }),
    element("path", {
      d: data,
      stroke: theme.ink,
      "stroke-width": 2,
      "stroke-dasharray": boundaryDash(index),
    }),
  ]);
}

function boundaryDash(index: number): string | undefined {
  return [undefined, "7 4", "2 3"][index % 3];
}

function legendItems(data: HeatMapData): LegendItem[] {
  const items: LegendItem[] = (data.boundaries ?? []).map((boundary, i) => ({
    label: boundary.label,
    swatch: (at) =>
      element("path", {
        d: pathData([at, { x: at.x + 24, y: at.y }]),
        stroke: theme.ink,
        "stroke-width": 2,
        "stroke-dasharray": boundaryDash(i),
      }),
  }));
  const box = (at: Point): Rect => ({ x: at.x, y: at.y - 6.5, width: 24, height: 13 });
  if (data.cells.some((cell) => cell.outcome === "diverged"))
    items.push({ label: "diverged", swatch: (at) => hatched(box(at)) });
  if (data.cells.some((cell) => cell.outcome !== "diverged" && !isFinished(cell))) {
    items.push({
      label: "target not reached",
      swatch: (at) => `${rectangle(box(at), { fill: "#eceef1" })}\n${dash({ x: at.x + 12, y: at.y })}`,
    });
  }
  return items;
}

/** The light end is the good one: it draws the eye. */
function rampColour(share: number, data: HeatMapData): string {
  const t = Math.min(1, Math.max(0, share));
  return sequentialColour((data.values.better ?? "lower") === "lower" ? 1 - t : t);
}

function textsFit(data: HeatMapData, x: CellAxis, y: CellAxis, format: (value: number) => string): boolean {
  return data.cells.filter(isFinished).every((cell) => {
    const [x0, x1] = x.edges(cell.x);
    const [y0, y1] = y.edges(cell.y);
    return (
      textWidth(format(cell.value!), { size: theme.fontSize.small }) + 5 <= Math.abs(x1 - x0) &&
      Math.abs(y1 - y0) >= 13
    );
  });
}

function isFinished(cell: HeatMapCell): boolean {
  return (
    (cell.outcome ?? "finished") === "finished" && cell.value !== undefined && Number.isFinite(cell.value)
  );
}

function distinct(values: readonly number[]): number[] {
  return [...new Set(values)].sort((a, b) => a - b);
}

function check(data: HeatMapData): void {
  if (data.cells.length === 0)
    throw new SlalomError("data", "heatMapFigure: received no cells; expected at least one.");
  const seen = new Set<string>();
  for (const cell of data.cells) {
    const place = `(${cell.x}, ${cell.y})`;
    if (seen.has(place))
      throw new SlalomError(
        "data",
        `heatMapFigure: received two cells at ${place}; expected one for each pair.`,
      );
    seen.add(place);
  }
}
