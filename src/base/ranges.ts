/** Lists of numbers to try, evenly spaced on a linear or on a logarithmic scale. */
import { SlalomError } from "./errors.js";

/**
 * `count` numbers from `from` to `to`, both included, in equal ratios: `logspace(1e-3, 1, 4)` is
 * 0.001, 0.01, 0.1, 1. Numbers between the ends are rounded to 12 digits, so that decades read as decades.
 * @param count an integer, at least 1; a single number is `from`
 * @throws SlalomError "option" if an end is not positive and finite
 */
export function logspace(from: number, to: number, count: number): number[] {
  checkCount("logspace", count);
  for (const end of [from, to]) {
    if (!(Number.isFinite(end) && end > 0)) {
      throw new SlalomError(
        "option",
        `logspace: the end ${end} has no logarithm; expected finite numbers above 0. Use linspace to include 0.`,
      );
    }
  }
  return spread(from, to, count, (share) => from * (to / from) ** share);
}

/**
 * `count` numbers from `from` to `to`, both included, in equal steps: `linspace(0, 1, 3)` is 0, 0.5, 1.
 * Numbers between the ends are rounded to 12 digits.
 * @param count an integer, at least 1; a single number is `from`
 * @throws SlalomError "option" if an end is not finite
 */
export function linspace(from: number, to: number, count: number): number[] {
  checkCount("linspace", count);
  for (const end of [from, to]) {
    if (!Number.isFinite(end)) {
      throw new SlalomError("option", `linspace: the end is ${end}; expected finite numbers.`);
    }
  }
  return spread(from, to, count, (share) => from + (to - from) * share);
}

function checkCount(name: string, count: number): void {
  if (!Number.isInteger(count) || count < 1) {
    throw new SlalomError("option", `${name}: ${count} numbers; expected an integer of at least 1.`);
  }
}

function spread(from: number, to: number, count: number, at: (share: number) => number): number[] {
  return Array.from({ length: count }, (_, i) => {
    if (i === 0) return from;
    return i === count - 1 ? to : Number(at(i / (count - 1)).toPrecision(12));
  });
}
