/** Runs and studies as `--json` prints them. */
import type { StoredRun, StoredStudy } from "../runs/index.js";

export interface ResultOptions {
  /** Every measured row too, as columns. */
  readonly rows?: boolean;
}

/** What is known of a run; `final` and `best` hold losses and accuracies by name. */
export function runResult(study: string, run: StoredRun, { rows = false }: ResultOptions = {}): object {
  const { summary, configuration, status, id } = run;
  return {
    study,
    id,
    seed: configuration.seed,
    status,
    stepsDone: summary?.stepsDone,
    epochsDone: summary?.epochsDone,
    timeS: summary?.timeS,
    final: summary?.final,
    best: summary?.best,
    targets: summary?.targets,
    divergence: summary?.divergence,
    stoppedEarly: summary?.stoppedEarly,
    parameters: summary?.parameters,
    error: summary?.error,
    ledger: summary?.ledger,
    configuration,
    ...(rows && { rows: rowColumns(run) }),
  };
}

/** The study's record, where it lies, and how many of its runs stand how. */
export function studyResult({ folder, record, runs }: StoredStudy): object {
  return { ...record, folder, runs: statusCounts(runs) };
}

export type StatusCounts = Readonly<Partial<Record<StoredRun["status"], number>>>;

export function statusCounts(runs: readonly StoredRun[]): StatusCounts {
  const counts: Partial<Record<StoredRun["status"], number>> = {};
  for (const { status } of runs) counts[status] = (counts[status] ?? 0) + 1;
  return counts;
}

/** How many runs the study consists of. */
export const runsOf = ({ optimizers, seeds }: StoredStudy["record"]): number =>
  seeds.length *
  optimizers.reduce(
    (sum, { hyperparameters }) =>
      sum + Object.values(hyperparameters).reduce((product, values) => product * values.length, 1),
    0,
  );

/** For each metric its steps and values; metrics are not measured at the same steps. */
function rowColumns(run: StoredRun): object {
  const rows = run.rows();
  return Object.fromEntries(
    rows.metrics.map((metric) => {
      const { step, epoch, timeS, value } = rows.curve(metric);
      const epochs = Number.isNaN(epoch[0]) ? undefined : [...epoch];
      return [metric, { step: [...step], epoch: epochs, timeS: [...timeS], value: [...value] }];
    }),
  );
}
