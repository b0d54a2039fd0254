/** Trajectories: the paths of optimizers over the contours of a function of two parameters. */
import { SlalomError } from "../base/errors.js";
import { axisSpace, drawFrame, drawXAxis, drawYAxis, xTicks, yLabelWidth, yTicks } from "./axes.js";
import { type ColourRule, type SeriesStyle, seriesStyles } from "./colour.js";
import { contourRings, type Grid, logLevels, sampleGrid } from "./contours.js";
import { type FigureText, figure } from "./figure.js";
import { divergedSwatch, type LegendItem, layoutLegend, lineSwatch } from "./legend.js";
import { arrowHead, divergedMark, marker, starMark } from "./marks.js";
import { clipPolyline, lastExit, simplify } from "./polyline.js";
import { dataDomain, makeScale, type Scale } from "./scale.js";
import { element, group, type Point, pathData, type Rect, rectangle } from "./svg.js";
import { drawText } from "./text.js";
import { theme } from "./theme.js";

export interface Trajectory {
  readonly label: string;
  /** The parameters before the first step and after each. */
  readonly points: readonly (readonly [number, number])[];
  readonly outcome?: "finished" | "diverged";
  readonly category?: string;
  readonly value?: number;
}

export interface TrajectoriesData extends FigureText {
  /** The function, or its values on a grid that covers the domain. */
  readonly surface: ((x: number, y: number) => number) | Grid;
  readonly paths: readonly Trajectory[];
  readonly optima?: readonly (readonly [number, number])[];
  readonly x: { readonly label?: string; readonly domain?: readonly [number, number] };
  readonly y: { readonly label?: string; readonly domain?: readonly [number, number] };
  /** Levels of the contours; default 12, evenly spaced in the logarithm above the minimum. */
  readonly levels?: readonly number[];
  readonly colours?: ColourRule;
}

/** The figure as an SVG document. Throws a data error when a grid's sizes differ. */
export function trajectoriesFigure(data: TrajectoriesData): string {
  if (data.paths.length === 0)
    throw new SlalomError("data", "trajectoriesFigure: received no paths; expected at least one.");
  return figure(data, data.bodyHeight ?? 430, (area) => drawBody(data, area));
}

function drawBody(data: TrajectoriesData, area: Rect): string[] {
  const styles = seriesStyles(data.paths, data.colours ?? { by: "category" });
  const legend = layoutLegend({
    items: legendItems(data, styles),
    width: area.width,
    title: data.colours?.by === "value" ? data.colours.label : undefined,
  });
  const domain = { x: data.x.domain ?? pathDomain(data, 0), y: data.y.domain ?? pathDomain(data, 1) };
  const head = legend.height + (data.y.label === undefined ? 6 : 20);
  const below = axisSpace.tickLabels + (data.x.label === undefined ? 0 : axisSpace.axisLabel);
  const height = area.height - head - below;
  const yt = yTicks(makeScale({ kind: "linear", domain: domain.y, range: [height, 0] }));
  const left = yLabelWidth(yt);
  const frame: Rect = { x: area.x + left, y: area.y + head, width: area.width - left - 10, height };
  const x = makeScale({ kind: "linear", domain: domain.x, range: [frame.x, frame.x + frame.width] });
  const y = makeScale({ kind: "linear", domain: domain.y, range: [frame.y + frame.height, frame.y] });

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
  parts.push(drawContours(data, domain, { frame, x, y }));
  const optima = (data.optima ?? []).map(([px, py]) => ({ x: x.toPixel(px), y: y.toPixel(py) }));
  parts.push(...optima.filter((point) => contains(frame, point)).map((point) => starMark(point, 260)));
  // Diverged paths sweep over the whole frame: they lie below the others.
  const order = data.paths.map((_, i) => i);
  const isBelow = (i: number) => (data.paths[i].outcome === "diverged" ? 0 : 1);
  order.sort((a, b) => isBelow(a) - isBelow(b) || a - b);
  parts.push(...order.map((i) => drawPath(data.paths[i], styles[i], { frame, x, y })));
  parts.push(drawFrame(frame), drawXAxis(frame, x, xTicks(x), { within: area }), drawYAxis(frame, y, yt));
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

interface Plot {
  readonly frame: Rect;
  readonly x: Scale;
  readonly y: Scale;
}

/** Greys that darken downhill, light enough for every path's colour. */
function drawContours(
  data: TrajectoriesData,
  domain: { x: readonly [number, number]; y: readonly [number, number] },
  plot: Plot,
): string {
  const grid = typeof data.surface === "function" ? sampleGrid(data.surface, domain) : data.surface;
  const levels = [...(data.levels ?? logLevels(grid))].sort((a, b) => a - b);
  const shade = (index: number) => {
    const grey = Math.round(196 + (56 * index) / Math.max(1, levels.length)).toString(16);
    return `#${grey}${grey}${Math.min(255, Number.parseInt(grey, 16) + 6).toString(16)}`;
  };
  const bands = levels.map((level, index) => {
    const outline = contourRings(grid, level)
      .flatMap((ring) => {
        const closed = [...ring, ring[0]].map((point) => ({
          x: plot.x.toPixel(point.x),
          y: plot.y.toPixel(point.y),
        }));
        const thinned = simplify(clampInto(closed, plot.frame));
        return thinned.length > 3 ? [pathData(thinned, "closed")] : [];
      })
      .join("");
    if (outline === "") return "";
    return element("path", {
      d: outline,
      fill: shade(index + 1),
      "fill-rule": "evenodd",
      stroke: "#b3bac3",
      "stroke-width": 0.7,
    });
  });
  return group({ class: "contours" }, [rectangle(plot.frame, { fill: shade(0) }), ...bands]);
}

/** A caller's grid may reach past the domain: what lies outside is pressed onto the frame's edge. */
function clampInto(points: readonly Point[], frame: Rect): Point[] {
  return points.map((point) => ({
    x: Math.min(frame.x + frame.width, Math.max(frame.x, point.x)),
    y: Math.min(frame.y + frame.height, Math.max(frame.y, point.y)),
  }));
}

function drawPath(path: Trajectory, style: SeriesStyle, plot: Plot): string {
  const { frame } = plot;
  const all = path.points.map(([px, py]) => ({ x: plot.x.toPixel(px), y: plot.y.toPixel(py) }));
  // A diverged path ends where it leaves: later steps only jump across the frame.
  const points =
    path.outcome === "diverged"
      ? all.slice(0, all.findLastIndex((point) => contains(frame, point)) + 2)
      : all;
  const lines = clipPolyline(points, frame).map((part) => simplify(part));
  const outline = lines.map((part) => pathData(part)).join("");
  const stroke = { d: outline, fill: "none", "stroke-linejoin": "round" } as const;
  const parts =
    outline === ""
      ? []
      : [
          element("path", {
            ...stroke,
            stroke: theme.background,
            "stroke-width": 3.4,
            "stroke-opacity": 0.75,
          }),
          element("path", {
            ...stroke,
            class: "path",
            stroke: style.colour,
            "stroke-width": 1.8,
            "stroke-dasharray": style.dash,
          }),
        ];
  parts.push(...stepDots(points, frame, style), ...directions(lines, style));
  const exit = lastExit(points, frame);
  const last = points.findLast((point) => Number.isFinite(point.x) && Number.isFinite(point.y));
  if (path.outcome === "diverged") {
    const at = exit ?? last;
    if (at !== undefined) parts.push(divergedMark(clampInto([at], frame)[0], style.colour));
  } else if (last !== undefined && contains(frame, last)) {
    parts.push(marker(last, style, 62));
  }
  const first = points[0];
  if (first !== undefined && contains(frame, first)) parts.push(startMark(first));
  return group({}, parts);
}

/** A dot for each step while the steps are long enough to tell apart. */
function stepDots(points: readonly Point[], frame: Rect, style: SeriesStyle): string[] {
  const dots: string[] = [];
  for (let i = 1; i < Math.min(points.length - 1, 60); i++) {
    const [before, at] = [points[i - 1], points[i]];
    if (!contains(frame, at) || !(Math.hypot(at.x - before.x, at.y - before.y) >= 9)) continue;
    dots.push(element("circle", { cx: at.x, cy: at.y, r: 2.1, fill: style.colour }));
  }
  return dots;
}

/** One arrowhead a little way down the path, one past its middle. */
function directions(lines: readonly (readonly Point[])[], style: SeriesStyle): string[] {
  const line = lines[0];
  if (line === undefined) return [];
  const lengths = line.slice(1).map((point, i) => Math.hypot(point.x - line[i].x, point.y - line[i].y));
  const total = lengths.reduce((sum, one) => sum + one, 0);
  if (total < 40) return [];
  const heads: string[] = [];
  for (const goal of total > 160 ? [total * 0.3, total * 0.65] : [total * 0.55]) {
    let walked = 0;
    const i = lengths.findIndex((length) => {
      walked += length;
      return walked >= goal;
    });
    if (i < 0 || lengths[i] === 0) continue;
    const t = 1 - (walked - goal) / lengths[i];
    const at = {
      x: line[i].x + t * (line[i + 1].x - line[i].x),
      y: line[i].y + t * (line[i + 1].y - line[i].y),
    };
    heads.push(arrowHead(line[i], at, style.colour));
  }
  return heads;
}

function startMark(at: Point): string {
  return element("circle", {
    class: "start",
    cx: at.x,
    cy: at.y,
    r: 5,
    fill: theme.background,
    stroke: theme.ink,
    "stroke-width": 1.8,
  });
}

function legendItems(data: TrajectoriesData, styles: readonly SeriesStyle[]): LegendItem[] {
  const items: LegendItem[] = data.paths.map((path, i) => ({
    label: path.label,
    swatch: lineSwatch(styles[i], { marker: "shown" }),
  }));
  items.push({ label: "start", swatch: (at) => startMark({ x: at.x + 12, y: at.y }) });
  if (data.optima?.length)
    items.push({ label: "optimum", swatch: (at) => starMark({ x: at.x + 12, y: at.y }) });
  if (data.paths.some((path) => path.outcome === "diverged"))
    items.push({ label: "diverged", swatch: divergedSwatch });
  return items;
}

/** What the paths that stay finite cover, with some room around. */
function pathDomain(data: TrajectoriesData, axis: 0 | 1): readonly [number, number] {
  if (typeof data.surface !== "function") {
    const places = axis === 0 ? data.surface.x : data.surface.y;
    return [places[0], places[places.length - 1]];
  }
  const kept = data.paths.flatMap((path) =>
    path.outcome === "diverged" ? path.points.slice(0, 1) : path.points,
  );
  return dataDomain(
    [...kept, ...(data.optima ?? [])].map((point) => point[axis]),
    "linear",
    [0.14, 0.14],
  );
}

function contains(frame: Rect, point: Point): boolean {
  return (
    point.x >= frame.x &&
    point.x <= frame.x + frame.width &&
    point.y >= frame.y &&
    point.y <= frame.y + frame.height
  );
}
