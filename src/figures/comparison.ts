/** Comparison: each optimizer at its best setting, a dot with its interval, sorted, in one or more columns. */
import { SlalomError } from "../base/errors.js";
import { axisSpace, drawGrid, drawXAxis, xTicks } from "./axes.js";
import { type ColourRule, type SeriesStyle, seriesStyles } from "./colour.js";
import { type FigureText, figure } from "./figure.js";
import { divergedMark, marker } from "./marks.js";
import { formatNumber } from "./numbers.js";
import { clipPolyline } from "./polyline.js";
import { type AxisSpec, dataDomain, makeScale, type Scale } from "./scale.js";
import { group, type Rect, rectangle, segment } from "./svg.js";
import { drawText, fitText, textWidth, wrapText } from "./text.js";
import { theme } from "./theme.js";

export interface ComparisonValue {
  /** Missing: nothing to draw; `note` says why ("not reached"). */
  readonly value?: number;
  readonly lower?: number;
  readonly upper?: number;
  readonly outcome?: "finished" | "diverged";
  readonly note?: string;
}

export interface ComparisonRow {
  readonly label: string;
  /** Its setting in words: "lr 0.1, momentum 0.9". */
  readonly setting?: string;
  /** One value for each column. */
  readonly values: readonly ComparisonValue[];
  readonly category?: string;
}

export interface ComparisonColumn extends AxisSpec {
  /** Default "lower". */
  readonly better?: "lower" | "higher";
  /** Default formatNumber with four digits. */
  readonly format?: (value: number) => string;
}

export interface ComparisonData extends FigureText {
  readonly rows: readonly ComparisonRow[];
  /** Rows are sorted by the first column, the best on top. */
  readonly columns: readonly ComparisonColumn[];
  readonly colours?: ColourRule;
}

/** The figure as an SVG document. Throws a data error when a row has not one value for each column. */
export function comparisonFigure(data: ComparisonData): string {
  check(data);
  const isTall = isNarrow(data) || data.rows.some((row) => row.setting !== undefined);
  const rowPx = isTall ? 36 : 25;
  return figure(data, data.bodyHeight ?? data.rows.length * rowPx + 36 + axisSpace.tickLabels, (area) =>
    drawBody(data, area),
  );
}

function drawBody(data: ComparisonData, area: Rect): string[] {
  const styles = seriesStyles(data.rows, data.colours ?? { by: "category" });
  const styleOf = new Map(data.rows.map((row, i) => [row, styles[i]]));
  const rows = sortRows(data);
  const size = theme.fontSize.small;
  const names = Math.max(
    ...rows.map((row) =>
      Math.max(textWidth(row.label, { weight: "bold" }), textWidth(row.setting ?? "", { size })),
    ),
  );
  const left = Math.min(Math.ceil(names) + 16, area.width * (isNarrow(data) ? 0.41 : 0.36));
  const gap = 20;
  const columnWidth = (area.width - left - gap * (data.columns.length - 1)) / data.columns.length;
  const headings = data.columns.map((column) => wrapText(column.label ?? "", columnWidth));
  const head = 7 + 15 * Math.max(...headings.map((lines) => lines.length));
  const top = area.y + head;
  const height = area.height - head - axisSpace.tickLabels;
  const rowPx = height / rows.length;
  const parts: string[] = [];
  rows.forEach((row, i) => {
    const y = top + (i + 0.5) * rowPx;
    if (i % 2 === 0)
      parts.push(
        rectangle({ x: area.x, y: top + i * rowPx, width: area.width, height: rowPx }, { fill: "#f6f7f9" }),
      );
    const hasSetting = row.setting !== undefined;
    const label = fitText(row.label, left - 12, { weight: "bold" });
    parts.push(
      drawText(label, { x: area.x + 4, y: hasSetting ? y - 7 : y }, { align: "middle", weight: "bold" }),
    );
    if (hasSetting) {
      parts.push(
        drawText(
          fitText(row.setting!, left - 12, { size }),
          { x: area.x + 4, y: y + 8 },
          { align: "middle", size, fill: theme.mutedInk },
        ),
      );
    }
  });
  data.columns.forEach((column, c) => {
    const x = area.x + left + c * (columnWidth + gap);
    parts.push(
      drawColumn({
        column,
        index: c,
        rows,
        styleOf,
        area: { x, y: top, width: columnWidth, height },
        texts: isNarrow(data) ? "above" : "beside",
      }),
      ...headings[c].map((line, i) =>
        drawText(line, { x, y: top - 7 - 15 * (headings[c].length - 1 - i) }, { fill: theme.mutedInk }),
      ),
    );
  });
  return parts;
}

function drawColumn(options: {
  readonly column: ComparisonColumn;
  readonly index: number;
  readonly rows: readonly ComparisonRow[];
  readonly styleOf: ReadonlyMap<ComparisonRow, SeriesStyle>;
  readonly area: Rect;
  /** The values in figures stand right of the plot, or above each dot's line where there is no room. */
  readonly texts: "above" | "beside";
}): string {
  const { column, index, rows, area } = options;
  const size = theme.fontSize.small;
  const values = rows.map((row) => row.values[index]);
  const format = column.format ?? ((value: number) => formatNumber(value, { digits: 4 }));
  const texts = values.map(
    (value) =>
      value.note ??
      (isFinished(value) ? format(value.value!) : value.outcome === "diverged" ? "diverged" : "no value"),
  );
  const textSpace = Math.ceil(Math.max(...texts.map((text) => textWidth(text, { size })))) + 10;
  const isBeside = options.texts === "beside";
  const frame: Rect = { ...area, width: area.width - (isBeside ? textSpace + 6 : 4) };
  const kind = column.scale ?? "linear";
  const domain =
    column.domain ??
    dataDomain(
      values
        .filter(isFinished)
        .flatMap((one) => [one.value!, one.lower ?? one.value!, one.upper ?? one.value!]),
      kind,
      [0.07, 0.07],
    );
  const scale = makeScale({ kind, domain, range: [frame.x, frame.x + frame.width] });
  const ticks = xTicks(scale);
  const rowPx = area.height / rows.length;
  const parts = [
    drawGrid(frame, { scale, ticks }, { scale, ticks: { major: [], minor: [] } }),
    drawXAxis(frame, scale, ticks, { within: { ...area, x: area.x - 10 } }),
  ];
  rows.forEach((row, i) => {
    const y = area.y + (i + 0.5) * rowPx;
    parts.push(
      drawValue(values[i], options.styleOf.get(row)!, {
        frame,
        scale,
        y: isBeside ? y : y + 8,
        badEnd: column.better === "higher" ? frame.x + 6 : frame.x + frame.width - 6,
      }),
    );
    const isPlain = isFinished(values[i]);
    parts.push(
      drawText(
        texts[i],
        { x: area.x + area.width - 4, y: isBeside ? y : y - 8 },
        { anchor: "end", align: "middle", size, fill: isPlain ? theme.ink : theme.mutedInk },
      ),
    );
  });
  return group({ class: "column" }, parts);
}

function drawValue(
  value: ComparisonValue,
  style: SeriesStyle,
  place: { frame: Rect; scale: Scale; y: number; badEnd: number },
): string {
  const { frame, scale, y } = place;
  if (!isFinished(value))
    return value.outcome === "diverged" ? divergedMark({ x: place.badEnd, y }, style.colour) : "";
  const parts: string[] = [];
  if (value.lower !== undefined && value.upper !== undefined) {
    const ends = [value.lower, value.upper].map((end) => ({ x: scale.toPixel(end), y }));
    for (const [from, to] of clipPolyline(ends, frame)) {
      parts.push(segment(from, to, { class: "interval", stroke: style.colour, "stroke-width": 2 }));
      for (const end of [from, to])
        parts.push(
          segment(
            { x: end.x, y: y - 5 },
            { x: end.x, y: y + 5 },
            { stroke: style.colour, "stroke-width": 2 },
          ),
        );
    }
  }
  const x = scale.toPixel(value.value!);
  if (x >= frame.x && x <= frame.x + frame.width) parts.push(marker({ x, y }, style, 44));
  return parts.join("\n");
}

/** Whether values beside the plots would leave these no room. */
function isNarrow(data: ComparisonData): boolean {
  return (data.width ?? theme.defaultWidth) / data.columns.length < 260;
}

/** Best first; what has no value comes last, in the given order. */
function sortRows(data: ComparisonData): ComparisonRow[] {
  const sign = (data.columns[0].better ?? "lower") === "lower" ? 1 : -1;
  const rank = (row: ComparisonRow) =>
    isFinished(row.values[0]) ? sign * row.values[0].value! : Number.POSITIVE_INFINITY;
  return [...data.rows].sort((a, b) => (rank(a) < rank(b) ? -1 : rank(a) > rank(b) ? 1 : 0));
}

function isFinished(value: ComparisonValue): boolean {
  return value.outcome !== "diverged" && value.value !== undefined && Number.isFinite(value.value);
}

function check(data: ComparisonData): void {
  if (data.rows.length === 0 || data.columns.length === 0) {
    throw new SlalomError(
      "data",
      `comparisonFigure: received ${data.rows.length} rows and ${data.columns.length} columns; expected at least one of each.`,
    );
  }
  for (const row of data.rows) {
    if (row.values.length === data.columns.length) continue;
    throw new SlalomError(
      "data",
      `comparisonFigure: row "${row.label}" has ${row.values.length} values; expected ${data.columns.length}, one for each column.`,
    );
  }
}
