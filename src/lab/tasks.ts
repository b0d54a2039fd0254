/** A study as work: the configurations of its grid, and tasks of lanes that train side by side. */
import { unknownName } from "../base/errors.js";
import { sizeOf } from "../base/shape.js";
import { topologicalOrder } from "../graph/traverse.js";
import { describeAverage } from "../learn/averages/index.js";
import type { Dataset, SplitName } from "../learn/datasets/dataset.js";
import type { OptimizerChoice } from "../learn/optimizers/optimizer.js";
import { describeSchedule } from "../learn/schedules/index.js";
import type { OptimizerGrid, RunConfiguration, StudyRecord, Versions } from "../runs/records.js";
import {
  evaluatedMetrics,
  type LaneTraining,
  laneProgram,
  metricsOf,
  startsAlike,
  stepsPerEpoch,
  variableNames,
} from "../train/index.js";
import type { Study } from "./study.js";

/** A run of a study: its configuration, and which of the study's optimizers it trains with. */
export interface StudyRun {
  readonly choice: number;
  readonly configuration: RunConfiguration;
}

/** Runs of one optimizer and one seed, trained as lanes of one program. */
export interface Task {
  /** Which of the study's optimizers. */
  readonly choice: number;
  readonly seed: number;
  readonly configurations: readonly RunConfiguration[];
  /** Where it goes on from; its ended lanes have results, and train no more. */
  readonly checkpoint?: {
    readonly path: string;
    readonly step: number;
    /** Numbers of the lanes that have ended. */
    readonly ended: readonly number[];
  };
}

/** The study as the store keeps it. */
export function recordOf(study: Study, versions: Versions, deterministic: boolean): StudyRecord {
  const { name, title, problem, seeds, epochs, steps, batchSize, shuffle, dtype, targets, comparisons } =
    study;
  const { microBatch, earlyStopping } = study;
  // What stands at its default is left out: studies of earlier versions stay the same question.
  const options = {
    ...(study.test !== "each" && { test: study.test }),
    ...(study.trainMetrics && { trainMetrics: true }),
    ...(study.gradientNoise && { gradientNoise: true }),
    ...(study.keepModel && { keepModel: true }),
    ...(study.precision !== "float32" && { precision: study.precision }),
    // The rhythm of evaluations changes results only where it decides when runs end.
    ...(earlyStopping && study.evaluateEvery !== undefined && { evaluateEvery: study.evaluateEvery }),
    ...(comparisons.length > 0 && {
      comparisons: comparisons.map((comparison) => ({
        ...comparison,
        settings: comparison.settings.map((s) => ({ ...s })),
      })),
    }),
  };
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
    ...(microBatch !== undefined && { microBatch }),
    shuffle,
    dtype,
    targets,
    ...(earlyStopping && { earlyStopping }),
    ...(deterministic && { deterministic }),
    ...(Object.keys(options).length > 0 && { options }),
    versions,
    created: new Date().toISOString(),
  };
}

/** Every run that the study consists of: for each optimizer the product of its settings, for each seed; on the backend of this name. */
export function configurationsOf(
  study: Study,
  dataset: Dataset | undefined,
  seeds: readonly number[],
  backend: string,
): StudyRun[] {
  const steps = totalSteps(study, dataset);
  const earlyStopping = study.earlyStopping && {
    ...study.earlyStopping,
    evaluateEvery: evaluationSteps(study, dataset),
  };
  return study.optimizers.flatMap((choice, i) => {
    const { optimizer, label, hyperparameters: _values, ...around } = gridOf(study, choice);
    return product(choice.settings).flatMap((hyperparameters) =>
      seeds.map((seed) => ({
        choice: i,
        configuration: {
          problem: study.problem.name,
          problemOptions: study.problem.options,
          optimizer,
          ...(label !== undefined && { label }),
          hyperparameters,
          ...around,
          seed,
          ...(study.batchSize !== "full" && { batchSize: study.batchSize }),
          ...(study.microBatch !== undefined && { microBatch: study.microBatch }),
          ...(study.epochs !== undefined && { epochs: study.epochs }),
          steps,
          shuffle: study.shuffle,
          dtype: study.dtype,
          ...(study.precision !== "float32" && { precision: study.precision }),
          backend,
          ...(earlyStopping && { earlyStopping }),
        },
      })),
    );
  });
}

/** Tasks for the given runs: lanes of one optimizer and seed together, dearest first, enough for all workers. */
export function tasksFor(runs: readonly StudyRun[], options: { workers: number; maxLanes: number }): Task[] {
  const groups = groupedRuns(runs).map((group) => {
    const [{ choice, configuration }] = group;
    return { choice, seed: configuration.seed, configurations: group.map((run) => run.configuration) };
  });
  // No task longer than a worker's fair share, or one worker ends long after the others.
  const share = Math.ceil(runs.length / options.workers);
  const lanes = Math.max(1, Math.min(options.maxLanes, share));
  return groups
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

/** Runs that can be lanes of one program together: those of one optimizer and seed. */
export function groupedRuns(runs: readonly StudyRun[]): StudyRun[][] {
  const groups = new Map<string, StudyRun[]>();
  for (const run of runs) {
    const key = `${run.choice}/${run.configuration.seed}`;
    const group = groups.get(key);
    if (group) group.push(run);
    else groups.set(key, [run]);
  }
  return [...groups.values()];
}

/** What the training loop is told of a task. */
export function laneTraining(study: Study, dataset: Dataset | undefined, task: Task): LaneTraining {
  const { batchSize, microBatch, shuffle, dtype } = study;
  const steps = totalSteps(study, dataset);
  const isBatched = dataset !== undefined && batchSize !== "full";
  const evaluated = evaluatedSplits(dataset);
  return {
    problem: study.problem,
    ...(dataset && { dataset }),
    choice: study.optimizers[task.choice],
    lanes: task.configurations.map(({ hyperparameters }) => hyperparameters),
    seed: task.seed,
    batchSize,
    ...(microBatch !== undefined && { microBatch }),
    steps,
    shuffle,
    dtype,
    ...(study.precision !== "float32" && { precision: study.precision }),
    evaluate: evaluated.filter((split) => study.test === "each" || split !== "test"),
    evaluateAtEnd: evaluated.filter((split) => study.test === "end" && split === "test"),
    trainMetrics: study.trainMetrics && isBatched,
    gradientNoise: study.gradientNoise,
    keepModel: study.keepModel,
    ...(study.earlyStopping && { earlyStopping: study.earlyStopping }),
    evaluateEvery: evaluationSteps(study, dataset),
    recordEvery: study.recordEvery ?? (isBatched ? 0 : 1),
    recordParameters: !isBatched && parameterCount(study, dataset) <= mostRecordedParameters,
  };
}

/** Steps between evaluations: the nearest to what is asked for, at least one. */
function evaluationSteps(study: Study, dataset: Dataset | undefined): number {
  const { evaluateEvery: asked, batchSize } = study;
  if (typeof asked === "number") return asked;
  if (asked && "steps" in asked) return asked.steps;
  const perEpoch = dataset && stepsPerEpoch(dataset.train.count, batchSize);
  if (asked && perEpoch) return Math.max(1, Math.round(asked.epochs * perEpoch));
  if (perEpoch && batchSize !== "full") return perEpoch;
  return Math.max(1, Math.floor(totalSteps(study, dataset) / 100));
}

/** Rows hold the parameters of problems that one can draw. */
const mostRecordedParameters = 4;

/** The training of the study's first optimizer, with no settings yet: for questions about its program. */
const withoutLanes = (study: Study, dataset: Dataset | undefined): LaneTraining =>
  laneTraining(study, dataset, { choice: 0, seed: 0, configurations: [] });

/** Whether a seed changes nothing: training draws no random number, and every seed starts alike. */
export function isDeterministic(study: Study, dataset: Dataset | undefined): boolean {
  // What rows hold changes nothing, and one rank may not be able to tell the noise.
  const { program, built } = laneProgram({ ...withoutLanes(study, dataset), gradientNoise: false }, 1);
  const computed = Object.values(program.entries).flatMap(({ updates, traces }) => [
    ...Object.values(updates),
    ...Object.values(traces),
  ]);
  const read = new Set(topologicalOrder(computed));
  const keys = [variableNames.orderKey, variableNames.modelKey].map((name) => program.variables[name]);
  if (keys.some((key) => key && read.has(key))) return false;
  return startsAlike(built, study.dtype);
}

/** @throws SlalomError "option" for a target or early stopping by a metric that the study does not measure for it */
export function checkMetrics(study: Study, dataset: Dataset | undefined): void {
  const training = withoutLanes(study, dataset);
  const metrics = metricsOf(training);
  for (const { metric } of study.targets) {
    if (!metrics.includes(metric)) throw unknownName("metric of a target", metric, metrics, "option");
  }
  const watched = study.earlyStopping?.metric;
  const evaluated = evaluatedMetrics(training).filter((metric) => !metric.startsWith("test"));
  if (watched !== undefined && !evaluated.includes(watched))
    throw unknownName("metric of early stopping", watched, evaluated, "option");
}

/** Updates of one run. */
export function totalSteps({ steps, epochs, batchSize }: Study, dataset: Dataset | undefined): number {
  return steps ?? epochs! * (dataset ? stepsPerEpoch(dataset.train.count, batchSize) : 1);
}

const evaluatedSplits = (dataset: Dataset | undefined): SplitName[] =>
  (["validation", "test"] as const).filter((split) => dataset?.[split] !== undefined);

const parameterCount = (study: Study, dataset: Dataset | undefined): number =>
  Object.values(study.problem.build(dataset).parameters).reduce((sum, { shape }) => sum + sizeOf(shape), 0);

function gridOf(study: Study, choice: OptimizerChoice): OptimizerGrid {
  const { optimizer, settings, schedule, clipNorm, decoupledWeightDecay, average } = choice;
  return {
    optimizer: optimizer.id,
    label: labelOf(study, choice),
    hyperparameters: settings,
    ...(schedule && { schedule: describeSchedule(schedule) }),
    ...(clipNorm !== undefined && { clipNorm }),
    ...(decoupledWeightDecay !== undefined && { decoupledWeightDecay }),
    ...(average && { average: describeAverage(average) }),
  };
}

/** The optimizer's title with what goes around it; choices that would be called the same are numbered from 2. */
function labelOf({ optimizers }: Study, choice: OptimizerChoice): string {
  const own = titleOf(choice);
  const alike = optimizers.filter((other) => titleOf(other).text === own.text);
  const number = alike.indexOf(choice) + 1;
  const parts = [...own.around, ...(number > 1 ? [`${number}`] : [])];
  return parts.length > 0 ? `${choice.optimizer.title} (${parts.join(", ")})` : choice.optimizer.title;
}

function titleOf({ optimizer, schedule, clipNorm, decoupledWeightDecay, average }: OptimizerChoice) {
  const around = [
    ...(schedule ? [schedule.id] : []),
    ...(clipNorm !== undefined ? [`clip ${clipNorm}`] : []),
    ...(decoupledWeightDecay !== undefined ? [`decay ${decoupledWeightDecay}`] : []),
    ...(average ? [average.title] : []),
  ];
  return { around, text: [optimizer.id, ...around].join() };
}

/** Every combination of the listed values, the last name changing fastest. */
function product(settings: Readonly<Record<string, readonly number[]>>): Record<string, number>[] {
  return Object.entries(settings).reduce<Record<string, number>[]>(
    (sofar, [name, values]) =>
      sofar.flatMap((combination) => values.map((value) => ({ ...combination, [name]: value }))),
    [{}],
  );
}
