/** Plain pseudo-random numbers for tests, independent of what is under test. */

/** Natural numbers below 2^31 from a seed: Marsaglia's xorshift, after mixing the seed. */
export function integersFrom(seed: number): () => number {
  let state = Math.imul(seed ^ 0x5bd1e995, 0x9e3779b1) | 1;
  const next = (): number => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 1;
  };
  for (let i = 0; i < 4; i++) next();
  return next;
}

/** Numbers in (-1, 1) from a seed. */
export function unitsFrom(seed: number): () => number {
  const next = integersFrom(seed);
  return () => (next() + 0.5) / 2 ** 30 - 1;
}
