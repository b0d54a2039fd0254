/** What a training of lanes hands on: rows and ends for the store, progress for people. */
import type { HostTensor } from "../base/shape.js";
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
  /** What a lane that reached its last step has learned; called before `finish`, where the training asks for it. */
  model?(lane: number, model: LearnedModel): void;
}

/** Parameters and states by their own names, without lanes. */
export type ModelValues = Readonly<Record<string, HostTensor>>;

export interface LearnedModel {
  readonly step: number;
  readonly last: ModelValues;
  /** Of the best evaluation; absent where none ranks them. */
  readonly best?: { readonly step: number; readonly values: ModelValues };
}

export interface LaneProgress {
  readonly step: number;
  readonly steps: number;
  /** The last loss of each lane that still trains, by its number. */
  readonly losses: ReadonlyMap<number, number>;
}
