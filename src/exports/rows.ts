/** The rows of a stored run one after another, as tables want them. */
import type { StoredRun } from "../runs/index.js";

export interface Row {
  readonly step: number;
  /** Absent where there are no epochs. */
  readonly epoch?: number;
  /** Training seconds so far. */
  readonly timeS: number;
  /** In the order of the metrics that were asked for; absent where the row does not hold it. */
  readonly values: readonly (number | undefined)[];
}

/** Each row with the values of `metrics`; of a run that is not at its end, the rows so far. */
export function* rowsOf(run: StoredRun, metrics: readonly string[]): Generator<Row> {
  const rows = run.rows();
  const curves = metrics.map((metric) => (rows.metrics.includes(metric) ? rows.curve(metric) : undefined));
  const next = metrics.map(() => 0);
  for (let i = 0; i < rows.count; i++) {
    const step = rows.step[i];
    const values = curves.map((curve, k) =>
      curve && curve.step[next[k]] === step ? curve.value[next[k]++] : undefined,
    );
    const epoch = rows.epoch[i];
    yield { step, ...(!Number.isNaN(epoch) && { epoch }), timeS: rows.timeS[i], values };
  }
}

/** The metrics that some row of the runs holds, in the order in which they appear. */
export const metricsOf = (runs: readonly StoredRun[]): string[] => [
  ...new Set(runs.flatMap((run) => run.rows().metrics)),
];
