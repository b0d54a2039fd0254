/** Trainings for tests: what the loop is told, and what it hands on, gathered. */
import type { Backend } from "../../src/compile/backend.js";
import type { Dataset } from "../../src/learn/datasets/dataset.js";
import { blobs } from "../../src/learn/datasets/index.js";
import { perceptron, softmaxRegression } from "../../src/learn/models/index.js";
import { type OptimizerChoice, sgd } from "../../src/learn/optimizers/index.js";
import { classificationProblem, linearRegression } from "../../src/learn/problems/index.js";
import type { MetricRow } from "../../src/runs/records.js";
import type { RunOutcome } from "../../src/runs/summary.js";
import { type LaneTraining, type TrainLanesOptions, trainLanes } from "../../src/train/index.js";

export interface Trained {
  /** By lane. */
  readonly rows: readonly MetricRow[][];
  readonly outcomes: readonly RunOutcome[];
}

export async function train(
  training: LaneTraining,
  backend: Backend,
  options: TrainLanesOptions = {},
): Promise<Trained> {
  const rows = training.lanes.map((): MetricRow[] => []);
  const outcomes: RunOutcome[] = [];
  await trainLanes(
    training,
    backend,
    {
      rows: (lane, more) => rows[lane].push(...more),
      finish: (lane, outcome) => {
        if (outcomes[lane]) throw new Error(`lane ${lane} ended twice`);
        outcomes[lane] = outcome;
      },
    },
    options,
  );
  return { rows, outcomes };
}

/** Exercise 1 in float64 by gradient descent, one lane for each learning rate. */
export const descent = (rates: readonly number[], changes: Partial<LaneTraining> = {}): LaneTraining => ({
  problem: linearRegression(),
  choice: sgd({ lr: rates }),
  lanes: rates.map((lr) => ({ lr, weightDecay: 0 })),
  seed: 0,
  batchSize: "full",
  steps: 50,
  shuffle: true,
  dtype: "float64",
  evaluate: [],
  evaluateEvery: 10,
  recordEvery: 1,
  recordParameters: true,
  ...changes,
});

/** 90 blobs of 3 classes for training, 30 for validation: softmax regression, or a small perceptron. */
export async function classifying(
  choice: OptimizerChoice,
  changes: Partial<LaneTraining> & { readonly hidden?: number } = {},
): Promise<LaneTraining & { readonly dataset: Dataset }> {
  const { hidden, ...rest } = changes;
  const source = blobs({ count: 120, dimensions: 5, split: { train: 90, validation: 30 } });
  const dataset = rest.dataset ?? (await source.load());
  const model = hidden === undefined ? softmaxRegression() : perceptron({ hidden: [hidden] });
  return {
    problem: classificationProblem({ dataset: source, model }),
    choice,
    lanes: lanesOf(choice),
    seed: 3,
    batchSize: 30,
    steps: 24,
    shuffle: true,
    dtype: "float32",
    evaluate: ["validation"],
    evaluateEvery: 3,
    recordEvery: 1,
    recordParameters: false,
    ...rest,
    dataset,
  };
}

/** Every combination of a choice's settings. */
export const lanesOf = ({ settings }: OptimizerChoice): Record<string, number>[] =>
  Object.entries(settings).reduce<Record<string, number>[]>(
    (sofar, [name, values]) => sofar.flatMap((lane) => values.map((value) => ({ ...lane, [name]: value }))),
    [{}],
  );

/** What of a row does not depend on the clock. */
export const withoutTime = (rows: readonly MetricRow[]): object[] =>
  rows.map(({ timeS: _, ...metrics }) => metrics);

/** The greatest difference of any metric in two runs, relative to the metric's greatest value in the first. */
export function greatestDifference(expected: readonly MetricRow[], received: readonly MetricRow[]): number {
  if (expected.length !== received.length) return Number.POSITIVE_INFINITY;
  let greatest = 0;
  for (const metric of new Set(expected.flatMap((row) => Object.keys(row)))) {
    if (metric === "timeS") continue;
    const values = (rows: readonly MetricRow[]): (number | undefined)[] => rows.map((row) => row[metric]);
    const [ours, theirs] = [values(expected), values(received)];
    const scale = Math.max(
      1e-30,
      ...ours.flatMap((value) => (Number.isFinite(value) ? Math.abs(value!) : [])),
    );
    ours.forEach((value, i) => {
      if (Object.is(value, theirs[i])) return;
      const difference = Math.abs(value! - theirs[i]!) / scale;
      greatest = Math.max(greatest, Number.isNaN(difference) ? Number.POSITIVE_INFINITY : difference);
    });
  }
  return greatest;
}
