/**
 * What the run store keeps: the records of a study, of a run, of a measured step and of a run's end.
 *
 *   <root>/<study>/study.json
 *   <root>/<study>/runs/<runId>/run.json       the configuration; written once, before the first row
 *                               metrics.jsonl  one line a measured step; appended, never rewritten
 *                               summary.json   how it ended; a run without one is unfinished
 */
import type { Json } from "../base/json.js";
import type { TimeLedger } from "./timeLedger.js";

/** The layout that this version writes; a store with a larger number is refused. */
export const storeFormat = 1;

export type { Json };

/** Which side of `value` a metric has to reach. */
export interface Target {
  readonly metric: string;
  readonly value: number;
  readonly direction: "below" | "above";
}

/** One optimizer of a study with the values that its grid takes. */
export interface OptimizerGrid {
  readonly optimizer: string;
  /** What figures and tables call it; `optimizer` when absent. */
  readonly label?: string;
  readonly hyperparameters: Readonly<Record<string, readonly number[]>>;
  readonly schedule?: Json;
  readonly clipNorm?: number;
  readonly decoupledWeightDecay?: number;
  readonly average?: Json;
}

/** When runs end before their last step. */
export interface EarlyStopping {
  /** Evaluations in a row that are no better before a run ends, at least 1. */
  readonly patience: number;
  /** As rows name it: "validationLoss". */
  readonly metric: string;
  /** A better evaluation is better by more than this; at least 0. */
  readonly minDelta: number;
  /** "best": a run ends with what it had at its best evaluation, whether it stopped early or made all of its steps. */
  readonly restore?: "best";
}

/** With what a study was computed. */
export interface Versions {
  readonly slalom: string;
  readonly node: string;
  /** As the backend describes itself: its name and the libraries it found. */
  readonly backend: string;
  /** The model name of the processor. */
  readonly cpu: string;
}

/** The whole question that a study asks; `study.json` holds it. */
export interface StudyRecord {
  /** The folder's name: letters, digits, `.`, `_`, `-`. */
  readonly name: string;
  readonly title?: string;
  readonly problem: string;
  readonly problemOptions?: Json;
  readonly optimizers: readonly OptimizerGrid[];
  readonly seeds: readonly number[];
  readonly epochs?: number;
  readonly steps?: number;
  readonly batchSize?: number;
  /** Examples of a batch that are looked at together; absent: all of them. */
  readonly microBatch?: number;
  readonly shuffle?: boolean;
  readonly dtype?: "float32" | "float64";
  readonly targets: readonly Target[];
  readonly earlyStopping?: EarlyStopping;
  /** True when the seed changes nothing: fixed start, full batch. One run then says everything. */
  readonly deterministic?: boolean;
  /** Any further setting; compared on resume like the others. */
  readonly options?: Json;
  readonly versions: Versions;
  /** ISO 8601. */
  readonly created: string;
}

/** Everything that determines a run's numbers. */
export interface RunConfiguration {
  readonly problem: string;
  readonly problemOptions?: Json;
  readonly optimizer: string;
  /** What figures and tables call it; `optimizer` when absent. */
  readonly label?: string;
  readonly hyperparameters: Readonly<Record<string, number>>;
  readonly schedule?: Json;
  readonly clipNorm?: number;
  readonly decoupledWeightDecay?: number;
  readonly average?: Json;
  readonly seed: number;
  readonly batchSize?: number;
  /** Examples of a batch that are looked at together; absent: all of them. */
  readonly microBatch?: number;
  readonly epochs?: number;
  readonly steps: number;
  readonly shuffle: boolean;
  readonly dtype: "float32" | "float64";
  /** What operands of products are rounded to; absent: nothing. */
  readonly precision?: "bfloat16";
  readonly backend: string;
  /** With the steps between evaluations, which decide with it. */
  readonly earlyStopping?: EarlyStopping & { readonly evaluateEvery: number };
}

/** `run.json`. */
export interface RunRecord {
  readonly id: string;
  readonly configuration: RunConfiguration;
  /** ISO 8601. */
  readonly created: string;
  /** Who writes it: tells a running run from one that was killed. */
  readonly writer: { readonly pid: number; readonly host: string };
}

/**
 * The state of a run. "completed" and "diverged" are results and never repeated; "interrupted" and "failed"
 * are repeated on resume; "running" has a live writer.
 */
export type RunStatus = "running" | "completed" | "diverged" | "interrupted" | "failed";

/** The statuses that a run may end with. */
export type EndStatus = Exclude<RunStatus, "running">;

export const isResult = (status: RunStatus): boolean => status === "completed" || status === "diverged";

/**
 * The metrics measured at one step: `step` (updates done, 0 before the first), `timeS` (training seconds so
 * far), `epoch` where there are epochs, and any of `trainLoss`, `validationLoss`, `validationAccuracy`,
 * `testLoss`, `testAccuracy`, `gradientNorm`, `parameter.<name>`, ... A row need not hold every metric.
 */
export type MetricRow = { step: number; timeS: number; epoch?: number } & Record<string, number>;

/** What blew up. */
export interface Divergence {
  readonly step: number;
  /** "loss", "parameter weight", ... */
  readonly quantity: string;
  /** NaN, an infinity, or the value that passed the bound. */
  readonly value: number;
  readonly lastFiniteLoss: number;
}

/** Why a run ended before its last step, and after how many steps. */
export interface StoppedEarly {
  readonly step: number;
  /** "validationLoss was not better than 0.12, of step 300, for 5 evaluations". */
  readonly reason: string;
}

/** The first measured step at which a target held; nulls where it never did. */
export interface TargetReached extends Target {
  readonly step: number | null;
  readonly epoch: number | null;
  readonly timeS: number | null;
}

/** `summary.json`: enough for every ranking, so that rankings never read rows. */
export interface RunSummary {
  readonly status: EndStatus;
  readonly stepsDone: number;
  readonly epochsDone?: number;
  readonly timeS: number;
  /** The last measured value of each metric; of a run that restored its best parameters, what these gave. */
  readonly final: Readonly<Record<string, number>>;
  /** The best finite value of each metric that has a better side. */
  readonly best: Readonly<Record<string, { readonly value: number; readonly step: number }>>;
  readonly targets: readonly TargetReached[];
  readonly divergence?: Divergence;
  /** Of a run that completed before its last step. */
  readonly stoppedEarly?: StoppedEarly;
  /** Final parameters by name, row-major, where they are under 100 numbers together. */
  readonly parameters?: Readonly<Record<string, readonly number[]>>;
  readonly error?: string;
  /** Where the time went; absent in runs of earlier versions. Of a run that failed it is what the leading rank knows. */
  readonly ledger?: TimeLedger;
}
