/**
 * Sensitivity: the final loss (or accuracy) against the learning rate, one curve for each optimizer or
 * momentum. Settings that diverged stand in a strip above the plot, the range of good settings in a
 * strip below it with its width in decades, limits of the theory as vertical lines.
 */
import { SlalomError } from "../base/errors.js";
import { axisSpace, drawGrid, drawXAxis, drawYAxis, xTicks, yLabelWidth, yTicks } from "./axes.js";
import { type ColourRule, type SeriesStyle, seriesStyles, textColour } from "./colour.js";
import { type FigureText, figure } from "./figure.js";
import { type LegendItem, layoutLegend, lineSwatch } from "./legend.js";
import { bestMark, divergedMark, marker } from "./marks.js";
import { formatFixed } from "./numbers.js";
import { clipPolyline } from "./polyline.js";
import { type AxisSpec, dataDomain, makeScale, type Scale } from "./scale.js";
import { element, group, type Point, pathData, type Rect, rectangle, segment } from "./svg.js";
import { drawText, fitText, textWidth } from "./text.js";
import { theme } from "./theme.js";

export interface SensitivityPoint {
  readonly x: number;
  /** The final value; not needed where the setting diverged. */
  readonly value?: number;
  /** The interval over seeds. */
  readonly lower?: number;
  readonly upper?: number;
  readonly outcome?: "finished" | "diverged";
}

export interface SensitivityCurve {
  readonly label: string;
  readonly points: readonly SensitivityPoint[];
  /** The settings within the tolerance of the best, in units of x. */
  readonly goodRange?: { readonly from: number; readonly to: number };
  readonly category?: string;
  readonly value?: number;
}

export interface SensitivityData extends FigureText {
  readonly curves: readonly SensitivityCurve[];
  /** Log unless said otherwise. */
  readonly x: AxisSpec;
  readonly y: AxisSpec;
  /** Which end of y is good; default "lower". */
  readonly better?: "lower" | "higher";
  readonly colours?: ColourRule;
  /** What "good" means, for the strip: "within 5 % of the best". */
  readonly tolerance?: string;
  /** Vertical lines, such as 2/λmax. */
  readonly references?: readonly { readonly x: number; readonly label: string }[];
}

const goodRowPx = 14;

/** The figure as an SVG document. Throws a data error when there is no curve. */
export function sensitivityFigure(data: SensitivityData): string {
  if (data.curves.length === 0) {
    throw new SlalomError("data", "sensitivityFigure: received no curves; expected at least one.");
  }
  const extra = stripHeights(data).reduce((sum, height) => sum + height, 0);
  return figure(data, data.bodyHeight ?? 330 + extra, (area) => drawBody(data, area));
}

function drawBody(data: SensitivityData, area: Rect): string[] {
  const rule: ColourRule = data.colours ?? { by: "category" };
  const styles = seriesStyles(data.curves, rule);
  const styleOf = new Map(data.curves.map((curve, i) => [curve, styles[i]]));
  const legend = layoutLegend({
    items: legendItems(data, styles),
    width: area.width,
    title: rule.by === "value" ? rule.label : undefined,
  });
  const diverged = divergedCurves(data);
  const good = goodCurves(data);
  const referenceSpace = data.references?.length ? 16 : 0;
  const [topStrip, bottomStrip] = stripHeights(data);
  const below = axisSpace.tickLabels + (data.x.label === undefined ? 0 : axisSpace.axisLabel);
  const head = legend.height + (data.y.label === undefined ? 4 : 19) + referenceSpace;

  const yKind = data.y.scale ?? "linear";
  const plotHeight = area.height - head - topStrip - bottomStrip - below;
  const yDomain = data.y.domain ?? dataDomain(yValues(data), yKind, [0.07, 0.06]);
  const yt = yTicks(makeScale({ kind: yKind, domain: yDomain, range: [plotHeight, 0] }));
  const stripLabels = [diverged.length > 0 ? "diverged" : "", good.length > 0 ? "good" : ""];
  const left = Math.max(yLabelWidth(yt), ...stripLabels.map((label) => textWidth(label) + 8));
  const frame: Rect = {
    x: area.x + left,
    y: area.y + head + topStrip,
    width: area.width - left - 10,
    height: plotHeight,
  };
  const whole: Rect = { ...frame, y: frame.y - topStrip, height: topStrip + plotHeight + bottomStrip };

  const xKind = data.x.scale ?? "log";
  const xValues = data.curves.flatMap((curve) => curve.points.map((point) => point.x));
  const xDomain = data.x.domain ?? dataDomain(xValues, xKind, [0.04, 0.04]);
  const x = makeScale({ kind: xKind, domain: xDomain, range: [frame.x, frame.x + frame.width] });
  const y = makeScale({ kind: yKind, domain: yDomain, range: [frame.y + frame.height, frame.y] });
  const xt = xTicks(x);
  const plot: Plot = { frame, whole, x, y, styleOf };

  const parts = [legend.draw({ x: area.x, y: area.y })];
  if (data.y.label !== undefined) {
    const at = { x: area.x, y: area.y + legend.height + 2 };
    parts.push(drawText(fitText(data.y.label, area.width), at, { align: "top", fill: theme.mutedInk }));
  }
  parts.push(
    drawGrid(whole, { scale: x, ticks: xt }, { scale: y, ticks: yt }),
    drawXAxis(whole, x, xt, { within: { ...area, width: area.width } }),
    drawYAxis(frame, y, yt),
  );
  if (topStrip > 0) {
    parts.push(stripLabel("diverged", frame.x, frame.y - topStrip / 2 - 1));
    parts.push(
      segment(
        { x: frame.x, y: frame.y },
        { x: frame.x + frame.width, y: frame.y },
        { stroke: theme.axis, "stroke-width": 0.8 },
      ),
    );
  }
  const bottom = frame.y + frame.height;
  if (bottomStrip > 0) {
    parts.push(stripLabel("good", frame.x, bottom + bottomStrip / 2));
    parts.push(
      segment(
        { x: frame.x, y: bottom },
        { x: frame.x + frame.width, y: bottom },
        { stroke: theme.axis, "stroke-width": 0.8 },
      ),
    );
  }
  parts.push(
    drawReferences(data, plot, referenceSpace),
    ...data.curves.map((curve) => drawCurve(curve, data, plot, diverged.indexOf(curve))),
    ...good.map((curve, row) => drawGoodRange(curve, plot, bottom + 4 + (row + 0.5) * goodRowPx)),
  );
  if (data.x.label !== undefined) {
    const at = { x: frame.x + frame.width / 2, y: area.y + area.height - 2 };
    parts.push(drawText(data.x.label, at, { anchor: "middle", fill: theme.mutedInk }));
  }
  return parts;
}

interface Plot {
  readonly frame: Rect;
  /** The frame with the strips. */
  readonly whole: Rect;
  readonly x: Scale;
  readonly y: Scale;
  readonly styleOf: ReadonlyMap<SensitivityCurve, SeriesStyle>;
}

function drawCurve(curve: SensitivityCurve, data: SensitivityData, plot: Plot, divergedRow: number): string {
  const { frame, x, y } = plot;
  const style = plot.styleOf.get(curve)!;
  const sorted = [...curve.points].sort((a, b) => a.x - b.x);
  const pixel = (point: SensitivityPoint): Point => ({
    x: x.toPixel(point.x),
    y: y.toPixel(point.value ?? Number.NaN),
  });
  const finished = sorted.filter((point) => isFinished(point) && contains(frame, pixel(point)));
  const lines = clipPolyline(
    sorted.map((point) => (isFinished(point) ? pixel(point) : { x: Number.NaN, y: Number.NaN })),
    frame,
  );
  const parts = lines.map((line) =>
    element("path", {
      class: "curve",
      d: pathData(line),
      fill: "none",
      stroke: style.colour,
      "stroke-width": theme.lineWidth,
      "stroke-linejoin": "round",
      "stroke-dasharray": style.dash,
    }),
  );
  for (const point of finished) {
    if (point.lower !== undefined && point.upper !== undefined)
      parts.push(whisker(point, plot, style.colour));
  }
  const crossRows = divergedCurves(data).length;
  const crossY = frame.y - 3 - (divergedRow + 0.5) * crossRowPx(crossRows);
  const crosses = sorted.filter(
    (point) =>
      point.outcome === "diverged" &&
      x.toPixel(point.x) >= frame.x &&
      x.toPixel(point.x) <= frame.x + frame.width,
  );
  sorted.forEach((point, i) => {
    const next = sorted[i + 1];
    // From a last good setting up to the cross: the reader sees which curve blows up there.
    for (const [from, to] of [
      [point, next],
      [next, point],
    ]) {
      if (from === undefined || to === undefined || !crosses.includes(to) || !finished.includes(from))
        continue;
      parts.push(
        segment(
          pixel(from),
          { x: x.toPixel(to.x), y: crossY },
          { stroke: style.colour, "stroke-width": 1, "stroke-dasharray": "2 3" },
        ),
      );
    }
  });
  parts.push(
    ...crosses.map((point) =>
      divergedMark({ x: x.toPixel(point.x), y: crossY }, style.colour, crossRows > 5 ? 3 : 4),
    ),
  );
  parts.push(...finished.map((point) => marker(pixel(point), style)));
  const best = bestOf(finished, data.better ?? "lower");
  if (best !== undefined) parts.push(bestMark(pixel(best), theme.ink));
  return group({}, parts);
}

function whisker(point: SensitivityPoint, plot: Plot, colour: string): string {
  const px = plot.x.toPixel(point.x);
  const ends = clipPolyline(
    [point.lower!, point.upper!].map((value) => ({ x: px, y: plot.y.toPixel(value) })),
    plot.frame,
  );
  return ends
    .flatMap(([from, to]) => [
      segment(from, to, { class: "interval", stroke: colour, "stroke-width": 1.3 }),
      ...[from, to].map((end) =>
        segment({ x: px - 3, y: end.y }, { x: px + 3, y: end.y }, { stroke: colour, "stroke-width": 1.3 }),
      ),
    ])
    .join("\n");
}

function drawGoodRange(curve: SensitivityCurve, plot: Plot, y: number): string {
  const { from, to } = curve.goodRange!;
  const { frame } = plot;
  const clampX = (value: number) => Math.min(frame.x + frame.width, Math.max(frame.x, plot.x.toPixel(value)));
  const colour = plot.styleOf.get(curve)!.colour;
  const [left, right] = [clampX(from), clampX(to)];
  const size = theme.fontSize.small;
  const label = plot.x.kind === "log" && from > 0 ? decades(from, to) : formatFixed(to - from, 2);
  const width = textWidth(label, { size });
  const fitsRight = right + 7 + width <= frame.x + frame.width;
  const bar = rectangle(
    { x: left - 1.5, y: y - 4, width: right - left + 3, height: 8 },
    { class: "good-range", fill: colour, rx: 2 },
  );
  return `${bar}\n${drawText(label, { x: fitsRight ? right + 7 : left - 7, y }, { size, align: "middle", anchor: fitsRight ? "start" : "end", fill: textColour(colour), halo: "white" })}`;
}

function decades(from: number, to: number): string {
  const width = Math.log10(to / from);
  return width < 0.05 ? "one setting" : `${formatFixed(width, 1)} decades`;
}

function drawReferences(data: SensitivityData, plot: Plot, spacePx: number): string {
  const { whole, x } = plot;
  const size = theme.fontSize.small;
  let taken = Number.NEGATIVE_INFINITY;
  const inside = (data.references ?? [])
    .filter(
      (reference) => x.toPixel(reference.x) >= whole.x && x.toPixel(reference.x) <= whole.x + whole.width,
    )
    .sort((a, b) => a.x - b.x);
  return group(
    { class: "references" },
    inside.flatMap((reference) => {
      const px = x.toPixel(reference.x);
      const width = textWidth(reference.label, { size });
      const at = Math.min(
        whole.x + whole.width + 10 - width / 2,
        Math.max(whole.x + width / 2, px, taken + width / 2 + 8),
      );
      const line = segment(
        { x: px, y: whole.y },
        { x: px, y: whole.y + whole.height },
        { stroke: theme.ink, "stroke-width": 1.1, "stroke-dasharray": "6 4" },
      );
      const isClear = at - width / 2 > taken;
      if (!isClear) return [line];
      taken = at + width / 2;
      const tie =
        Math.abs(at - px) > 1
          ? segment(
              { x: px, y: whole.y },
              { x: at, y: whole.y - 4 },
              { stroke: theme.ink, "stroke-width": 0.8 },
            )
          : "";
      return [
        line,
        tie,
        drawText(reference.label, { x: at, y: whole.y - 2 - spacePx / 4 }, { size, anchor: "middle" }),
      ];
    }),
  );
}

function stripLabel(label: string, right: number, y: number): string {
  return drawText(label, { x: right - 8, y }, { anchor: "end", align: "middle", fill: theme.mutedInk });
}

function legendItems(data: SensitivityData, styles: readonly SeriesStyle[]): LegendItem[] {
  const items: LegendItem[] = data.curves.map((curve, i) => ({
    label: curve.label,
    swatch: lineSwatch(styles[i], { marker: "shown" }),
  }));
  items.push({ label: "best", swatch: (at) => bestMark({ x: at.x + 12, y: at.y }, theme.ink) });
  if (data.tolerance !== undefined && goodCurves(data).length > 0) {
    items.push({
      label: `good: ${data.tolerance}`,
      swatch: (at) =>
        rectangle({ x: at.x, y: at.y - 4, width: 24, height: 8 }, { fill: theme.mutedInk, rx: 2 }),
    });
  }
  return items;
}

function* yValues(data: SensitivityData): Iterable<number> {
  for (const point of data.curves.flatMap((curve) => curve.points)) {
    if (!isFinished(point)) continue;
    for (const value of [point.value, point.lower, point.upper]) if (value !== undefined) yield value;
  }
}

function isFinished(point: SensitivityPoint): boolean {
  return point.outcome !== "diverged" && point.value !== undefined && Number.isFinite(point.value);
}

function bestOf(
  points: readonly SensitivityPoint[],
  better: "lower" | "higher",
): SensitivityPoint | undefined {
  const sign = better === "lower" ? 1 : -1;
  return [...points].sort((a, b) => sign * (a.value! - b.value!))[0];
}

/** The heights of the strip of crosses and of the strip of good ranges; 0 where there is none. */
function stripHeights(data: SensitivityData): [number, number] {
  const crosses = divergedCurves(data).length;
  const good = goodCurves(data).length;
  return [crosses === 0 ? 0 : crosses * crossRowPx(crosses) + 6, good === 0 ? 0 : good * goodRowPx + 8];
}

/** Many rows of crosses are packed closer, so that the strip never outgrows the plot. */
function crossRowPx(rows: number): number {
  return Math.max(8, Math.min(15, 84 / Math.max(1, rows)));
}

function divergedCurves(data: SensitivityData): SensitivityCurve[] {
  return data.curves.filter((curve) => curve.points.some((point) => point.outcome === "diverged"));
}

function goodCurves(data: SensitivityData): SensitivityCurve[] {
  return data.curves.filter((curve) => curve.goodRange !== undefined);
}

function contains(frame: Rect, point: Point): boolean {
  return (
    point.x >= frame.x &&
    point.x <= frame.x + frame.width &&
    point.y >= frame.y - 0.01 &&
    point.y <= frame.y + frame.height + 0.01
  );
}
