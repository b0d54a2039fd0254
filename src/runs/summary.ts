/** A run's summary, gathered from its rows while they are written: last and best values, targets reached. */
import type { EndStatus, MetricRow, RunSummary, Target, TargetReached } from "./records.js";

/** What only the trainer knows about a run's end; everything else comes from the rows. */
export interface RunOutcome
  extends Partial<
    Pick<
      RunSummary,
      "stepsDone" | "epochsDone" | "timeS" | "divergence" | "stoppedEarly" | "parameters" | "ledger"
    >
  > {
  readonly status: EndStatus;
  readonly error?: string;
  /** Metrics measured once at the end and in no row, or measured better than the rows show. */
  readonly final?: Readonly<Record<string, number>>;
  /** When the trainer watched the targets at every step and not only at measured ones. */
  readonly targets?: readonly TargetReached[];
}

export interface SummaryBuilder {
  add(row: MetricRow): void;
  finish(outcome: RunOutcome): RunSummary;
}

/** The better side of a metric: accuracies up, losses and norms down; parameters and gradient noise have none. */
export function betterSide(metric: string): Target["direction"] | undefined {
  if (/^(parameter\.|gradient(Square|Variance|NoiseScale)$)/.test(metric)) return undefined;
  return /accuracy$/i.test(metric) ? "above" : "below";
}

/** A builder that has seen no row yet. */
export function summaryBuilder(targets: readonly Target[]): SummaryBuilder {
  let last: MetricRow | undefined;
  const final: Record<string, number> = {};
  const best: Record<string, { value: number; step: number }> = {};
  const reached: TargetReached[] = targets.map((target) => ({
    ...target,
    step: null,
    epoch: null,
    timeS: null,
  }));
  return {
    add(row) {
      last = row;
      for (const [metric, value] of Object.entries(row)) {
        if (value === undefined || isPosition(metric)) continue;
        final[metric] = value;
        const side = betterSide(metric);
        if (side && Number.isFinite(value) && (!(metric in best) || beats(value, best[metric].value, side))) {
          best[metric] = { value, step: row.step };
        }
      }
      for (const [i, target] of reached.entries()) {
        const value: number | undefined = row[target.metric];
        if (target.step !== null || value === undefined || !meets(value, target)) continue;
        reached[i] = { ...target, step: row.step, epoch: row.epoch ?? null, timeS: row.timeS };
      }
    },
    finish(outcome) {
      return {
        ...outcome,
        stepsDone: outcome.stepsDone ?? last?.step ?? 0,
        epochsDone: outcome.epochsDone ?? last?.epoch,
        timeS: outcome.timeS ?? last?.timeS ?? 0,
        final: { ...final, ...outcome.final },
        best,
        targets: outcome.targets ?? reached,
      };
    },
  };
}

/** Whether `value` has reached the target; NaN never has. */
export const meets = (value: number, { value: goal, direction }: Target): boolean =>
  direction === "below" ? value <= goal : value >= goal;

const beats = (value: number, other: number, side: Target["direction"]): boolean =>
  side === "below" ? value < other : value > other;

const isPosition = (key: string): boolean => key === "step" || key === "epoch" || key === "timeS";
