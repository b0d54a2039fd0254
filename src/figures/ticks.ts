/** Which values an axis names, with which text: powers of ten or 1-2-5 on log axes, round steps on linear ones. */
import { scaleLinear } from "d3-scale";
import { formatFixed, formatNumber, powerOfTen } from "./numbers.js";

export interface Tick {
  readonly value: number;
  readonly label: string;
}

export interface Ticks {
  readonly major: readonly Tick[];
  readonly minor: readonly number[];
}

/** Round steps, about `count` of them, with equal decimals. */
export function linearTicks(domain: readonly [number, number], count: number): Ticks {
  const values = scaleLinear().domain(domain).ticks(Math.max(2, count));
  return { major: labelled(values), minor: [] };
}

/**
 * Powers of ten, thinned so that labels stand at least `gapPx` apart on an axis of `lengthPx`; where
 * fewer than three powers lie in the domain 2 and 5 are named too, and below a decade the steps are linear.
 */
export function logTicks(domain: readonly [number, number], lengthPx: number, gapPx: number): Ticks {
  const [low, high] = domain;
  const decades = Math.log10(high) - Math.log10(low);
  const powers = exponents(low, high);
  const decadePx = lengthPx / decades;
  if (powers.length >= 3 || (powers.length === 2 && decadePx < 3.4 * gapPx))
    return powerTicks(domain, powers, decadePx, gapPx);
  const between = multiples(low, high, [1, 2, 5]);
  if (between.length >= 3 && decadePx >= 2.2 * gapPx) {
    return { major: withStyle(between), minor: multiples(low, high, [3, 4, 6, 7, 8, 9]) };
  }
  if (powers.length === 2) return powerTicks(domain, powers, decadePx, gapPx);
  const linear = linearTicks(domain, Math.min(5, Math.floor(lengthPx / gapPx)));
  return { major: linear.major.filter((tick) => tick.value > 0), minor: [] };
}

/** The integers k with low ≤ 10ᵏ ≤ high, with a hair of slack for rounded domains. */
export function exponents(low: number, high: number): number[] {
  const first = Math.ceil(Math.log10(low) - 1e-9);
  const last = Math.floor(Math.log10(high) + 1e-9);
  return Array.from({ length: Math.max(0, last - first + 1) }, (_, i) => first + i);
}

function powerTicks(
  domain: readonly [number, number],
  powers: readonly number[],
  decadePx: number,
  gapPx: number,
): Ticks {
  const stride = [1, 2, 3, 5, 10, 15, 20, 25, 30, 50, 100].find((step) => step * decadePx >= gapPx) ?? 200;
  const named = powers.filter((exponent) => exponent % stride === 0);
  const isSmall = powers.every((exponent) => Math.abs(exponent) <= 4);
  const major = named.map((exponent) => {
    const value = 10 ** exponent;
    return { value, label: isSmall ? formatNumber(value) : powerOfTen(exponent) };
  });
  const others = powers.filter((exponent) => exponent % stride !== 0).map((exponent) => 10 ** exponent);
  if (stride > 1) return { major, minor: decadePx >= 4 ? others : [] };
  return { major, minor: decadePx >= 24 ? multiples(domain[0], domain[1], [2, 3, 4, 5, 6, 7, 8, 9]) : [] };
}

function multiples(low: number, high: number, factors: readonly number[]): number[] {
  const first = Math.floor(Math.log10(low)) - 1;
  const last = Math.ceil(Math.log10(high)) + 1;
  const values: number[] = [];
  for (let exponent = first; exponent <= last; exponent++) {
    // Parsed, not multiplied: 3 * 0.1 is not 0.3.
    for (const factor of factors) values.push(Number(`${factor}e${exponent}`));
  }
  return values
    .filter((value) => value >= low * (1 - 1e-9) && value <= high * (1 + 1e-9))
    .sort((a, b) => a - b);
}

function withStyle(values: readonly number[]): Tick[] {
  return values.map((value) => ({ value, label: formatNumber(value) }));
}

function labelled(values: readonly number[]): Tick[] {
  if (values.length < 2) return withStyle(values);
  const step = Math.abs(values[1] - values[0]);
  const largest = Math.max(...values.map(Math.abs));
  if (step < 1e-4 || largest >= 1e6)
    return values.map((value) => ({ value, label: formatNumber(value, { digits: 4 }) }));
  const decimals = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
  return values.map((value) => ({ value, label: formatFixed(value, decimals) }));
}
