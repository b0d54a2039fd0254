/** From data to pixels on a linear or logarithmic axis. */
import { scaleLinear, scaleLog } from "d3-scale";
import { SlalomError } from "../base/errors.js";
import { linearTicks, logTicks, type Ticks } from "./ticks.js";

export type ScaleKind = "linear" | "log";

/** An axis as the caller describes it. */
export interface AxisSpec {
  readonly label?: string;
  /** Default linear. */
  readonly scale?: ScaleKind;
  /** The ends in data units; by default the finite data with a little air. */
  readonly domain?: readonly [number, number];
}

export interface Scale {
  readonly kind: ScaleKind;
  readonly domain: readonly [number, number];
  readonly range: readonly [number, number];
  /** Pixels; infinite values (and values ≤ 0 on a log axis) lie far outside, NaN stays NaN. */
  toPixel(value: number): number;
  /** Ticks with labels at least `gapPx` apart. */
  ticks(gapPx: number): Ticks;
}

/** Far outside every figure, near enough that clipping still computes exactly. */
const farPx = 1e6;

/** A scale from `domain` to `range` (pixels, either direction). Throws for a log domain that is not positive. */
export function makeScale(options: {
  readonly kind: ScaleKind;
  readonly domain: readonly [number, number];
  readonly range: readonly [number, number];
}): Scale {
  const { kind, domain, range } = options;
  const [low, high] = domain;
  if (!(Number.isFinite(low) && Number.isFinite(high) && low < high && (kind === "linear" || low > 0))) {
    throw new SlalomError(
      "option",
      `figure: axis domain [${low}, ${high}] does not fit a ${kind} axis; expected two finite numbers, the smaller first${kind === "log" ? ", both above 0" : ""}.`,
    );
  }
  const map = (kind === "log" ? scaleLog() : scaleLinear()).domain([low, high]).range([range[0], range[1]]);
  const upwards = Math.sign(range[1] - range[0]);
  const lengthPx = Math.abs(range[1] - range[0]);
  return {
    kind,
    domain,
    range,
    toPixel(value) {
      if (Number.isNaN(value)) return Number.NaN;
      if (kind === "log" && value <= 0) return range[0] - upwards * farPx;
      if (!Number.isFinite(value)) return value > 0 ? range[1] + upwards * farPx : range[0] - upwards * farPx;
      return Math.min(farPx, Math.max(-farPx, map(value)));
    },
    // d3 takes the count of linear ticks as a wish and may give 1.4 times as many.
    ticks: (gapPx) =>
      kind === "log"
        ? logTicks(domain, lengthPx, gapPx)
        : linearTicks(domain, Math.floor(lengthPx / (1.35 * gapPx))),
  };
}

/**
 * The domain of the finite values (positive ones on a log axis) with `air` on either side as a share
 * of its length. Without any such value: [0, 1], or [0.1, 1] on a log axis.
 */
export function dataDomain(
  values: Iterable<number>,
  kind: ScaleKind,
  air: readonly [number, number] = [0.03, 0.03],
): [number, number] {
  let low = Number.POSITIVE_INFINITY;
  let high = Number.NEGATIVE_INFINITY;
  for (const value of values) {
    if (!Number.isFinite(value) || (kind === "log" && value <= 0)) continue;
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  if (low > high) return kind === "log" ? [0.1, 1] : [0, 1];
  return widen([low, high], kind, air);
}

/** The domain, longer by these shares of its length; one of no length is opened around its value. */
export function widen(
  domain: readonly [number, number],
  kind: ScaleKind,
  air: readonly [number, number],
): [number, number] {
  let [low, high] = domain;
  if (kind === "log") {
    if (low === high) return [Math.max(low / 3, Number.MIN_VALUE), Math.min(high * 3, Number.MAX_VALUE)];
    const decades = Math.log10(high) - Math.log10(low);
    return [
      Math.max(Number.MIN_VALUE, 10 ** (Math.log10(low) - air[0] * decades)),
      Math.min(Number.MAX_VALUE, 10 ** (Math.log10(high) + air[1] * decades)),
    ];
  }
  if (low === high) {
    const half = low === 0 ? 1 : Math.abs(low) / 2;
    [low, high] = [low - half, high + half];
  }
  const length = high - low;
  return [low - air[0] * length, high + air[1] * length];
}
