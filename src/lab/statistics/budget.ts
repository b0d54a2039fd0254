/** Was the comparison fair? Tuning budgets side by side, and the result expected at the smallest of them. */
import type { Better } from "./paired.js";

/** What tuning one optimizer cost. `scores`: the selection metric's mean of each setting tried. */
export interface TuningBudget {
  readonly name: string;
  /** One a setting; not finite where a seed diverged. */
  readonly scores: readonly number[];
  readonly runs: number;
  readonly steps: number;
}

export interface BudgetComparison {
  /** Every optimizer was tuned with the same number of settings. */
  readonly equal: boolean;
  /** The fewest settings that an optimizer had. */
  readonly smallest: number;
  readonly optimizers: readonly {
    readonly name: string;
    readonly settings: number;
    readonly runs: number;
    readonly steps: number;
    /** Expected best score had only `smallest` of its settings been tried. */
    readonly bestAtEqual: number;
  }[];
}

/** Counts of settings, runs and steps by optimizer, and each one's expected best at the smallest count. */
export function compareBudgets(budgets: readonly TuningBudget[], better: Better): BudgetComparison {
  const counts = budgets.map(({ scores }) => scores.length);
  const smallest = counts.length === 0 ? 0 : Math.min(...counts);
  return {
    equal: counts.every((count) => count === smallest),
    smallest,
    optimizers: budgets.map(({ name, scores, runs, steps }) => ({
      name,
      settings: scores.length,
      runs,
      steps,
      bestAtEqual: expectedBest(scores, smallest, better),
    })),
  };
}

/**
 * Expected best of `tries` of the scores, drawn without replacement: sum over the sorted scores of
 * v_i C(n - i, tries - 1) / C(n, tries). Infinite on the worse side while all drawn may have diverged; NaN for
 * no tries. After J. Dodge et al., "Show Your Work: Improved Reporting of Experimental Results", 2019, there
 * with replacement.
 */
export function expectedBest(scores: readonly number[], tries: number, better: Better): number {
  const n = scores.length;
  if (tries < 1 || tries > n) return Number.NaN;
  const sign = better === "lower" ? 1 : -1;
  const sorted = scores
    .map((score) => (Number.isFinite(score) ? sign * score : Number.POSITIVE_INFINITY))
    .sort((a, b) => (a === b ? 0 : a - b));
  let probability = tries / n; // that the best of all is drawn
  let expected = 0;
  for (let i = 0; i <= n - tries; i++) {
    expected += probability * sorted[i];
    probability *= (n - i - tries) / (n - i - 1); // that the next one is the best drawn
  }
  return sign * expected;
}
