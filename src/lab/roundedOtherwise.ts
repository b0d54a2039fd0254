/**
 * One rank that rounds otherwise: what it comes to beside the same rank as it is shows what rounding makes of a training.
 * Its sums are taken in another order, which rounds all that they add anew, long sums most; and it starts off by the last
 * digit, which shows what becomes of a difference that is there.
 */
import { allocate } from "../base/dtype.js";
import { foldIn, keyFromSeed, randomBits } from "../base/random.js";
import type { Backend } from "../compile/backend.js";
import { type Program, withOutputs } from "../compile/program.js";
import { sumsInHalves } from "../transform/index.js";
import type { TrainingState } from "./replay.js";
import { meanDistance } from "./stretches.js";

/** The backend with every sum of its programs in two halves. */
export const summingInHalves = (backend: Backend): Backend => ({
  ...backend,
  compile: (program) => backend.compile(inHalves(program)),
});

const inHalves = (program: Program): Program => ({
  ...program,
  entries: Object.fromEntries(
    Object.entries(program.entries).map(([name, entry]) => [name, withOutputs(entry, sumsInHalves)]),
  ),
});

/**
 * The state with these variables off by one unit in the last place, up or down by chance; numbers nearer to 0 than what a
 * stretch changes on average by a unit of that.
 * @param end what the stretch that starts there comes to
 * @param unit of the last place, relative to a number
 * @param seed another, other directions
 */
export function nudged(
  start: TrainingState,
  end: TrainingState,
  { variables, unit, seed }: { readonly variables: readonly string[]; unit: number; seed: number },
): TrainingState {
  const key = keyFromSeed(seed);
  const off = variables.map((name, number) => {
    const [values, own] = [start[name], foldIn(key, number)];
    const change = meanDistance(values, end[name]);
    const nudgedValues = allocate(values instanceof Float64Array ? "float64" : "float32", values.length);
    for (let i = 0; i < values.length; i++) {
      // One word of bits serves 32 numbers.
      const isUp = (randomBits(own, i >>> 5) >>> (i & 31)) & 1;
      nudgedValues[i] = values[i] + (isUp ? unit : -unit) * Math.max(Math.abs(values[i]), change);
    }
    return [name, nudgedValues] as const;
  });
  return { ...start, ...Object.fromEntries(off) };
}
