/** The axis of a heat map: cells around their values, with edges midway between neighbours. */
import { SlalomError } from "../base/errors.js";
import { formatNumber } from "./numbers.js";
import { makeScale, type Scale, type ScaleKind } from "./scale.js";
import { textWidth } from "./text.js";
import { theme } from "./theme.js";
import type { Tick, Ticks } from "./ticks.js";

export interface CellAxis {
  /** The two pixel edges of the cell at this value. */
  edges(value: number): readonly [number, number];
  /** Pixels of any value in axis units, also between and outside of the cells. */
  toPixel(value: number): number;
  /** The same as a scale, for drawing the axis. */
  readonly scale: Scale;
  readonly ticks: Ticks;
}

/** An axis over sorted distinct values. Throws a data error for a value that a log axis does not have. */
export function cellAxis(options: {
  readonly values: readonly number[];
  readonly range: readonly [number, number];
  readonly scale?: ScaleKind;
  readonly spacing?: "value" | "even";
}): CellAxis {
  const { values, range } = options;
  const kind = options.scale ?? "linear";
  const wrong = values.find((value) => !Number.isFinite(value) || (kind === "log" && value <= 0));
  if (wrong !== undefined) {
    throw new SlalomError(
      "data",
      `heatMapFigure: a cell lies at ${wrong}; expected finite values${kind === "log" ? " above 0 on a log axis" : ""}.`,
    );
  }
  const place = kind === "log" ? Math.log10 : (value: number) => value;
  const places = values.map(place);
  // In even spacing cell i reaches from i to i + 1, and values in between are interpolated.
  const bounds =
    options.spacing === "even" ? values.map((_, i) => i).concat(values.length) : midpoints(places);
  const first = bounds[0];
  const last = bounds[bounds.length - 1];
  const pixel = (position: number) =>
    range[0] + ((position - first) / (last - first)) * (range[1] - range[0]);
  const toPixel = (value: number) => {
    if (Number.isNaN(value)) return Number.NaN;
    if (kind === "log" && value <= 0) return pixel(first - 1e3);
    return pixel(options.spacing === "even" ? interpolate(places, place(value)) + 0.5 : place(value));
  };
  const center = (i: number) => (pixel(bounds[i]) + pixel(bounds[i + 1])) / 2;
  const named = thin(
    values.map((value) => ({ value, label: formatNumber(value) })),
    values.map((_, i) => center(i)),
    range,
  );
  // Where not every cell can be named, round values say more than every third cell.
  const isRound = named.length < values.length && options.spacing !== "even";
  const unplace = (position: number) => (kind === "log" ? 10 ** position : position);
  const round = makeScale({ kind, domain: [unplace(first), unplace(last)], range });
  return {
    edges(value) {
      const i = values.indexOf(value);
      return [pixel(bounds[i]), pixel(bounds[i + 1])];
    },
    toPixel,
    // An outermost cell reaches as far outward as inward, so that its value is in its middle; inner
    // cells of uneven steps are not centred, but the tick stands at the value.
    scale: { ...makeScale({ kind: "linear", domain: [0, 1], range }), toPixel: (value) => toPixel(value) },
    ticks: isRound ? round.ticks(range[1] > range[0] ? 56 : 30) : { major: named, minor: [] },
  };
}

function midpoints(places: readonly number[]): number[] {
  if (places.length === 1) return [places[0] - 0.5, places[0] + 0.5];
  const inner = places.slice(1).map((place, i) => (places[i] + place) / 2);
  const count = places.length;
  return [2 * places[0] - inner[0], ...inner, 2 * places[count - 1] - inner[count - 2]];
}

/** The (fractional) index at which `sorted` has the value, extended at the ends with the last step. */
function interpolate(sorted: readonly number[], value: number): number {
  if (sorted.length === 1) return value < sorted[0] ? -1e3 : value > sorted[0] ? 1e3 : 0;
  let i = 0;
  while (i < sorted.length - 2 && sorted[i + 1] < value) i++;
  return i + (value - sorted[i]) / (sorted[i + 1] - sorted[i]);
}

/** Every n-th tick, the smallest n at which the labels stand apart. */
function thin(ticks: readonly Tick[], centers: readonly number[], range: readonly [number, number]): Tick[] {
  const isHorizontal = range[1] > range[0];
  for (let every = 1; every < ticks.length; every++) {
    const kept = ticks.map((tick, i) => ({ tick, at: centers[i] })).filter((_, i) => i % every === 0);
    const isClear = kept.every(({ tick, at }, i) => {
      if (i === 0) return true;
      const before = kept[i - 1];
      const needed = isHorizontal
        ? (textWidth(tick.label) + textWidth(before.tick.label)) / 2 + 7
        : theme.fontSize.text + 2;
      return Math.abs(at - before.at) >= needed;
    });
    if (isClear) return kept.map(({ tick }) => tick);
  }
  return ticks.slice(0, 1);
}
