/** What a training of lanes hands on: rows and ends for the store, progress for people. */
import type { MetricRow } from "../runs/records.js";
import type { RunOutcome } from "../runs/summary.js";

/**
 * Where the results of each lane go; `lane` counts as in `LaneTraining.lanes`. Rows come with strictly increasing
 * steps. Their `timeS` is the lane's share of the time that training steps took: the time of a call of the program
 * divided by the lanes that trained in it. Evaluation, compilation and start-up are not in it, so it compares
 * optimizers at equal company; alone, a run would take longer for each step.
 */
export interface LaneSink {
  rows(lane: number, rows: readonly MetricRow[]): void;
  finish(lane: number, outcome: RunOutcome): void;
}

export interface LaneProgress {
  readonly step: number;
  readonly steps: number;
  /** The last loss of each lane that still trains, by its number. */
  readonly losses: ReadonlyMap<number, number>;
}
