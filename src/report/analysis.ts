/**
 * What figures, tables and findings all rest on: the runs of a stored study by optimizer and setting, the best
 * setting of each optimizer, how they stand to each other, and the theory where the problem has one.
 */
import { SlalomError } from "../base/errors.js";
import {
  type BestSetting,
  type BudgetComparison,
  bestSetting,
  compareBudgets,
  type Group,
  type Measure,
  mean,
  rank,
  type Sensitivity,
  type Standings,
  sensitivity,
  seriesOf,
  settingOf,
  type TimeToTarget,
  type Trial,
  timeToTarget,
} from "../lab/statistics/index.js";
import type { Problem } from "../learn/problems/problem.js";
import { isResult, type StoredRun, type StoredStudy, type Target } from "../runs/index.js";
import { type QuadraticModes, quadraticModes } from "../theory/index.js";
import { type Comparison, comparisonsOf } from "./comparisons.js";
import { type Criteria, type Criterion, criteriaOf, targetReached, valueIn } from "./criteria.js";
import { type Position, positionOf } from "./curves.js";
import { listed, settingInWords } from "./words.js";

export interface ReportOptions {
  /** The problem itself, where it is at hand: its surface, its optimum, its theory. */
  readonly problem?: Problem;
  /** Comparisons at settings of one's own; by default those that the study's record names. */
  readonly comparisons?: readonly Comparison[];
  /** Chooses settings; by default the validation loss, else the training loss (or the steps to its target). */
  readonly select?: Measure;
  /** Compares optimizers at their best settings; by default the test accuracy where it was measured. */
  readonly report?: Measure;
}

/** The runs of one setting of one optimizer, by seed. */
export interface SettingResult {
  readonly optimizer: string;
  readonly hyperparameters: Readonly<Record<string, number>>;
  /** The hyperparameters that the study varies, in words: "learning rate 0.1, momentum 0.9". */
  readonly words: string;
  /** The same as code names them: "lr 0.1, momentum 0.9". */
  readonly shortWords: string;
  /** Those that have a result: completed or diverged. */
  readonly runs: readonly StoredRun[];
  readonly diverged: readonly StoredRun[];
}

export interface OptimizerResult {
  /** As the study names it. */
  readonly name: string;
  /** Hyperparameters that take more than one value, `lr` first. */
  readonly varied: readonly string[];
  readonly settings: readonly SettingResult[];
  /** Absent when no setting of it came to an end on every seed. */
  readonly best?: BestResult;
  /** True for plain gradient descent and heavy ball, of which the theory of quadratics speaks. */
  readonly isHeavyBall: boolean;
}

export interface BestResult extends SettingResult {
  readonly evidence: BestSetting;
  /** What chose it: the study's, or the final value where no setting met the target. */
  readonly criterion: Criterion;
  /** Steps, epochs and seconds to each target of the study. */
  readonly targets: readonly (Target & { readonly time: TimeToTarget })[];
  /** The choosing criterion against the learning rate, the other hyperparameters as here; absent for one rate. */
  readonly sensitivity?: Sensitivity;
}

export interface StudyAnalysis extends Criteria {
  readonly study: StoredStudy;
  readonly title: string;
  readonly problem?: Problem;
  /** The spectrum of a quadratic problem and its start. */
  readonly modes?: QuadraticModes;
  readonly optimizers: readonly OptimizerResult[];
  /** Runs with a result. */
  readonly results: readonly StoredRun[];
  /** The optimizers at their best settings, best first. */
  readonly standings: Standings;
  readonly budgets: BudgetComparison;
  readonly comparisons: readonly { id: string; title: string; settings: readonly SettingResult[] }[];
  /** Seeds have no effect: one run says everything. */
  readonly isDeterministic: boolean;
  readonly position: Position;
}

/** Reads summaries only. Throws "data" for a study without a single result, "name" for unknown metrics. */
export function analyse(study: StoredStudy, options: ReportOptions = {}): StudyAnalysis {
  const results = study.runs.filter((run) => isResult(run.status));
  if (results.length === 0) {
    throw new SlalomError(
      "data",
      `report: study "${study.record.name}" has no run with a result yet (${study.runs.length} begun). Run it, or resume it.`,
    );
  }
  const criteria = criteriaOf(study, results, options);
  const optimizers = seriesOf(results).map(({ name, runs }) =>
    optimizerResult(name, runs, criteria, study.record.targets),
  );
  const isDeterministic = study.record.deterministic === true;
  const groups = optimizers.flatMap(({ name, best }): Group[] =>
    best === undefined
      ? []
      : [
          {
            name,
            values: best.runs.map((run) => ({
              seed: run.configuration.seed,
              value: valueIn(run, criteria.report),
            })),
          },
        ],
  );
  return {
    study,
    ...criteria,
    title: study.record.title ?? study.record.name,
    problem: options.problem,
    modes: options.problem?.quadratic && quadraticModes(options.problem.quadratic),
    optimizers,
    results,
    standings: rank(groups, {
      better: criteria.report.better,
      randomness: isDeterministic ? "none" : "seeds",
    }),
    budgets: compareBudgets(
      optimizers.map(({ name, settings }) => ({
        name,
        scores: settings.map(({ runs }) => mean(runs.map((run) => valueIn(run, criteria.select)))),
        runs: settings.reduce((sum, { runs }) => sum + runs.length, 0),
        steps: settings.reduce(
          (sum, { runs }) => sum + runs.reduce((steps, run) => steps + (run.summary?.stepsDone ?? 0), 0),
          0,
        ),
      })),
      criteria.select.better,
    ),
    comparisons: (options.comparisons ?? comparisonsOf(study.record)).map(({ id, title, settings }) => ({
      id,
      title,
      settings: settings.flatMap((wanted) => findSetting(optimizers, wanted) ?? []),
    })),
    isDeterministic,
    position: positionOf(results),
  };
}

/** The optimizers that have a best setting, in the study's order. */
export const withBest = (analysis: StudyAnalysis): (OptimizerResult & { best: BestResult })[] =>
  analysis.optimizers.flatMap((optimizer) =>
    optimizer.best === undefined ? [] : [{ ...optimizer, best: optimizer.best }],
  );

/** A setting's words within a sentence: "learning rate 0.1 and momentum 0.9". */
export const inProse = (words: string): string => listed(words.split(", "));

/** "SGD at learning rate 0.1", or only the name where nothing varies. */
export const settingName = ({ optimizer, words }: SettingResult): string =>
  words === "" ? optimizer : `${optimizer} at ${inProse(words)}`;

function optimizerResult(
  name: string,
  runs: readonly StoredRun[],
  criteria: Criteria,
  targets: readonly Target[],
): OptimizerResult {
  const varied = variedNames(runs);
  const grouped = new Map<string, StoredRun[]>();
  for (const run of runs) {
    const key = settingOf(run.configuration);
    grouped.set(key, [...(grouped.get(key) ?? []), run]);
  }
  const settings = [...grouped.values()].map((own): SettingResult => {
    const { hyperparameters } = own[0].configuration;
    return {
      optimizer: name,
      hyperparameters,
      words: settingInWords(hyperparameters, { names: varied }),
      shortWords: settingInWords(hyperparameters, { names: varied, style: "short" }),
      runs: own,
      diverged: own.filter((run) => run.status === "diverged"),
    };
  });
  const { optimizer, schedule, clipNorm, decoupledWeightDecay, average } = runs[0].configuration;
  const isPlain = [schedule, clipNorm, decoupledWeightDecay, average].every((around) => around === undefined);
  return {
    name,
    varied,
    settings,
    best: bestOf(settings, criteria, targets),
    isHeavyBall: isPlain && (optimizer === "sgd" || optimizer === "momentum"),
  };
}

/** The best setting by the study's criterion; where no setting ever meets that, by the final value. */
function bestOf(
  settings: readonly SettingResult[],
  criteria: Criteria,
  targets: readonly Target[],
): BestResult | undefined {
  for (const criterion of [criteria.select, criteria.fallback]) {
    const trials = settings.flatMap(({ hyperparameters, runs }) =>
      runs.map(
        (run): Trial => ({
          setting: settingOf(run.configuration),
          hyperparameters,
          seed: run.configuration.seed,
          select: valueIn(run, criterion),
          report: valueIn(run, criteria.report),
        }),
      ),
    );
    const evidence = bestSetting(trials, { better: criterion.better });
    const result = settings.find(({ runs }) => settingOf(runs[0].configuration) === evidence?.setting);
    if (evidence === undefined || result === undefined) continue;
    return {
      ...result,
      evidence,
      criterion,
      targets: targets.flatMap((target) => {
        const time = timeToTarget(result.runs.map((run) => reachedBy(run, target)));
        return time === undefined ? [] : [{ ...target, time }];
      }),
      sensitivity: sensitivityTo("lr", settings, result, criterion),
    };
  }
  return undefined;
}

/** The criterion against one hyperparameter, the others as in `setting`; absent where it takes one value. */
export function sensitivityTo(
  name: string,
  settings: readonly SettingResult[],
  setting: SettingResult,
  criterion: Criterion,
): Sensitivity | undefined {
  const slice = sliceThrough(name, settings, setting);
  if (slice.length < 2) return undefined;
  const runs = slice.flatMap(({ hyperparameters, runs: own }) =>
    own.map((run) => ({
      x: hyperparameters[name],
      seed: run.configuration.seed,
      value: valueIn(run, criterion),
    })),
  );
  return sensitivity(runs, { better: criterion.better, tolerance: criterion.tolerance });
}

/** The settings that differ from `setting` in this hyperparameter alone, and itself; values above 0. */
export const sliceThrough = (
  name: string,
  settings: readonly SettingResult[],
  setting: SettingResult,
): SettingResult[] =>
  settings.filter(({ hyperparameters }) =>
    Object.entries(hyperparameters).every(([other, value]) =>
      other === name ? value > 0 : value === setting.hyperparameters[other],
    ),
  );

/** A diverged run has not reached the target, whatever it passed on its way. */
function reachedBy({ status, summary }: StoredRun, target: Target) {
  const never = { step: null, epoch: null, timeS: null };
  return status === "completed" && summary ? (targetReached(summary.targets, target) ?? never) : never;
}

function findSetting(
  optimizers: readonly OptimizerResult[],
  wanted: Comparison["settings"][number],
): SettingResult | undefined {
  return optimizers
    .filter(({ name, settings }) =>
      [name, settings[0].runs[0].configuration.optimizer].includes(wanted.optimizer),
    )
    .flatMap(({ settings }) => settings)
    .find(({ hyperparameters }) =>
      Object.entries(wanted.hyperparameters).every(([name, value]) => hyperparameters[name] === value),
    );
}

function variedNames(runs: readonly StoredRun[]): string[] {
  const names = Object.keys(runs[0].configuration.hyperparameters).filter(
    (name) => new Set(runs.map(({ configuration }) => configuration.hyperparameters[name])).size > 1,
  );
  return [...names.filter((name) => name === "lr"), ...names.filter((name) => name !== "lr")];
}
