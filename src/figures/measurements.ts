/**
 * Measurements at a few values of x, such as numbers of ranks: a marker at each, lines that lead the eye, forecasts dashed
 * and hollow, a ring around one point of a series, a line of reference. Several panels share their axes.
 */
import { SlalomError } from "../base/errors.js";
import { axisSpace, drawGrid, drawXAxis, drawYAxis, xTicks, yLabelWidth, yTicks } from "./axes.js";
import { type SeriesStyle, seriesStyles } from "./colour.js";
import { type FigureText, figure } from "./figure.js";
import { chooseColumns, panelGrid } from "./layout.js";
import { type LegendItem, layoutLegend, lineSwatch, swatchWidth } from "./legend.js";
import { bestMark, marker } from "./marks.js";
import { formatNumber } from "./numbers.js";
import { clipPolyline } from "./polyline.js";
import { type AxisSpec, dataDomain, makeScale, type Scale, type ScaleKind } from "./scale.js";
import { element, group, type Point, pathData, type Rect, segment } from "./svg.js";
import { drawText, fitText } from "./text.js";
import { theme } from "./theme.js";

/** One line of measurements. `x` and `y` have equal lengths; a y that is no number is left out. */
export interface MeasurementSeries {
  /** Its name in the legend; series of one name share colour and marker. */
  readonly label: string;
  readonly x: readonly number[];
  readonly y: readonly number[];
  /** Least and greatest of what each value is the middle of, drawn as a bar that ends at the frame. */
  readonly ranges?: readonly (readonly [number, number])[];
  /** How the line came about; default measured. */
  readonly kind?: "measured" | "forecast";
  /** The x of the point that gets a ring. */
  readonly ringAt?: number;
}

export interface MeasurementPanel {
  readonly title?: string;
  readonly series: readonly MeasurementSeries[];
  /** What the measurements are held against, such as the ideal: a thin dashed line. */
  readonly reference?: {
    readonly label: string;
    readonly x: readonly number[];
    readonly y: readonly number[];
  };
}

export interface MeasurementsData extends FigureText {
  /** One panel, or small multiples with shared axes. */
  readonly panels: readonly MeasurementPanel[];
  /** Named are the values that were measured. */
  readonly x: Pick<AxisSpec, "label" | "scale">;
  readonly y: AxisSpec;
  /** What a ring says, for the legend. */
  readonly rings?: string;
}

/**
 * The figure as an SVG document.
 * @throws SlalomError "data" for series of unequal lengths, or nothing that could be drawn
 */
export function measurementsFigure(data: MeasurementsData): string {
  check(data);
  const columns = chooseColumns(data.panels.length, (data.width ?? theme.defaultWidth) - 80);
  const rows = Math.ceil(data.panels.length / columns);
  const bodyHeight =
    data.bodyHeight ?? (rows === 1 ? (columns === 1 ? theme.defaultBodyHeight : 320) : 70 + 190 * rows);
  return figure(data, bodyHeight, (area) => drawBody(data, columns, area));
}

function drawBody(data: MeasurementsData, columns: number, area: Rect): string[] {
  const all = data.panels.flatMap(({ series }) => series);
  const styles = new Map(
    seriesStyles(all, { by: "category" }).map((style, i) => [all[i], styleOf(all[i], style)]),
  );
  const legend = layoutLegend({ items: legendItems(data, styles), width: area.width });
  const labelHeight = data.y.label === undefined ? 0 : 19;
  const top = area.y + legend.height + labelHeight;
  const below = axisSpace.tickLabels + (data.x.label === undefined ? 0 : axisSpace.axisLabel);
  const hasTitles = data.panels.some(({ title }) => title !== undefined);
  const places = (left: number) =>
    panelGrid({
      count: data.panels.length,
      columns,
      area: {
        x: area.x + left,
        y: top,
        width: area.width - left - 10,
        height: area.y + area.height - top - below,
      },
      gapPx: 16,
      headPx: hasTitles ? 18 : 4,
    });
  const yKind = data.y.scale ?? "linear";
  const yDomain =
    data.y.domain ??
    dataDomain(
      all.flatMap(({ y }) => y),
      yKind,
      [0.06, 0.06],
    );
  const ticks = yTicks(makeScale({ kind: yKind, domain: yDomain, range: [places(0)[0].frame.height, 0] }));
  const grid = places(yLabelWidth(ticks));
  const panels = data.panels.map((panel, i) => {
    const { frame, isLeft, isBottom } = grid[i];
    const x = valueScale(
      all.flatMap((series) => series.x),
      data.x.scale ?? "linear",
      frame,
    );
    const y = makeScale({ kind: yKind, domain: yDomain, range: [frame.y + frame.height, frame.y] });
    const named = xTicks(x);
    const within = { ...frame, x: frame.x - 7, width: frame.width + 14 };
    return group({ class: "panel" }, [
      drawGrid(frame, { scale: x, ticks: named }, { scale: y, ticks }),
      drawXAxis(frame, x, named, { labels: isBottom ? "shown" : "hidden", within }),
      drawYAxis(frame, y, ticks, { labels: isLeft ? "shown" : "hidden" }),
      panel.title === undefined
        ? ""
        : drawText(
            fitText(panel.title, frame.width, { weight: "bold" }),
            { x: frame.x, y: frame.y - 6 },
            { weight: "bold" },
          ),
      drawReference(panel, { frame, x, y }),
      ...panel.series.map((series) => drawLine(series, styles.get(series)!, { frame, x, y })),
      ...panel.series.map((series) => drawRanges(series, styles.get(series)!, { frame, x, y })),
      ...panel.series.map((series) => drawMarkers(series, styles.get(series)!, { x, y })),
    ]);
  });
  const texts = [
    data.y.label === undefined
      ? ""
      : drawText(
          fitText(data.y.label, area.width),
          { x: area.x, y: area.y + legend.height + 2 },
          { align: "top", fill: theme.mutedInk },
        ),
    data.x.label === undefined
      ? ""
      : drawText(
          data.x.label,
          { x: (grid[0].frame.x + area.x + area.width - 10) / 2, y: area.y + area.height - 2 },
          { anchor: "middle", fill: theme.mutedInk },
        ),
  ];
  return [legend.draw({ x: area.x, y: area.y }), texts[0], ...panels, texts[1]];
}

/** A scale over the values with air beside them, whose ticks they are. */
function valueScale(values: readonly number[], kind: ScaleKind, frame: Rect): Scale {
  const range = [frame.x, frame.x + frame.width] as const;
  const scale = makeScale({ kind, domain: dataDomain(values, kind, [0.06, 0.06]), range });
  const named = [...new Set(values)].sort((a, b) => a - b);
  const major = named.map((value) => ({ value, label: formatNumber(value, { digits: 6 }) }));
  return { ...scale, ticks: () => ({ major, minor: [] }) };
}

const styleOf = ({ kind }: MeasurementSeries, style: SeriesStyle): SeriesStyle =>
  kind === "forecast" ? { ...style, dash: forecastDash, markerFill: "hollow" } : style;

const forecastDash = "6 4";

interface Plot {
  readonly frame: Rect;
  readonly x: Scale;
  readonly y: Scale;
}

/** Pixels of the points that are numbers. */
const pixelsOf = (
  { x, y }: { readonly x: readonly number[]; readonly y: readonly number[] },
  scales: Pick<Plot, "x" | "y">,
): Point[] =>
  x
    .map((value, i) => ({ x: scales.x.toPixel(value), y: scales.y.toPixel(y[i]) }))
    .filter((point) => Number.isFinite(point.y));

function drawLine(series: MeasurementSeries, style: SeriesStyle, plot: Plot): string {
  const d = clipPolyline(pixelsOf(series, plot), plot.frame)
    .map((part) => pathData(part))
    .join("");
  if (d === "") return "";
  return element("path", {
    class: series.kind ?? "measured",
    d,
    fill: "none",
    stroke: style.colour,
    "stroke-width": theme.lineWidth,
    "stroke-linejoin": "round",
    "stroke-dasharray": style.dash,
  });
}

function drawRanges({ x, y, ranges }: MeasurementSeries, { colour }: SeriesStyle, plot: Plot): string {
  if (ranges === undefined) return "";
  const { frame } = plot;
  const bars = ranges.map(([least, greatest], i) => {
    if (!Number.isFinite(y[i])) return "";
    const at = plot.x.toPixel(x[i]);
    const bottom = Math.min(plot.y.toPixel(least), frame.y + frame.height);
    const end = Math.max(plot.y.toPixel(greatest), frame.y);
    const look = { class: "range", stroke: colour, "stroke-width": theme.lineWidth / 2 };
    return segment({ x: at, y: bottom }, { x: at, y: end }, look);
  });
  return group({}, bars);
}

function drawMarkers(series: MeasurementSeries, style: SeriesStyle, scales: Pick<Plot, "x" | "y">): string {
  const ringed = series.ringAt === undefined ? -1 : series.x.indexOf(series.ringAt);
  const ring = ringed < 0 ? [] : pixelsOf({ x: [series.x[ringed]], y: [series.y[ringed]] }, scales);
  return group({}, [
    ...pixelsOf(series, scales).map((point) => marker(point, style)),
    ...ring.map((point) => bestMark(point, style.colour)),
  ]);
}

function drawReference({ reference }: MeasurementPanel, plot: Plot): string {
  if (reference === undefined) return "";
  const d = clipPolyline(pixelsOf(reference, plot), plot.frame)
    .map((part) => pathData(part))
    .join("");
  return d === "" ? "" : element("path", { class: "reference", d, fill: "none", ...referenceLook });
}

const referenceLook = { stroke: theme.mutedInk, "stroke-width": 1.2, "stroke-dasharray": "2 3" } as const;

/** The names once each, then what the signs mean. */
function legendItems(
  { panels, rings }: MeasurementsData,
  styles: ReadonlyMap<MeasurementSeries, SeriesStyle>,
): LegendItem[] {
  const all = [...styles.keys()];
  const names = [...new Set(all.map(({ label }) => label))].map((label): LegendItem => {
    const style = styles.get(all.find((series) => series.label === label)!)!;
    return {
      label,
      swatch: lineSwatch({ ...style, dash: undefined, markerFill: "solid" }, { marker: "shown" }),
    };
  });
  const forecast: SeriesStyle = { colour: theme.ink, marker: 0, dash: forecastDash, markerFill: "hollow" };
  const references = [...new Set(panels.flatMap(({ reference }) => (reference ? [reference.label] : [])))];
  const hasRing = all.some(({ ringAt }) => ringAt !== undefined);
  return [
    ...names,
    ...(all.some(({ kind }) => kind === "forecast")
      ? [{ label: "forecast", swatch: lineSwatch(forecast, { marker: "shown" }) }]
      : []),
    ...references.map(
      (label): LegendItem => ({
        label,
        swatch: (at) => segment(at, { x: at.x + swatchWidth, y: at.y }, referenceLook),
      }),
    ),
    ...(rings !== undefined && hasRing
      ? [{ label: rings, swatch: (at: Point) => bestMark({ x: at.x + swatchWidth / 2, y: at.y }, theme.ink) }]
      : []),
  ];
}

function check({ panels }: MeasurementsData): void {
  const all = panels.flatMap(({ series }) => series);
  if (!all.some(({ y }) => y.some(Number.isFinite))) {
    throw new SlalomError(
      "data",
      "measurementsFigure: received no measurement; expected at least one number.",
    );
  }
  for (const { label, x, y } of all) {
    if (x.length === y.length) continue;
    throw new SlalomError(
      "data",
      `measurementsFigure: series "${label}" has ${x.length} values of x and ${y.length} of y; expected equal lengths.`,
    );
  }
}
