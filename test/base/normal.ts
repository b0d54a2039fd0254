/** The normal distribution in float64, by the textbook series: the oracle for random deviates. */

/** erfc(x): the Taylor series of erf near 0, the continued fraction beyond. */
function erfcOf(x: number): number {
  if (x < 0) return 2 - erfcOf(-x);
  if (x < 2.5) {
    let term = x;
    let total = x;
    for (let n = 1; Math.abs(term) > 1e-18 * Math.abs(total); n++) {
      term *= (-x * x) / n;
      total += term / (2 * n + 1);
      if (n > 200) break;
    }
    return 1 - (2 / Math.sqrt(Math.PI)) * total;
  }
  let fraction = 0;
  for (let n = 80; n > 0; n--) fraction = n / 2 / (x + fraction);
  return Math.exp(-x * x) / Math.sqrt(Math.PI) / (x + fraction);
}

/** P(Z <= z). */
export const normalCdf = (z: number): number => erfcOf(-z / Math.SQRT2) / 2;

/** The z of P(-z < Z < z) = `share`, for 0 < share < 1: bisection on the tail. */
export function centralQuantile(share: number): number {
  // Both sides without cancellation: 1 - share is exact for the shares that 24 bits hold.
  const tail = (1 - share) / 2;
  let low = 0;
  let high = 10;
  for (let i = 0; i < 60; i++) {
    const middle = (low + high) / 2;
    if (normalCdf(-middle) > tail) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}

/** Kolmogorov's statistic sqrt(n) D of a sample against a distribution; 1.95 is exceeded once in 1000. */
export function kolmogorovSmirnov(sample: readonly number[], cdf: (x: number) => number): number {
  const sorted = [...sample].sort((a, b) => a - b);
  const n = sorted.length;
  const distance = sorted.reduce((most, x, i) => Math.max(most, (i + 1) / n - cdf(x), cdf(x) - i / n), 0);
  return Math.sqrt(n) * distance;
}

/** (chi-square - degrees of freedom) / its standard deviation, for cells that should be equally likely. */
export function chiSquareDeviation(counts: ArrayLike<number>): number {
  const cells = Array.from(counts);
  const expected = cells.reduce((total, count) => total + count, 0) / cells.length;
  const chiSquare = cells.reduce((total, count) => total + (count - expected) ** 2 / expected, 0);
  return (chiSquare - (cells.length - 1)) / Math.sqrt(2 * (cells.length - 1));
}
