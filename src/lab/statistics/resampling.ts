/** Bootstrap resamples, deterministic: all of them where they are few, seeded random ones otherwise. */
import { keyFromSeed, randomBits } from "../../base/random.js";

export interface Resampling {
  /** How many random resamples; 10,000 by default. */
  readonly resamples?: number;
  /** Seed of the random resamples; 0 by default. */
  readonly resamplingSeed?: number;
}

/**
 * Calls `visit` with the indices of each resample of `count` things, with replacement; returns how many there
 * were. Where count^count does not exceed `resamples`, every resample comes once: no Monte Carlo error (five
 * seeds have 3,125). The array is reused between calls.
 */
export function eachResample(
  count: number,
  { resamples = 10_000, resamplingSeed = 0 }: Resampling,
  visit: (indices: Int32Array) => void,
): number {
  const indices = new Int32Array(count);
  const all = count ** count;
  if (all <= resamples) {
    for (let number = 0; number < all; number++) {
      for (let i = 0, rest = number; i < count; i++, rest = Math.floor(rest / count))
        indices[i] = rest % count;
      visit(indices);
    }
    return all;
  }
  const key = keyFromSeed(resamplingSeed);
  for (let resample = 0, counter = 0; resample < resamples; resample++) {
    for (let i = 0; i < count; i++) {
      indices[i] = Math.floor(((randomBits(key, counter++) >>> 0) / 2 ** 32) * count);
    }
    visit(indices);
  }
  return resamples;
}
