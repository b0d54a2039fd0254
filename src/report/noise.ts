/**
 * What the measured noise of gradients says of the batch size. A batch B of noise scale N takes in proportion to 1 + N / B
 * steps, and looks at in proportion to 1 + B / N examples: McCandlish et al., "An empirical model of large-batch training",
 * 2018.
 */
import type { StoredRun } from "../runs/index.js";
import { noiseScale } from "../train/index.js";
import { significant } from "./words.js";

/** The noise scale in examples, over a part of the evaluations; undefined where the noise hides the gradient. */
export interface NoiseCourse {
  /** Over the first quarter of the evaluations. */
  readonly first: number | undefined;
  /** Over the last quarter of them. */
  readonly last: number | undefined;
}

/** Of the mean estimates of all runs; undefined where their rows tell none. */
export function noiseCourse(runs: readonly StoredRun[]): NoiseCourse | undefined {
  const estimates = runs.map(estimatesOf).filter(({ length }) => length > 0);
  if (estimates.length === 0) return undefined;
  const quarter = (length: number): number => Math.max(1, Math.floor(length / 4));
  return {
    first: pooled(estimates.flatMap((own) => own.slice(0, quarter(own.length)))),
    last: pooled(estimates.flatMap((own) => own.slice(-quarter(own.length)))),
  };
}

/** Estimates of a row: |G|^2 and tr(Sigma). */
type Estimate = readonly [square: number, variance: number];

function estimatesOf(run: StoredRun): Estimate[] {
  const rows = run.rows();
  if (!rows.metrics.includes("gradientSquare")) return [];
  const [squares, variances] = ["gradientSquare", "gradientVariance"].map((name) => rows.curve(name).value);
  return Array.from(squares, (square, i): Estimate => [square, variances[i]]).filter((estimate) =>
    estimate.every(Number.isFinite),
  );
}

/** A ratio of means, which is less biased than a mean of ratios; their sums have the same. */
const pooled = (estimates: readonly Estimate[]): number | undefined =>
  noiseScale({
    gradientSquare: estimates.reduce((sum, [square]) => sum + square, 0),
    gradientVariance: estimates.reduce((sum, [, variance]) => sum + variance, 0),
  });

/** "210 examples at first, 1900 examples at the end"; a scale that the noise hides is too large to tell. */
export function courseInWords({ first, last }: NoiseCourse): string {
  const [early, late] = [first, last].map((scale) =>
    scale === undefined ? "too large to tell" : `${significant(scale, 2)} examples`,
  );
  return early === late ? late : `${early} at first, ${late} at the end`;
}

/** Where a batch lies beside the noise scale, and by what other batches would multiply the number of steps. */
export interface BatchVerdict {
  readonly place: "well below" | "near" | "well above";
  /** Of a batch twice as large: from 0.5, as far as it is of use, to 1. */
  readonly stepsOfTwice: number;
  /** Of a batch half as large: from 1 to 2. */
  readonly stepsOfHalf: number;
}

/** A batch within this factor of the noise scale is near it: twice as large it takes 0.6 to 0.9 times as many steps. */
const nearness = 4;

export function batchVerdict(batchSize: number, scale: number): BatchVerdict {
  const steps = (size: number): number => 1 + scale / size;
  return {
    place: scale > nearness * batchSize ? "well below" : scale * nearness < batchSize ? "well above" : "near",
    stepsOfTwice: steps(2 * batchSize) / steps(batchSize),
    stepsOfHalf: steps(batchSize / 2) / steps(batchSize),
  };
}

/** "twice as large they would take 0.53 times as many steps", with what it costs or what smaller ones would do. */
export function verdictInWords({ place, stepsOfTwice, stepsOfHalf }: BatchVerdict): string {
  const twice = `twice as large they would take ${significant(stepsOfTwice, 2)} times as many steps`;
  if (place === "well below") return twice;
  if (place === "near")
    return `${twice} and look at ${significant(2 * stepsOfTwice, 2)} times as many examples`;
  return `${twice}, half as large ${significant(stepsOfHalf, 2)} times`;
}
