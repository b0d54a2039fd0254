/** What is measured once, when lanes end: all training examples, and splits that are looked at once. */
import type { MetricRow } from "../runs/records.js";
import type { BestEvaluation } from "./bestParameters.js";
import { bestMetricName, hasExactLoss } from "./configuration.js";
import {
  type Evaluated,
  evaluateSplit,
  evaluateTrainingSplit,
  type Measured,
  withModels,
} from "./evaluation.js";

export interface Closing {
  /** With the last parameters, for the last row; none where the best ones take their place. */
  readonly last: Measured;
  /** With the parameters that take the place of the last ones, for the summary. */
  readonly restored: Measured;
  /** What the best parameters give on splits that are looked at once, as "bestTestLoss". */
  readonly atBest: Measured;
}

/** @param best by place, of the lanes that end */
export function closingMeasures(on: Evaluated, best: ReadonlyMap<number, BestEvaluation>): Closing {
  const { training } = on;
  const { evaluateAtEnd = [], earlyStopping } = training;
  // Losses of batches tell the loss at no parameters.
  const ofTraining = (): Measured => (hasExactLoss(training) ? [] : evaluateTrainingSplit(on));
  const ofSplits = (): Measured => evaluateAtEnd.flatMap((split) => evaluateSplit(on, split));
  const asBest = (measured: Measured): Measured =>
    measured.map(([metric, values]) => [bestMetricName(metric), values]);
  const models = new Map([...best].map(([place, { values }]) => [place, values]));
  if (earlyStopping?.restore === "best") {
    return withModels(on, models, () => {
      const splits = ofSplits();
      return { last: [], restored: [...ofTraining(), ...splits], atBest: asBest(splits) };
    });
  }
  const isRanked = models.size > 0 && evaluateAtEnd.length > 0;
  return {
    last: [...ofTraining(), ...ofSplits()],
    restored: [],
    atBest: isRanked ? asBest(withModels(on, models, ofSplits)) : [],
  };
}

export interface FinalOptions {
  readonly closing: Closing;
  readonly place: number;
  /** Of the lane; absent where no evaluation ranked it. */
  readonly best: BestEvaluation | undefined;
  /** Whether the lane ends with what it had at its best evaluation. */
  readonly isRestored: boolean;
  readonly stepsPerEpoch: number | undefined;
}

/** What a lane's summary says besides its rows; nothing where these say all. */
export function finalMetrics({
  closing,
  place,
  best,
  isRestored,
  stepsPerEpoch,
}: FinalOptions): Readonly<Record<string, number>> | undefined {
  const ofLane = (measured: Measured): Record<string, number> =>
    Object.fromEntries(measured.map(([metric, values]) => [metric, values[place]]));
  const restored = isRestored ? { ...(best && metricsIn(best.row)), ...ofLane(closing.restored) } : {};
  if (!best || (closing.atBest.length === 0 && !isRestored))
    return Object.keys(restored).length > 0 ? restored : undefined;
  return {
    ...restored,
    ...ofLane(closing.atBest),
    bestStep: best.step,
    ...(stepsPerEpoch !== undefined && { bestEpoch: best.step / stepsPerEpoch }),
  };
}

function metricsIn({
  step: _step,
  epoch: _epoch,
  timeS: _time,
  ...metrics
}: MetricRow): Record<string, number> {
  return metrics;
}
