/** By what settings are chosen and compared: the value of a metric, or the steps to a target. */
import { betterOf, type Measure, measuresOf, type Tolerance } from "../lab/statistics/index.js";
import type { StoredRun, StoredStudy, Target } from "../runs/index.js";
import { endInWords } from "./lengths.js";
import { integer, isAccuracy, metricDifference, metricName, metricValue, targetInWords } from "./words.js";

export interface Criterion {
  readonly kind: "value" | "steps";
  readonly metric: string;
  readonly at: "final" | "best";
  /** Of the kind "steps". */
  readonly target?: Target;
  readonly better: "lower" | "higher";
  /** "validation loss after 30 epochs", "steps to train loss ≤ 10⁻⁶". */
  readonly words: string;
  /** What still counts as good beside the best, and how a sentence says it. */
  readonly tolerance: Tolerance;
  readonly toleranceWords: string;
  format(value: number): string;
  formatDifference(value: number): string;
}

export interface Criteria {
  /** Chooses each optimizer's setting. */
  readonly select: Criterion;
  /** Chooses where no setting meets the target of `select`. */
  readonly fallback: Criterion;
  /** Compares the optimizers: measured on data that did not choose, where there are such. */
  readonly report: Criterion;
}

/**
 * Validation chooses and test compares. Without either the training loss does both; but where such a study sets
 * targets, the steps to the strictest target that any run reached: at the end many settings stand at the optimum to
 * rounding, and which of them rounds best says nothing.
 */
export function criteriaOf(
  study: StoredStudy,
  results: readonly StoredRun[],
  options: { readonly select?: Measure; readonly report?: Measure },
): Criteria {
  const measures = measuresOf(results, options);
  const value = valueCriterion(measures.select, study);
  const isChosenFor = options.select !== undefined || options.report !== undefined;
  if (isChosenFor || measures.report.metric !== measures.select.metric || value.metric !== "trainLoss") {
    return { select: value, fallback: value, report: valueCriterion(measures.report, study) };
  }
  const target = strictestReached(value.metric, study, results);
  const chosen = target === undefined ? value : stepsTo(target);
  return { select: chosen, fallback: value, report: chosen };
}

/** The criterion's value in one run; not finite where it diverged or never met the target. */
export function valueIn({ summary, status }: StoredRun, criterion: Criterion): number {
  if (summary === undefined || status !== "completed") return Number.NaN;
  const { target, metric, at } = criterion;
  if (target !== undefined) return targetReached(summary.targets, target)?.step ?? Number.NaN;
  return (at === "best" ? summary.best[metric]?.value : summary.final[metric]) ?? Number.NaN;
}

/** The same target among those that a summary lists. */
export const targetReached = <T extends Target>(
  all: readonly T[],
  { metric, value, direction }: Target,
): T | undefined =>
  all.find((one) => one.metric === metric && one.value === value && one.direction === direction);

/** The targets, those of the reported metric first, then of the choosing one; the strictest of a metric first. */
export function targetsByWeight({ record }: StoredStudy, { report, select }: Criteria): Target[] {
  const weight = ({ metric }: Target) => (metric === report.metric ? 0 : metric === select.metric ? 1 : 2);
  const ease = ({ metric, value }: Target) => (isAccuracy(metric) ? -value : value);
  return [...record.targets].sort((a, b) => weight(a) - weight(b) || ease(a) - ease(b));
}

/** A metric's value in a run, its last or its best. */
function valueCriterion({ metric, at = "final" }: Measure, { record }: StoredStudy): Criterion {
  const accuracy = isAccuracy(metric);
  return {
    kind: "value",
    metric,
    at,
    better: betterOf(metric),
    words:
      at === "best" ? `best ${metricName(metric)}` : `${metricName(metric)} ${endInWords(record)}`.trimEnd(),
    tolerance: accuracy ? { absolute: 0.01 } : { relative: 0.1 },
    toleranceWords: accuracy ? "within one point of its best" : "within 10 % of its best",
    format: (value) => metricValue(metric, value, { digits: 4 }),
    formatDifference: (value) => metricDifference(metric, value),
  };
}

/** The first step at which the target holds. */
export function stepsTo(target: Target): Criterion {
  return {
    kind: "steps",
    metric: target.metric,
    at: "final",
    target,
    better: "lower",
    words: `steps to ${targetInWords(target)}`,
    tolerance: { relative: 1 },
    toleranceWords: "at most twice its fewest steps",
    format: (value) => (Number.isFinite(value) ? integer(Math.round(value)) : "not reached"),
    formatDifference: (value) => `${value > 0 ? "+" : ""}${integer(Math.round(value))} steps`,
  };
}

function strictestReached(
  metric: string,
  { record }: StoredStudy,
  results: readonly StoredRun[],
): Target | undefined {
  const reached = record.targets.filter(
    (target) =>
      target.metric === metric && results.some((run) => Number.isFinite(valueIn(run, stepsTo(target)))),
  );
  const sign = isAccuracy(metric) ? -1 : 1;
  return [...reached].sort((a, b) => sign * (a.value - b.value))[0];
}
