/**
 * A training in stretches, and how far another one that starts each of them from the same state is from it at its end. So
 * what differs has the steps of a stretch to grow, and not those of the training, which makes of any difference a large one.
 */
import { setImmediate } from "node:timers/promises";
import type { TypedArray } from "../base/dtype.js";
import { lifeOf } from "../train/names.js";
import type { Replay, TrainingState } from "./replay.js";

export interface Stretches {
  /** Steps of each. */
  readonly lengths: readonly number[];
  /** Where each begins, and where the last one ends. */
  readonly states: readonly TrainingState[];
  /** Of the steps of each. */
  readonly losses: readonly (readonly number[])[];
}

/**
 * By variable, and "loss": for each stretch the mean difference over the mean of what is compared. Of a loss that is its
 * value, of a variable what the stretch changed; infinite where one is no number.
 */
export type Differences = ReadonlyMap<string, readonly number[]>;

/** Not the name of a variable. */
export const lossName = "loss";

/** Steps in at most `most` stretches of equal length; the last may be shorter. */
export function lengthsOf(steps: number, most: number): number[] {
  const length = Math.ceil(steps / most);
  const count = Math.ceil(steps / length);
  return Array.from({ length: count }, (_, i) => Math.min(length, steps - i * length));
}

/** Trains on from where the replay stands. */
export async function inStretches(replay: Replay, lengths: readonly number[]): Promise<Stretches> {
  const states = [replay.state()];
  const losses: number[][] = [];
  for (const length of lengths) {
    losses.push(replay.advance(length));
    states.push(replay.state());
    // The thread answers signals between stretches.
    await setImmediate();
  }
  return { lengths, states, losses };
}

/**
 * @param startOf the state from which the replay makes a stretch; default: that of the other training
 */
export async function differencesFrom(
  { lengths, states, losses }: Stretches,
  replay: Replay,
  startOf: (stretch: number) => TrainingState = (stretch) => states[stretch],
): Promise<Differences> {
  const variables = Object.keys(states[0]).filter((name) => lifeOf(name) === "lane");
  const found = new Map<string, number[]>([lossName, ...variables].map((name) => [name, []]));
  for (const [stretch, length] of lengths.entries()) {
    const start = startOf(stretch);
    replay.resume(start);
    found.get(lossName)!.push(relative(losses[stretch], replay.advance(length)));
    const end = replay.state();
    const [from, to] = [states[stretch], states[stretch + 1]];
    for (const name of variables) {
      const [change, other] = [changes(from[name], to[name]), changes(start[name], end[name])];
      found.get(name)!.push(relative(change, other));
    }
    await setImmediate();
  }
  return found;
}

/** The mean absolute difference of two elements. */
export function meanDistance(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += Math.abs(a[i] - b[i]);
  return sum / a.length;
}

function changes(from: TypedArray, to: TypedArray): Float64Array {
  const change = new Float64Array(from.length);
  for (let i = 0; i < change.length; i++) change[i] = to[i] - from[i];
  return change;
}

/** The mean absolute difference of `b` from `a` over the mean absolute element of `a`. */
function relative(a: ArrayLike<number>, b: ArrayLike<number>): number {
  const distance = meanDistance(a, b);
  if (Number.isNaN(distance)) return Number.POSITIVE_INFINITY;
  return distance === 0 ? 0 : distance / meanDistance(a, new Float64Array(a.length));
}
