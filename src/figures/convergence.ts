/**
 * Convergence: a loss or an accuracy against the step, one curve for each run or setting, with bands
 * over seeds, the theory's prediction, a target, and diverged runs drawn to where they leave the
 * frame. Several panels share their axes.
 */
import { SlalomError } from "../base/errors.js";
import { axisSpace, drawGrid, drawXAxis, drawYAxis, xTicks, yLabelWidth, yTicks } from "./axes.js";
import { type ColourRule, type SeriesStyle, seriesStyles } from "./colour.js";
import {
  drawCurves,
  drawEndLabels,
  type EndLabel,
  endLabelWidth,
  type PixelCurve,
  pixelCurve,
} from "./curves.js";
import { divergedRows, drawDiverged, headroom } from "./divergence.js";
import { type FigureText, figure } from "./figure.js";
import { chooseColumns, panelGrid } from "./layout.js";
import { divergedSwatch, type LegendItem, layoutLegend, lineSwatch, predictedSwatch } from "./legend.js";
import { crossings } from "./polyline.js";
import { type AxisSpec, dataDomain, makeScale, type Scale, type ScaleKind } from "./scale.js";
import { group, type Rect, segment } from "./svg.js";
import { drawText, fitText, textWidth } from "./text.js";
import { theme } from "./theme.js";

/** One curve. `x`, `y` and the band have equal lengths; a NaN is a gap, an infinity leaves the frame. */
export interface ConvergenceSeries {
  readonly label: string;
  readonly x: ArrayLike<number>;
  readonly y: ArrayLike<number>;
  /** The band over seeds. */
  readonly lower?: ArrayLike<number>;
  readonly upper?: ArrayLike<number>;
  /** What the theory says, drawn dotted. */
  readonly predicted?: { readonly x: ArrayLike<number>; readonly y: ArrayLike<number> };
  /** The step at which the run was found diverged: a result, drawn with ✕. */
  readonly divergedAt?: number;
  /** Series of one category have one colour; default the label. */
  readonly category?: string;
  /** The ordered hyperparameter, for colours by value. */
  readonly value?: number;
}

export interface ConvergencePanel {
  readonly title?: string;
  readonly series: readonly ConvergenceSeries[];
}

export interface ConvergenceData extends FigureText {
  /** One panel, or small multiples with shared axes. */
  readonly panels: readonly ConvergencePanel[];
  readonly x: AxisSpec;
  readonly y: AxisSpec;
  /** Default by category. */
  readonly colours?: ColourRule;
  readonly target?: { readonly value: number; readonly label?: string };
  /** Where names stand; `auto`: at the ends of the curves in a single panel with room, else in a legend. */
  readonly names?: "auto" | "ends" | "legend";
  readonly columns?: number;
  /** What x counts, in the singular, for "diverged at step 812"; default "step". */
  readonly unit?: string;
}

/** The figure as an SVG document. Throws a data error for series of unequal lengths or no panel. */
export function convergenceFigure(data: ConvergenceData): string {
  check(data);
  const columns = data.columns ?? chooseColumns(data.panels.length, (data.width ?? theme.defaultWidth) - 80);
  const rows = Math.ceil(data.panels.length / columns);
  const bodyHeight =
    data.bodyHeight ?? (rows === 1 ? (columns === 1 ? theme.defaultBodyHeight : 300) : 50 + 180 * rows);
  return figure(data, bodyHeight, (area) => drawBody(data, columns, area));
}

function drawBody(data: ConvergenceData, columns: number, area: Rect): string[] {
  const all = data.panels.flatMap((panel) => panel.series);
  const rule: ColourRule = data.colours ?? { by: "category" };
  const styles = seriesStyles(all, rule);
  const styleOf = new Map(all.map((series, i) => [series, styles[i]]));
  const names = chooseNames(data, area);
  const parts: string[] = [];
  let top = area.y;
  if (names === "legend" || all.some((series) => series.predicted)) {
    const items = names === "legend" ? nameItems(all, styles, rule) : [];
    const legend = layoutLegend({
      items: [...items, ...signItems(all, names)],
      width: area.width,
      title: names === "legend" && rule.by === "value" ? rule.label : undefined,
    });
    parts.push(legend.draw({ x: area.x, y: top }));
    top += legend.height;
  }
  if (data.y.label !== undefined) {
    parts.push(
      drawText(
        fitText(data.y.label, area.width),
        { x: area.x, y: top + 2 },
        { align: "top", fill: theme.mutedInk },
      ),
    );
    top += 19;
  }
  const below = axisSpace.tickLabels + (data.x.label === undefined ? 0 : axisSpace.axisLabel);
  const plots: Rect = { x: area.x, y: top, width: area.width, height: area.y + area.height - top - below };

  const endWidth = names === "ends" ? endLabelWidth(all.map((series) => series.label)) : 10;
  const places = (left: number) =>
    panelGrid({
      count: data.panels.length,
      columns,
      area: { ...plots, x: plots.x + left, width: plots.width - left - endWidth },
      gapPx: 16,
      headPx:
        (data.panels.some((panel) => panel.title !== undefined) ? 18 : 4) + (all.some(isDiverged) ? 5 : 0),
    });
  const height = places(0)[0].frame.height;
  const yKind = data.y.scale ?? "linear";
  const rowsKept = Math.max(
    ...data.panels.map((panel) => divergedRows(panel.series.filter(isDiverged).length, height)),
  );
  const yDomain = data.y.domain ?? headroom(convergedDomain(all, data, yKind), yKind, rowsKept, height);
  const xDomain = data.x.domain ?? xData(all, data.x.scale ?? "linear");
  const yTicksAll = yTicks(makeScale({ kind: yKind, domain: yDomain, range: [height, 0] }));
  const grid = places(yLabelWidth(yTicksAll));

  data.panels.forEach((panel, index) => {
    const { frame, isLeft, isBottom } = grid[index];
    const x = makeScale({
      kind: data.x.scale ?? "linear",
      domain: xDomain,
      range: [frame.x, frame.x + frame.width],
    });
    const y = makeScale({ kind: yKind, domain: yDomain, range: [frame.y + frame.height, frame.y] });
    const xt = xTicks(x);
    const margin = data.panels.length > 1 ? 7 : 12;
    const within = { ...frame, x: frame.x - margin, width: frame.width + 2 * margin };
    const panelParts = [
      drawGrid(frame, { scale: x, ticks: xt }, { scale: y, ticks: yTicksAll }),
      drawXAxis(frame, x, xt, { labels: isBottom ? "shown" : "hidden", within }),
      drawYAxis(frame, y, yTicksAll, { labels: isLeft ? "shown" : "hidden" }),
      panel.title === undefined
        ? ""
        : drawText(
            fitText(panel.title, frame.width, { weight: "bold" }),
            { x: frame.x, y: frame.y - (data.panels.some((one) => one.series.some(isDiverged)) ? 10 : 6) },
            { weight: "bold" },
          ),
      drawPanel(data, panel, { frame, x, y, styleOf, names, rule }),
    ];
    parts.push(group({ class: "panel" }, panelParts));
  });
  if (data.x.label !== undefined) {
    const first = grid[0].frame;
    const middle = (first.x + grid[Math.min(columns, grid.length) - 1].frame.x + first.width) / 2;
    parts.push(
      drawText(
        data.x.label,
        { x: middle, y: area.y + area.height - 2 },
        { anchor: "middle", fill: theme.mutedInk },
      ),
    );
  }
  return parts;
}

interface PanelContext {
  readonly frame: Rect;
  readonly x: Scale;
  readonly y: Scale;
  readonly styleOf: ReadonlyMap<ConvergenceSeries, SeriesStyle>;
  readonly names: "ends" | "legend";
  readonly rule: ColourRule;
}

function drawPanel(data: ConvergenceData, panel: ConvergencePanel, context: PanelContext): string {
  const { frame, x, y } = context;
  const curves = panel.series.map((series) =>
    pixelCurve({ ...series, style: context.styleOf.get(series)! }, { x, y, frame }),
  );
  const diverged = curves.filter((_, i) => isDiverged(panel.series[i]));
  const lines = curves.flatMap((curve) => curve.parts);
  const ends: EndLabel[] = curves.flatMap((curve) =>
    diverged.includes(curve) || curve.end === undefined
      ? []
      : [{ at: curve.end, label: curve.label, colour: curve.style.colour }],
  );
  return [
    drawCurves(curves, { frame, markers: context.rule.by === "category" ? "shown" : "hidden" }),
    data.target === undefined ? "" : drawTarget(data.target, context, lines),
    context.names === "ends"
      ? drawEndLabels(ends, frame, { title: context.rule.by === "value" ? context.rule.label : undefined })
      : "",
    drawDiverged(
      diverged.map((curve) => ({
        label: curve.label,
        at: curve.exit ?? curve.last ?? { x: frame.x, y: frame.y },
        colour: curve.style.colour,
        step: panel.series[curves.indexOf(curve)].divergedAt,
      })),
      { frame, unit: data.unit ?? "step" },
    ),
  ]
    .filter((part) => part !== "")
    .join("\n");
}

function drawTarget(
  target: { value: number; label?: string },
  context: PanelContext,
  lines: PixelCurve["parts"],
): string {
  const { frame, y } = context;
  const py = y.toPixel(target.value);
  if (!(py >= frame.y && py <= frame.y + frame.height)) return "";
  const line = segment(
    { x: frame.x, y: py },
    { x: frame.x + frame.width, y: py },
    {
      class: "target",
      stroke: theme.ink,
      "stroke-width": 1.1,
      "stroke-dasharray": "6 4",
    },
  );
  if (target.label === undefined) return line;
  const size = theme.fontSize.small;
  const label = fitText(target.label, frame.width - 12, { size });
  const width = textWidth(label, { size });
  // Six places along the line, above and below it; the one that the fewest curves cross.
  const candidates = [0, 1, 0.5].flatMap((share) =>
    [py - 14, py + 3].map((top) => ({
      x: frame.x + 6 + share * (frame.width - 12 - width),
      y: top,
      width,
      height: 12,
    })),
  );
  const inside = candidates.filter((box) => box.y >= frame.y && box.y + box.height <= frame.y + frame.height);
  const counts = inside.map((box) => crossings(box, lines));
  const best = inside[counts.indexOf(Math.min(...counts))];
  return `${line}\n${drawText(label, { x: best.x, y: best.y + 9.5 }, { size, halo: "white" })}`;
}

function chooseNames(data: ConvergenceData, area: Rect): "ends" | "legend" {
  if (data.names === "ends" || data.names === "legend") return data.names;
  const series = data.panels.flatMap((panel) => panel.series);
  const isRoomy =
    endLabelWidth(series.map((one) => one.label)) <= area.width * 0.3 &&
    series.length * 15 <= area.height - 70;
  return data.panels.length === 1 && isRoomy ? "ends" : "legend";
}

/** One item for each name, in order of the value or of appearance. */
function nameItems(
  series: readonly ConvergenceSeries[],
  styles: readonly SeriesStyle[],
  rule: ColourRule,
): LegendItem[] {
  const seen = new Map<string, { style: SeriesStyle; value: number }>();
  series.forEach((one, i) => {
    const name = rule.by === "category" ? (one.category ?? one.label) : one.label;
    if (!seen.has(name)) seen.set(name, { style: styles[i], value: one.value ?? Number.POSITIVE_INFINITY });
  });
  const entries = [...seen];
  if (rule.by === "value")
    entries.sort(([, a], [, b]) => (a.value < b.value ? -1 : a.value > b.value ? 1 : 0));
  const shown = rule.by === "category" ? "shown" : "hidden";
  return entries.map(([label, { style }]) => ({ label, swatch: lineSwatch(style, { marker: shown }) }));
}

function signItems(series: readonly ConvergenceSeries[], names: "ends" | "legend"): LegendItem[] {
  const items: LegendItem[] = [];
  if (series.some((one) => one.predicted)) items.push({ label: "theory", swatch: predictedSwatch });
  if (names === "legend" && series.some(isDiverged))
    items.push({ label: "diverged", swatch: divergedSwatch });
  return items;
}

function isDiverged(series: ConvergenceSeries): boolean {
  return series.divergedAt !== undefined;
}

/** What the y axis must show: runs that stayed finite in full, diverged ones at least where they start. */
function convergedDomain(
  all: readonly ConvergenceSeries[],
  data: ConvergenceData,
  kind: ScaleKind,
): [number, number] {
  const values: number[] = data.target === undefined ? [] : [data.target.value];
  const isUsable = (value: number) => Number.isFinite(value) && (kind === "linear" || value > 0);
  for (const series of all) {
    const y = Array.from(series.y).filter(isUsable);
    if (isDiverged(series)) values.push(...y.slice(0, 1));
    else
      for (const array of [y, series.lower ?? [], series.upper ?? []])
        for (const value of Array.from(array)) values.push(value);
  }
  const [low, high] = dataDomain(values, kind);
  // With diverged runs alone there is no other curve to show: leave them room to rise.
  return all.length > 0 && all.every(isDiverged)
    ? [low, kind === "log" ? high * 1e3 : high + 3 * (high - low)]
    : [low, high];
}

function xData(all: readonly ConvergenceSeries[], kind: ScaleKind): [number, number] {
  return dataDomain(
    (function* () {
      for (const series of all) yield* Array.from(series.x);
    })(),
    kind,
    [0, 0],
  );
}

function check(data: ConvergenceData): void {
  if (data.panels.length === 0)
    throw new SlalomError("data", "convergenceFigure: received no panels; expected at least one.");
  for (const series of data.panels.flatMap((panel) => panel.series)) {
    for (const [name, array] of Object.entries({ y: series.y, lower: series.lower, upper: series.upper })) {
      if (array === undefined || array.length === series.x.length) continue;
      throw new SlalomError(
        "data",
        `convergenceFigure: series "${series.label}" has ${series.x.length} values of x and ${array.length} of ${name}; expected equal lengths.`,
      );
    }
  }
}
