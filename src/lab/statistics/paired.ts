/** Is one optimizer better than another? Differences paired by seed, and a verdict that may be "undecided". */
import { keyFromSeed, randomBits } from "../../base/random.js";
import { studentTwoSided } from "./distributions.js";
import { checkLevel, type Interval, interval, mean, standardDeviation } from "./intervals.js";

/** The side of a metric that is better. */
export type Better = "lower" | "higher";

export type Verdict = "better" | "worse" | "the data do not decide";

/** One run's value; NaN or an infinity for a diverged run, which is worse than any number. */
export interface SeedValue {
  readonly seed: number;
  readonly value: number;
}

export interface ComparisonOptions {
  readonly better: Better;
  /** Confidence, 0.95 by default: a verdict needs p <= 1 - level. */
  readonly level?: number;
  /** "none" when the seed changes nothing (fixed start, full batch): then one run decides. */
  readonly randomness?: "seeds" | "none";
}

export interface PairedComparison {
  /** Of the first against the second. */
  readonly verdict: Verdict;
  /** First minus second in the metric's own unit; the whole line where no spread can be estimated. */
  readonly difference: Interval;
  /** Two-sided p-value behind the verdict. */
  readonly p: number;
  /** Of the exact sign-flip test alone. */
  readonly signFlipP: number;
  /** How many seeds both have. */
  readonly pairs: number;
  readonly method: "paired t" | "paired t and sign flips" | "sign test" | "deterministic" | "none";
  /** Why it was decided so, in a clause. */
  readonly reason: string;
}

/**
 * Compares two optimizers (or settings) by the values of the seeds that both have.
 *
 * The test, by number of pairs n:
 * - n = 1: nothing is decided, unless the values do not depend on the seed;
 * - a diverged run among them: the exact sign test, a diverged run being worse than any other;
 * - otherwise Student's paired t, and from the n at which the sign-flip test can reach the level at all
 *   (its smallest p is 2^(1-n): n = 6 at 95 %) the larger of both p-values, so that a verdict rests on the
 *   normal assumption only while nothing weaker can decide.
 * With two to five seeds the verdict therefore assumes nearly normal differences; its interval says how wide.
 * Sign flips: R. Fisher, "The Design of Experiments", 1935, section 21. Exact to 16 pairs, 10,000 seeded
 * flips beyond.
 */
export function comparePaired(
  first: readonly SeedValue[],
  second: readonly SeedValue[],
  options: ComparisonOptions,
): PairedComparison {
  const { better, level = 0.95, randomness = "seeds" } = options;
  checkLevel(level);
  const other = new Map(second.map(({ seed, value }) => [seed, value]));
  const pairs = first.flatMap(({ seed, value }): [number, number][] => {
    const partner = other.get(seed);
    return partner === undefined ? [] : [[value, partner]];
  });
  const n = pairs.length;
  const worst = better === "lower" ? Number.POSITIVE_INFINITY : Number.NEGATIVE_INFINITY;
  const orWorst = (value: number) => (Number.isFinite(value) ? value : worst);
  const differences = pairs.map(([a, b]) => (orWorst(a) === orWorst(b) ? 0 : orWorst(a) - orWorst(b)));
  const evidence = weigh(pairs, differences, level, randomness);
  return { ...evidence, pairs: n, verdict: verdictOf(evidence.p, evidence.side, better, level) };
}

/** A named group of values: an optimizer at its best setting, say. */
export interface Group {
  readonly name: string;
  readonly values: readonly SeedValue[];
}

export interface NamedComparison extends PairedComparison {
  readonly first: string;
  readonly second: string;
  /** p after Holm's correction over all pairs; the verdict uses it. */
  readonly adjustedP: number;
}

/** Every pair of groups, with Holm's correction over all of them. */
export function compareAll(groups: readonly Group[], options: ComparisonOptions): NamedComparison[] {
  const raw = groups.flatMap((first, i) =>
    groups.slice(i + 1).map((second) => ({
      first: first.name,
      second: second.name,
      ...comparePaired(first.values, second.values, options),
    })),
  );
  const adjusted = holm(raw.map(({ p }) => p));
  return raw.map((comparison, i) => ({
    ...comparison,
    adjustedP: adjusted[i],
    // Correction only raises p: a verdict may be withdrawn, never turned.
    verdict:
      adjusted[i] <= 1 - (options.level ?? 0.95) + slack ? comparison.verdict : "the data do not decide",
  }));
}

export interface Standing {
  readonly name: string;
  /** Mean over its seeds; infinite on the worse side when a seed diverged. */
  readonly mean: number;
  /** Absent when a seed diverged. */
  readonly interval?: Interval;
  /** This one (`first`) against the head of the list (`second`); absent for the head itself. */
  readonly versusFirst?: NamedComparison;
}

export interface Standings {
  /** Best mean first. */
  readonly standings: readonly Standing[];
  /** Those that the data do not tell from the first, it included: with one name, it is decided. */
  readonly leaders: readonly string[];
  readonly comparisons: readonly NamedComparison[];
}

/** The groups from best to worst, and which of them the data tell from the first (all pairs corrected). */
export function rank(groups: readonly Group[], options: ComparisonOptions): Standings {
  const { better, level } = options;
  const comparisons = compareAll(groups, options);
  const sign = better === "lower" ? 1 : -1;
  const sorted = groups
    .filter(({ values }) => values.length > 0)
    .map((group) => ({ group, mean: meanOrWorst(group.values, better) }))
    .sort((a, b) => (a.mean === b.mean ? 0 : sign * (a.mean - b.mean)));
  const leader = sorted[0]?.group.name;
  const standings = sorted.map(({ group, mean }): Standing => {
    const versusFirst = group.name === leader ? undefined : find(comparisons, leader, group.name);
    const values = group.values.map(({ value }) => value);
    return {
      name: group.name,
      mean,
      interval: Number.isFinite(mean) ? interval(values, { level }) : undefined,
      versusFirst,
    };
  });
  const leaders = standings.filter(
    ({ versusFirst }) => versusFirst === undefined || versusFirst.verdict === "the data do not decide",
  );
  return { standings, leaders: leaders.map(({ name }) => name), comparisons };
}

/**
 * P-values corrected for their number: the k-th smallest of m is multiplied by m - k + 1, then made monotone.
 * S. Holm, "A Simple Sequentially Rejective Multiple Test Procedure", 1979.
 */
export function holm(pValues: readonly number[]): number[] {
  const order = pValues.map((_, i) => i).sort((a, b) => pValues[a] - pValues[b]);
  const adjusted = new Array<number>(pValues.length);
  let largest = 0;
  for (const [k, i] of order.entries()) {
    largest = Math.max(largest, Math.min(1, (pValues.length - k) * pValues[i]));
    adjusted[i] = largest;
  }
  return adjusted;
}

/** 1 - 0.95 is not 0.05 in floating point. */
const slack = 1e-12;

type Evidence = Pick<PairedComparison, "difference" | "p" | "signFlipP" | "method" | "reason"> & {
  side: number;
};

function weigh(
  pairs: readonly [number, number][],
  differences: readonly number[],
  level: number,
  randomness: "seeds" | "none",
): Evidence {
  const n = pairs.length;
  if (n === 0) return undecided(Number.NaN, n, level, "no seed in common");
  const finite = differences.every(Number.isFinite);
  const sum = differences.reduce((total, difference) => total + difference, 0);
  const side = Math.sign(sum);
  const repeats = n >= 2 && [0, 1].every((k) => pairs.every((pair) => Object.is(pair[k], pairs[0][k])));
  if (randomness === "none" || repeats) {
    const estimate = differences[0];
    return {
      difference: { estimate, low: estimate, high: estimate, level, method: "none", n },
      p: estimate === 0 ? 1 : 0,
      signFlipP: 1,
      side: Math.sign(estimate),
      method: "deterministic",
      reason: "the seed changes nothing",
    };
  }
  if (n === 1) return undecided(sum, n, level, "one seed says nothing about the spread");
  if (!finite) {
    const p = signTest(differences);
    const positive = differences.filter((difference) => difference > 0).length;
    const negative = differences.filter((difference) => difference < 0).length;
    const reason = "runs diverged; the sign test counts each as worse than any other";
    return {
      ...undecided(Number.NaN, n, level, reason),
      p,
      method: "sign test",
      side: Math.sign(positive - negative),
    };
  }
  const difference = interval(differences, { level });
  const signFlipP = signFlips(differences);
  const tP = tTest(differences);
  const canReach = 2 ** (1 - n) <= 1 - level + slack;
  return {
    difference,
    p: canReach ? Math.max(tP, signFlipP) : tP,
    signFlipP,
    side,
    method: canReach ? "paired t and sign flips" : "paired t",
    reason: canReach
      ? `${n} paired seeds`
      : `${n} paired seeds: the verdict assumes nearly normal differences, no exact test reaches ${+(100 * level).toFixed(2)} %`,
  };
}

const undecided = (estimate: number, n: number, level: number, reason: string): Evidence => ({
  difference: {
    estimate,
    low: Number.NEGATIVE_INFINITY,
    high: Number.POSITIVE_INFINITY,
    level,
    method: "none",
    n,
  },
  p: 1,
  signFlipP: 1,
  side: 0,
  method: "none",
  reason,
});

function verdictOf(p: number, side: number, better: Better, level: number): Verdict {
  if (p > 1 - level + slack || side === 0) return "the data do not decide";
  return side < 0 === (better === "lower") ? "better" : "worse";
}

/** Two-sided p of Student's paired t. */
function tTest(differences: readonly number[]): number {
  const centre = mean(differences);
  if (centre === 0) return 1;
  const error = standardDeviation(differences) / Math.sqrt(differences.length);
  return studentTwoSided(centre / error, differences.length - 1);
}

/** Two-sided sign-flip p: the share of sign patterns whose |sum| is at least the one seen. */
function signFlips(differences: readonly number[]): number {
  const n = differences.length;
  const total = differences.reduce((sum, difference) => sum + difference, 0);
  const size = differences.reduce((sum, difference) => sum + Math.abs(difference), 0);
  const seen = Math.abs(total) - 1e-12 * size; // equal sums in another order count as equal
  const extreme = (isFlipped: (i: number) => boolean): boolean =>
    Math.abs(
      differences.reduce((sum, difference, i) => sum + (isFlipped(i) ? -difference : difference), 0),
    ) >= seen;
  let count = 0;
  if (n <= 16) {
    for (let pattern = 0; pattern < 2 ** n; pattern++)
      if (extreme((i) => ((pattern >> i) & 1) === 1)) count++;
    return count / 2 ** n;
  }
  const key = keyFromSeed(0);
  const flips = 10_000;
  for (let flip = 0; flip < flips; flip++) if (extreme((i) => randomBits(key, flip * n + i) < 0)) count++;
  return (1 + count) / (1 + flips); // the identity is one of the patterns
}

/** Exact two-sided sign test; ties are left out. */
function signTest(differences: readonly number[]): number {
  const positive = differences.filter((difference) => difference > 0).length;
  const n = differences.filter((difference) => difference !== 0).length;
  if (n === 0) return 1;
  const rarer = Math.min(positive, n - positive);
  let term = 0.5 ** n;
  let tail = term;
  for (let k = 0; k < rarer; k++) {
    term *= (n - k) / (k + 1);
    tail += term;
  }
  return Math.min(1, 2 * tail);
}

function meanOrWorst(values: readonly SeedValue[], better: Better): number {
  const centre = mean(values.map(({ value }) => value));
  if (Number.isFinite(centre)) return centre;
  return better === "lower" ? Number.POSITIVE_INFINITY : Number.NEGATIVE_INFINITY;
}

/** The comparison of `name` against `leader`, turned where it was made the other way round. */
function find(
  comparisons: readonly NamedComparison[],
  leader: string,
  name: string,
): NamedComparison | undefined {
  const direct = comparisons.find(({ first, second }) => first === name && second === leader);
  if (direct) return direct;
  const reverse = comparisons.find(({ first, second }) => first === leader && second === name);
  return reverse && reversed(reverse);
}

function reversed(comparison: NamedComparison): NamedComparison {
  const { difference } = comparison;
  const turn = {
    better: "worse",
    worse: "better",
    "the data do not decide": "the data do not decide",
  } as const;
  return {
    ...comparison,
    first: comparison.second,
    second: comparison.first,
    verdict: turn[comparison.verdict],
    difference: {
      ...difference,
      estimate: -difference.estimate,
      low: -difference.high,
      high: -difference.low,
    },
  };
}
