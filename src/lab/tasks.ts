/** A study as work: the configurations of its grid, and tasks of lanes that train side by side. */
import { sameShape } from "../base/shape.js";
import type { Dataset, SplitName } from "../learn/datasets/dataset.js";
import type { OptimizerChoice } from "../learn/optimizers/optimizer.js";
import { describeSchedule } from "../learn/schedules/index.js";
import type { OptimizerGrid, RunConfiguration, StudyRecord, Versions } from "../runs/records.js";
import { type LaneTraining, stepsPerEpoch } from "../train/index.js";
import { initialParameters } from "../train/initialValues.js";
import type { Study } from "./study.js";

/** Runs of one optimizer and one seed, trained as lanes of one program. */
export interface Task {
  /** Which of the study's optimizers. */
  readonly choice: number;
  readonly seed: number;
  readonly configurations: readonly RunConfiguration[];
}

/** The study as the store keeps it. */
export function recordOf(study: Study, versions: Versions, deterministic: boolean): StudyRecord {
  const { name, title, problem, seeds, epochs, steps, batchSize, shuffle, dtype, targets, comparisons } =
    study;
  return {
    name,
    title,
    problem: problem.name,
    problemOptions: problem.options,
    optimizers: study.optimizers.map((choice) => gridOf(study, choice)),
    seeds: deterministic ? seeds.slice(0, 1) : seeds,
    ...(epochs !== undefined && { epochs }),
    ...(steps !== undefined && { steps }),
    ...(batchSize !== "full" && { batchSize }),
    shuffle,
    dtype,
    targets,
    ...(deterministic && { deterministic }),
    ...(comparisons.length > 0 && {
      options: {
        comparisons: comparisons.map((comparison) => ({
          ...comparison,
          settings: comparison.settings.map((s) => ({ ...s })),
        })),
      },
    }),
    versions,
    created: new Date().toISOString(),
  };
}

/** Every run that the study consists of: for each optimizer the product of its settings, for each seed. */
export function configurationsOf(
  study: Study,
  dataset: Dataset | undefined,
  seeds: readonly number[],
): { choice: number; configuration: RunConfiguration }[] {
  const steps = totalSteps(study, dataset);
  return study.optimizers.flatMap((choice, i) => {
    const { optimizer, label, schedule, clipNorm, decoupledWeightDecay } = gridOf(study, choice);
    return product(choice.settings).flatMap((hyperparameters) =>
      seeds.map((seed) => ({
        choice: i,
        configuration: {
          problem: study.problem.name,
          problemOptions: study.problem.options,
          optimizer,
          ...(label !== undefined && { label }),
          hyperparameters,
          ...(schedule !== undefined && { schedule }),
          ...(clipNorm !== undefined && { clipNorm }),
          ...(decoupledWeightDecay !== undefined && { decoupledWeightDecay }),
          seed,
          ...(study.batchSize !== "full" && { batchSize: study.batchSize }),
          ...(study.epochs !== undefined && { epochs: study.epochs }),
          steps,
          shuffle: study.shuffle,
          dtype: study.dtype,
          backend: "cpu",
        },
      })),
    );
  });
}

/** Tasks for the given runs: lanes of one optimizer and seed together, dearest first, enough for all workers. */
export function tasksFor(
  runs: readonly { choice: number; configuration: RunConfiguration }[],
  options: { workers: number; maxLanes: number },
): Task[] {
  const groups = new Map<string, Task & { configurations: RunConfiguration[] }>();
  for (const { choice, configuration } of runs) {
    const key = `${choice}/${configuration.seed}`;
    const group = groups.get(key) ?? { choice, seed: configuration.seed, configurations: [] };
    groups.set(key, group);
    group.configurations.push(configuration);
  }
  // No task longer than a worker's fair share, or one worker ends long after the others.
  const share = Math.ceil(runs.length / options.workers);
  const lanes = Math.max(1, Math.min(options.maxLanes, share));
  return [...groups.values()]
    .flatMap((group) => {
      const parts = Math.ceil(group.configurations.length / lanes);
      const size = Math.ceil(group.configurations.length / parts);
      return Array.from({ length: parts }, (_, i) => ({
        ...group,
        configurations: group.configurations.slice(i * size, (i + 1) * size),
      }));
    })
    .sort((a, b) => b.configurations.length - a.configurations.length);
}

/** What the training loop is told of a task. */
export function laneTraining(study: Study, dataset: Dataset | undefined, task: Task): LaneTraining {
  const steps = totalSteps(study, dataset);
  const perEpoch = dataset && stepsPerEpoch(dataset.train.count, study.batchSize);
  const batched = dataset !== undefined && study.batchSize !== "full";
  const small = parameterCount(study, dataset) <= 4;
  return {
    problem: study.problem,
    ...(dataset && { dataset }),
    choice: study.optimizers[task.choice],
    lanes: task.configurations.map(({ hyperparameters }) => hyperparameters),
    seed: task.seed,
    batchSize: study.batchSize,
    steps,
    shuffle: study.shuffle,
    dtype: study.dtype,
    evaluate: evaluatedSplits(dataset),
    evaluateEvery: study.evaluateEvery ?? (batched ? perEpoch! : Math.max(1, Math.floor(steps / 100))),
    recordEvery: study.recordEvery ?? (batched ? 0 : 1),
    recordParameters: !batched && small,
    targets: study.targets,
  };
}

/** Whether a seed changes nothing: no order of batches, and the same start for every seed. */
export function isDeterministic(study: Study, dataset: Dataset | undefined): boolean {
  if (dataset !== undefined && study.batchSize !== "full" && study.shuffle) return false;
  const built = study.problem.build(dataset);
  const [a, b] = [0, 1].map((seed) => [...initialParameters({ seed, dtype: study.dtype }, built).values()]);
  return a.every((values, i) => sameShape([...values], [...b[i]]));
}

/** Updates of one run. */
export function totalSteps({ steps, epochs, batchSize }: Study, dataset: Dataset | undefined): number {
  return steps ?? epochs! * (dataset ? stepsPerEpoch(dataset.train.count, batchSize) : 1);
}

const evaluatedSplits = (dataset: Dataset | undefined): SplitName[] =>
  (["validation", "test"] as const).filter((split) => dataset?.[split] !== undefined);

const parameterCount = (study: Study, dataset: Dataset | undefined): number =>
  Object.values(study.problem.build(dataset).parameters).reduce(
    (sum, { shape }) => sum + shape.reduce((size, extent) => size * extent, 1),
    0,
  );

function gridOf(study: Study, choice: OptimizerChoice): OptimizerGrid {
  const { optimizer, settings, schedule, clipNorm, decoupledWeightDecay } = choice;
  // Two choices of one optimizer need names that tell them apart.
  const same = study.optimizers.filter((other) => other.optimizer.id === optimizer.id);
  const parts = [
    schedule?.id,
    clipNorm !== undefined && `clip ${clipNorm}`,
    decoupledWeightDecay !== undefined && `decay ${decoupledWeightDecay}`,
  ].filter(Boolean);
  const ordinal = same.indexOf(choice) + 1;
  const suffix =
    parts.length > 0 ? parts.join(", ") : same.length > 1 && ordinal > 1 ? `${ordinal}` : undefined;
  return {
    optimizer: optimizer.id,
    label: suffix === undefined ? optimizer.title : `${optimizer.title} (${suffix})`,
    hyperparameters: settings,
    ...(schedule && { schedule: describeSchedule(schedule) }),
    ...(clipNorm !== undefined && { clipNorm }),
    ...(decoupledWeightDecay !== undefined && { decoupledWeightDecay }),
  };
}

/** Every combination of the listed values, the last name changing fastest. */
function product(settings: Readonly<Record<string, readonly number[]>>): Record<string, number>[] {
  return Object.entries(settings).reduce<Record<string, number>[]>(
    (sofar, [name, values]) =>
      sofar.flatMap((combination) => values.map((value) => ({ ...combination, [name]: value }))),
    [{}],
  );
}
