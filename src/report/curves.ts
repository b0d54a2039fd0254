/** Curves over seeds: the mean and the span of runs of one setting, and runs that diverged drawn as they went. */
import type { ConvergenceSeries } from "../figures/index.js";
import type { StoredRun } from "../runs/index.js";

/** What a curve is drawn against. */
export type Position = "step" | "epoch";

/** Points of a metric, x in steps or epochs. */
export interface Points {
  readonly x: readonly number[];
  readonly y: readonly number[];
}

/** Whether some run of the study has rows of this metric. */
export const hasMetric = (runs: readonly StoredRun[], metric: string): boolean =>
  runs.some((run) => run.rows().metrics.includes(metric));

/** Epochs where rows have them, steps otherwise. */
export function positionOf(runs: readonly StoredRun[]): Position {
  const measured = runs.find((run) => run.rows().count > 0);
  return measured !== undefined && !Number.isNaN(measured.rows().epoch[0]) ? "epoch" : "step";
}

/** The rows of one metric in one run; empty where it has none. */
export function pointsOf(run: StoredRun, metric: string, position: Position): Points {
  const rows = run.rows();
  if (!rows.metrics.includes(metric)) return { x: [], y: [] };
  const curve = rows.curve(metric);
  return { x: [...curve[position]], y: [...curve.value] };
}

/** Points of a run, and whether it stopped early: it then stays where it is. */
type RunPoints = Points & { readonly stays: boolean };

/**
 * The mean, least and greatest value over runs, at the positions that all of them have. A run that stopped early has its
 * last value at all later ones: to leave it out would make a mean of fewer and fewer seeds.
 */
function overRuns(curves: readonly RunPoints[]): Points & { lower: number[]; upper: number[] } {
  const positions = [...new Set(curves.flatMap(({ x }) => x))];
  const counts = new Map<number, number[]>();
  for (const curve of curves) {
    const last = curve.x[curve.x.length - 1];
    const later = curve.stays ? positions.filter((position) => position > last) : [];
    const x = [...curve.x, ...later];
    const y = [...curve.y, ...later.map(() => curve.y[curve.y.length - 1])];
    x.forEach((position, i) => {
      const values = counts.get(position);
      if (values === undefined) counts.set(position, [y[i]]);
      else values.push(y[i]);
    });
  }
  const shared = [...counts]
    .filter(([, values]) => values.length === curves.length)
    .sort(([a], [b]) => a - b);
  return {
    x: shared.map(([position]) => position),
    y: shared.map(([, values]) => values.reduce((sum, value) => sum + value, 0) / values.length),
    lower: shared.map(([, values]) => values.reduce((least, value) => Math.min(least, value))),
    upper: shared.map(([, values]) => values.reduce((most, value) => Math.max(most, value))),
  };
}

/**
 * The curves of one setting: the mean of the runs that ended with the band between lowest and highest seed, and
 * the first run that diverged, if any did, to where it left. Empty where no run has rows of the metric.
 */
export function settingSeries(
  runs: readonly StoredRun[],
  metric: string,
  position: Position,
  look: Pick<ConvergenceSeries, "label" | "value" | "category">,
): ConvergenceSeries[] {
  const diverged = runs.filter((run) => run.status === "diverged");
  const ended = runs
    .filter((run) => run.status === "completed")
    .map((run) => ({
      ...pointsOf(run, metric, position),
      stays: run.summary?.stoppedEarly !== undefined,
    }));
  const series: ConvergenceSeries[] = [];
  const measured = ended.filter(({ x }) => x.length > 0);
  if (measured.length > 0) {
    const { x, y, lower, upper } = overRuns(measured);
    series.push(measured.length > 1 ? { ...look, x, y, lower, upper } : { ...look, x, y });
  }
  const first = [...diverged].sort((a, b) => divergenceStep(a) - divergenceStep(b))[0];
  if (first === undefined) return series;
  const { x, y } = pointsOf(first, metric, position);
  if (x.length === 0) return series;
  const count = diverged.length < runs.length ? ` (${diverged.length} of ${runs.length} seeds)` : "";
  return [
    ...series,
    { ...look, label: `${look.label}${count}`, x, y, divergedAt: divergedAt(first, position) },
  ];
}

const divergenceStep = (run: StoredRun): number => run.summary?.divergence?.step ?? Number.POSITIVE_INFINITY;

/** Where the run was found diverged, in steps or whole epochs. */
function divergedAt(run: StoredRun, position: Position): number | undefined {
  const step = run.summary?.divergence?.step;
  if (step === undefined || position === "step") return step;
  const rows = run.rows();
  // The epoch of the first row at or after that step; the rows end there.
  const index = rows.step.findIndex((rowStep) => rowStep >= step);
  const epoch = rows.epoch[index < 0 ? rows.count - 1 : index];
  return Number.isNaN(epoch) ? undefined : Math.ceil(epoch);
}
