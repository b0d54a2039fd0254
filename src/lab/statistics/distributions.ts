/**
 * The normal and Student's t distribution, to about 1e-13. Textbook forms: erf by its series and erfc by its
 * continued fraction (Abramowitz, Stegun 7.1.6, 7.1.14), t by the incomplete beta function (26.5.8, 26.7.1).
 */

/** P(Z <= z) for a standard normal Z. */
export function normalCdf(z: number): number {
  const x = Math.abs(z) / Math.SQRT2;
  const upperTail = x < 2.5 ? 0.5 * (1 - erfSeries(x)) : 0.5 * erfcFraction(x);
  return z > 0 ? 1 - upperTail : upperTail;
}

/** The z with P(Z <= z) = p. `p` in (0, 1); infinite at 0 and 1. */
export function normalQuantile(p: number): number {
  if (p <= 0) return Number.NEGATIVE_INFINITY;
  if (p >= 1) return Number.POSITIVE_INFINITY;
  return invert(normalCdf, p, 40);
}

/** P(T <= t) for Student's t with `freedom` degrees of freedom (> 0). */
export function studentCdf(t: number, freedom: number): number {
  if (!Number.isFinite(t)) return t > 0 ? 1 : 0;
  const tail = 0.5 * incompleteBeta(freedom / (freedom + t * t), freedom / 2, 0.5);
  return t > 0 ? 1 - tail : tail;
}

/** P(|T| >= |t|): the two-sided p-value, without the cancellation of 1 - cdf. */
export const studentTwoSided = (t: number, freedom: number): number =>
  Number.isFinite(t) ? incompleteBeta(freedom / (freedom + t * t), freedom / 2, 0.5) : 0;

/** The t with P(T <= t) = p. */
export function studentQuantile(p: number, freedom: number): number {
  if (p === 0.5) return 0;
  if (p > 0.5) return -studentQuantile(1 - p, freedom);
  return invert((t) => studentCdf(t, freedom), p, 1e9);
}

/** The argument in [-reach, reach] at which an increasing function is `p`: bisection, to the last bit. */
function invert(cdf: (x: number) => number, p: number, reach: number): number {
  let low = -reach;
  let high = reach;
  for (;;) {
    const middle = 0.5 * (low + high);
    if (middle === low || middle === high) return middle;
    if (cdf(middle) < p) low = middle;
    else high = middle;
    if (high - low < 1e-15 * Math.abs(middle)) return middle;
  }
}

/** erf(x) = 2/sqrt(pi) exp(-x^2) sum 2^n x^(2n+1) / (1 3 5 ... (2n+1)); all terms positive. */
function erfSeries(x: number): number {
  let term = x;
  let sum = x;
  for (let n = 1; term > 1e-17 * sum; n++) {
    term *= (2 * x * x) / (2 * n + 1);
    sum += term;
  }
  return (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * sum;
}

/** erfc(x) for x >= 2.5, the continued fraction x + (1/2)/(x + 1/(x + (3/2)/(x + ...))) from its far end. */
function erfcFraction(x: number): number {
  let fraction = x;
  for (let n = 80; n >= 1; n--) fraction = x + n / 2 / fraction;
  return Math.exp(-x * x) / (Math.sqrt(Math.PI) * fraction);
}

/** The regularised incomplete beta function I_x(a, b). */
function incompleteBeta(x: number, a: number, b: number): number {
  if (x <= 0) return 0;
  if (x >= 1) return 1;
  // The continued fraction converges fast below the mean; above it the symmetry is used.
  if (x > (a + 1) / (a + b + 2)) return 1 - incompleteBeta(1 - x, b, a);
  const front = Math.exp(a * Math.log(x) + b * Math.log1p(-x) + logGamma(a + b) - logGamma(a) - logGamma(b));
  let fraction = 1;
  for (let m = 200; m >= 1; m--) {
    const odd = (-(a + m - 1) * (a + b + m - 1) * x) / ((a + 2 * m - 2) * (a + 2 * m - 1));
    const even = (m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m));
    fraction = 1 + odd / (1 + even / fraction);
  }
  return front / (a * fraction);
}

/** ln Gamma(x), x > 0: Stirling's series after raising x above 10. */
function logGamma(x: number): number {
  let shift = 0;
  let y = x;
  while (y < 10) {
    shift += Math.log(y);
    y += 1;
  }
  const r = 1 / (y * y);
  const series =
    (1 / 12 - r * (1 / 360 - r * (1 / 1260 - r * (1 / 1680 - r * (1 / 1188 - (r * 691) / 360360))))) / y;
  return (y - 0.5) * Math.log(y) - y + 0.5 * Math.log(2 * Math.PI) + series - shift;
}
