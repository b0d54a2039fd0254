/** Curves in a frame: their pixels, bands, markers, and the names at their ends. */
import type { SeriesStyle } from "./colour.js";
import { textColour } from "./colour.js";
import { spreadLabels } from "./labels.js";
import { marker } from "./marks.js";
import { clipPolygon, clipPolyline, lastExit, simplify } from "./polyline.js";
import type { Scale } from "./scale.js";
import { element, group, type Point, pathData, type Rect } from "./svg.js";
import { drawText, textWidth } from "./text.js";
import { theme } from "./theme.js";

/** A curve cut to its frame. */
export interface PixelCurve {
  readonly label: string;
  readonly style: SeriesStyle;
  readonly parts: readonly (readonly Point[])[];
  readonly band: readonly (readonly Point[])[];
  readonly predicted: readonly (readonly Point[])[];
  /** Its last finite point, wherever that lies. */
  readonly last?: Point;
  /** The last finite point moved into the frame: where a name belongs. */
  readonly end?: Point;
  /** Where it leaves the frame for good. */
  readonly exit?: Point;
}

interface CurveData {
  readonly label: string;
  readonly style: SeriesStyle;
  readonly x: ArrayLike<number>;
  readonly y: ArrayLike<number>;
  readonly lower?: ArrayLike<number>;
  readonly upper?: ArrayLike<number>;
  readonly predicted?: { readonly x: ArrayLike<number>; readonly y: ArrayLike<number> };
}

export function pixelCurve(
  data: CurveData,
  plot: { readonly x: Scale; readonly y: Scale; readonly frame: Rect },
): PixelCurve {
  const { x, y, frame } = plot;
  const points = pixels(data.x, data.y, x, y);
  const last = points.findLast((point) => Number.isFinite(point.x) && Number.isFinite(point.y));
  return {
    label: data.label,
    style: data.style,
    parts: clipPolyline(points, frame).map((part) => simplify(part)),
    band: data.lower && data.upper ? bandPolygons(data.x, data.lower, data.upper, plot) : [],
    predicted: data.predicted
      ? clipPolyline(pixels(data.predicted.x, data.predicted.y, x, y), frame).map((part) => simplify(part))
      : [],
    last: last === undefined ? undefined : inside(last, frame),
    end: last === undefined || last.x < frame.x ? undefined : inside(last, frame),
    exit: lastExit(points, frame),
  };
}

/** Bands, then lines, then theory, then markers that tell categories apart in grey print. */
export function drawCurves(
  curves: readonly PixelCurve[],
  options: { readonly frame: Rect; readonly markers: "shown" | "hidden" },
): string {
  const width = curves.length > 8 ? theme.lineWidth * 0.8 : theme.lineWidth;
  const bands = curves.flatMap((curve) =>
    curve.band.map((polygon) =>
      element("path", {
        class: "band",
        d: pathData(polygon, "closed"),
        fill: curve.style.colour,
        "fill-opacity": 0.2,
      }),
    ),
  );
  const lines = curves.map((curve) => {
    const data = curve.parts.map((part) => pathData(part)).join("");
    if (data === "") return "";
    return element("path", {
      class: "curve",
      d: data,
      fill: "none",
      stroke: curve.style.colour,
      "stroke-width": width,
      "stroke-linejoin": "round",
      "stroke-linecap": curve.style.dash === undefined ? "round" : undefined,
      "stroke-dasharray": curve.style.dash,
    });
  });
  const predicted = curves.map((curve) => {
    const data = curve.predicted.map((part) => pathData(part)).join("");
    return data === ""
      ? ""
      : element("path", {
          class: "predicted",
          d: data,
          fill: "none",
          stroke: theme.ink,
          "stroke-width": 1.1,
          "stroke-dasharray": "2 3",
        });
  });
  const markers =
    options.markers === "shown"
      ? curves.flatMap((curve, i) => markersAlong(curve, i, curves.length, options.frame))
      : [];
  return [group({}, bands), group({}, lines), group({}, predicted), group({}, markers)]
    .filter((part) => part !== "")
    .join("\n");
}

export interface EndLabel {
  readonly at: Point;
  readonly label: string;
  readonly colour: string;
}

const endSize = theme.fontSize.text;
const leaderPx = 14;

/** The width right of the frame that names at line ends need. */
export function endLabelWidth(labels: readonly string[]): number {
  return Math.ceil(Math.max(0, ...labels.map((label) => textWidth(label, { size: endSize }))) + leaderPx + 8);
}

/** Names right of the frame, moved apart, each tied to the end of its curve. */
export function drawEndLabels(
  labels: readonly EndLabel[],
  frame: Rect,
  options: { readonly title?: string } = {},
): string {
  const right = frame.x + frame.width;
  const low = frame.y + (options.title === undefined ? 4 : 12);
  const gap = Math.min(15, (frame.y + frame.height - low) / Math.max(1, labels.length - 1));
  const places = spreadLabels(
    labels.map((label) => label.at.y),
    { gap, low, high: frame.y + frame.height - 2 },
  );
  const parts = labels.flatMap((label, i) => [
    element("path", {
      d: pathData([
        label.at,
        { x: Math.max(label.at.x, right) + 2, y: label.at.y },
        { x: right + leaderPx - 3, y: places[i] },
      ]),
      fill: "none",
      stroke: label.colour,
      "stroke-width": 0.9,
      "stroke-opacity": 0.7,
    }),
    drawText(
      label.label,
      { x: right + leaderPx, y: places[i] },
      { align: "middle", size: endSize, fill: textColour(label.colour) },
    ),
  ]);
  if (options.title !== undefined && labels.length > 0) {
    const y = Math.min(...places) - 16;
    const x = Math.min(
      right + leaderPx,
      right +
        endLabelWidth(labels.map((one) => one.label)) -
        textWidth(options.title, { size: theme.fontSize.small }),
    );
    parts.push(
      drawText(
        options.title,
        { x, y },
        { align: "middle", size: theme.fontSize.small, fill: theme.mutedInk, halo: "white" },
      ),
    );
  }
  return group({ class: "names" }, parts);
}

function pixels(xs: ArrayLike<number>, ys: ArrayLike<number>, x: Scale, y: Scale): Point[] {
  return Array.from({ length: Math.min(xs.length, ys.length) }, (_, i) => ({
    x: x.toPixel(xs[i]),
    y: y.toPixel(ys[i]),
  }));
}

function inside(point: Point, frame: Rect): Point {
  return {
    x: Math.min(frame.x + frame.width, Math.max(frame.x, point.x)),
    y: Math.min(frame.y + frame.height, Math.max(frame.y, point.y)),
  };
}

/** One polygon for each stretch in which both edges are numbers. */
function bandPolygons(
  xs: ArrayLike<number>,
  lower: ArrayLike<number>,
  upper: ArrayLike<number>,
  plot: { readonly x: Scale; readonly y: Scale; readonly frame: Rect },
): Point[][] {
  const bottom = pixels(xs, lower, plot.x, plot.y);
  const top = pixels(xs, upper, plot.x, plot.y);
  const polygons: Point[][] = [];
  let start = 0;
  for (let i = 0; i <= bottom.length; i++) {
    const isWhole = i < bottom.length && [bottom[i].x, bottom[i].y, top[i].y].every(Number.isFinite);
    if (isWhole) continue;
    if (i - start > 1) {
      const outline = [...simplify(top.slice(start, i)), ...simplify(bottom.slice(start, i)).reverse()];
      const cut = clipPolygon(outline, plot.frame);
      if (cut.length > 2) polygons.push(cut);
    }
    start = i + 1;
  }
  return polygons;
}

/** About five markers along the curve, shifted from curve to curve so that they don't coincide. */
function markersAlong(curve: PixelCurve, index: number, count: number, frame: Rect): string[] {
  const spacing = Math.max(60, frame.width / 5);
  const first = frame.x + spacing * ((index + 0.5) / count);
  const found: string[] = [];
  for (let x = first; x <= frame.x + frame.width; x += spacing) {
    for (const part of curve.parts) {
      const after = part.findIndex(
        (point, i) => i > 0 && part[i - 1].x <= x && point.x >= x && point.x > part[i - 1].x,
      );
      if (after < 0) continue;
      const [a, b] = [part[after - 1], part[after]];
      const y = a.y + ((x - a.x) / (b.x - a.x)) * (b.y - a.y);
      found.push(marker({ x, y }, curve.style, 34));
      break;
    }
  }
  return found;
}
