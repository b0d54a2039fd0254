/**
 * A small seeded generator for synthetic data and shuffles: sfc32, 128 bits of state, passes PractRand.
 * Doty-Humphrey, PractRand 0.94 (2018). Training has its own keys; this one only makes data.
 */
import { SlalomError } from "../../base/errors.js";

export interface DataRandom {
  /** Uniform in [0, 1). */
  uniform(): number;
  /** Normal, mean 0, standard deviation 1 (Box and Muller 1958). */
  normal(): number;
  /** A permutation of 0 to count - 1 (Fisher and Yates). */
  permutation(count: number): Int32Array;
}

/** The generator for a seed, an integer from 0 to 2^32 - 1; equal seeds give equal numbers. */
export function dataRandom(seed: number): DataRandom {
  if (!Number.isInteger(seed) || seed < 0 || seed > 0xffffffff) {
    throw new SlalomError("option", `data: received seed ${seed}; expected an integer from 0 to 4294967295.`);
  }
  let a = 0;
  let b = seed | 0;
  let c = 0;
  let counter = 1;
  const next = (): number => {
    const result = (a + b + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (((c << 21) | (c >>> 11)) + result) | 0;
    return result >>> 0;
  };
  for (let round = 0; round < 12; round++) next(); // its author's warm-up: near seeds part
  const uniform = (): number => next() / 2 ** 32;
  return {
    uniform,
    normal: () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform()),
    permutation(count) {
      const order = Int32Array.from({ length: count }, (_, i) => i);
      for (let i = count - 1; i > 0; i--) {
        const j = Math.floor(uniform() * (i + 1));
        [order[i], order[j]] = [order[j], order[i]];
      }
      return order;
    },
  };
}
