/** From stored runs to the statistics' plain inputs, and the statistics of a whole study in one call. */
import { SlalomError, unknownName } from "../../base/errors.js";
import {
  betterSide,
  isResult,
  type RunConfiguration,
  type RunSummary,
  type StoredRun,
  type StoredStudy,
  type Target,
} from "../../runs/index.js";
import { canonical } from "../../runs/json.js";
import { type BestSetting, bestSetting, type Trial } from "./best.js";
import { type BudgetComparison, compareBudgets } from "./budget.js";
import { mean } from "./intervals.js";
import { type Better, rank, type Standings } from "./paired.js";
import type { Resampling } from "./resampling.js";
import { type Sensitivity, sensitivity, type Tolerance } from "./sensitivity.js";
import { type TimeToTarget, timeToTarget } from "./targets.js";

/** Which value of a run counts. */
export interface Measure {
  readonly metric: string;
  /** The last measured value, or the best one of the run; "final" by default. */
  readonly at?: "final" | "best";
}

export interface StudyStatisticsOptions extends Resampling {
  /** Chooses settings; `validationLoss` where it was measured, else `trainLoss`. Never a test metric. */
  readonly select?: Measure;
  /** Is reported and compared; `testAccuracy`, else `testLoss`, else the selecting one. */
  readonly report?: Measure;
  /** Confidence, 0.95 by default. */
  readonly level?: number;
  /** Of the good range; a tenth of the best loss, or 0.01 of an accuracy, by default. */
  readonly tolerance?: Tolerance;
}

export interface OptimizerStatistics {
  /** The label, else the optimizer's name. */
  readonly name: string;
  readonly optimizer: string;
  readonly runs: { readonly completed: number; readonly diverged: number; readonly unfinished: number };
  /** Undefined while nothing is finished, or when a seed of every setting diverged. */
  readonly best?: BestSetting;
  /** At the best setting. */
  readonly targets: readonly (Target & { readonly time: TimeToTarget })[];
  /** By hyperparameter with several positive values: the selecting metric, the others at their best values. */
  readonly sensitivity: Readonly<Record<string, Sensitivity>>;
}

export interface StudyStatistics {
  readonly select: Required<Measure> & { readonly better: Better };
  /** `independent`: it was not used to choose the settings. */
  readonly report: Required<Measure> & { readonly better: Better; readonly independent: boolean };
  readonly level: number;
  /** In the study's order. */
  readonly optimizers: readonly OptimizerStatistics[];
  /** The optimizers at their best settings by the reported metric, seeds paired, all pairs corrected. */
  readonly comparison: Standings;
  readonly budget: BudgetComparison;
}

/**
 * All that is said of a study. Errors: no finished run, a metric that no run has, selection on a test metric.
 */
export function studyStatistics(study: StoredStudy, options: StudyStatisticsOptions = {}): StudyStatistics {
  const { level = 0.95 } = options;
  const { select, report } = measuresOf(study.runs, options);
  const better = betterOf(select.metric);
  const resampling = { resamples: options.resamples, resamplingSeed: options.resamplingSeed };
  const tolerance = options.tolerance ?? (better === "lower" ? { relative: 0.1 } : { absolute: 0.01 });
  const analysed = seriesOf(study.runs).map(({ name, runs }) => {
    const trials = trialsOf(runs, select, report);
    const best = bestSetting(trials, { better, level, ...resampling });
    const atBest = runs.filter((run) => settingOf(run.configuration) === best?.setting);
    const statistics: OptimizerStatistics = {
      name,
      optimizer: runs[0].configuration.optimizer,
      runs: {
        completed: runs.filter(({ status }) => status === "completed").length,
        diverged: runs.filter(({ status }) => status === "diverged").length,
        unfinished: runs.filter(({ status }) => !isResult(status)).length,
      },
      best,
      targets: study.record.targets.flatMap((target) => targetAt(target, atBest) ?? []),
      sensitivity: best ? slices(trials, best, { better, tolerance, level, ...resampling }) : {},
    };
    return { statistics, runs, trials };
  });
  const groups = analysed.flatMap(({ statistics: { name, best } }) =>
    best ? [{ name, values: best.values }] : [],
  );
  const budgets = analysed.map(({ statistics, runs, trials }) => ({
    name: statistics.name,
    scores: settingMeans(trials),
    runs: runs.length,
    steps: runs.reduce((steps, { summary }) => steps + (summary?.stepsDone ?? 0), 0),
  }));
  const reportBetter = betterOf(report.metric);
  return {
    select: { ...select, better },
    report: { ...report, better: reportBetter, independent: report.metric !== select.metric },
    level,
    optimizers: analysed.map(({ statistics }) => statistics),
    comparison: rank(groups, {
      better: reportBetter,
      level,
      randomness: study.record.deterministic ? "none" : "seeds",
    }),
    budget: compareBudgets(budgets, better),
  };
}

/** Runs by what figures and tables call their optimizer, in the given order. */
export function seriesOf(runs: readonly StoredRun[]): { name: string; runs: StoredRun[] }[] {
  const series = new Map<string, StoredRun[]>();
  for (const run of runs) {
    const name = run.configuration.label ?? run.configuration.optimizer;
    const known = series.get(name);
    if (known) known.push(run);
    else series.set(name, [run]);
  }
  return [...series].map(([name, members]) => ({ name, runs: members }));
}

/** A configuration's setting in words, equal for all its seeds: `lr=0.01, momentum=0.6`. */
export function settingOf(configuration: RunConfiguration): string {
  const { hyperparameters, schedule, clipNorm, decoupledWeightDecay, average } = configuration;
  const values = Object.entries(hyperparameters).map(([name, value]) => `${name}=${value}`);
  const extras = Object.entries({ schedule, clipNorm, decoupledWeightDecay, average })
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name}=${canonical(value)}`);
  return [...values, ...extras].join(", ");
}

/** The results among the runs (completed or diverged) as trials; a diverged run's `select` is NaN. */
export function trialsOf(runs: readonly StoredRun[], select: Measure, report: Measure = select): Trial[] {
  return runs.flatMap(({ id, configuration, status, summary }): Trial[] => {
    if (summary === undefined || !isResult(status)) return [];
    const diverged = status === "diverged";
    const { hyperparameters, seed } = configuration;
    return [
      {
        setting: settingOf(configuration),
        hyperparameters,
        seed,
        select: diverged ? Number.NaN : measured(id, summary, select),
        report: diverged ? Number.NaN : measured(id, summary, report),
      },
    ];
  });
}

/** The better side of a metric as the statistics call it. */
export const betterOf = (metric: string): Better => (betterSide(metric) === "above" ? "higher" : "lower");

/** The metrics that choose and that are reported: those asked for, else the defaults for what was measured. */
export function measuresOf(
  runs: readonly StoredRun[],
  options: Pick<StudyStatisticsOptions, "select" | "report">,
): { select: Required<Measure>; report: Required<Measure> } {
  const results = runs.filter(({ status }) => isResult(status));
  const metrics = [...new Set(results.flatMap(({ summary }) => Object.keys(summary?.final ?? {})))];
  if (metrics.length === 0) {
    throw new SlalomError(
      "data",
      "statistics: no run has a result yet; expected at least one. Run or resume the study.",
    );
  }
  const asked = (measure: Measure): Required<Measure> => {
    if (!metrics.includes(measure.metric)) throw unknownName("metric", measure.metric, metrics);
    return { at: "final", ...measure };
  };
  const first = (names: readonly string[]) => names.find((name) => metrics.includes(name));
  const select = asked(options.select ?? { metric: first(["validationLoss", "trainLoss"]) ?? metrics[0] });
  if (select.metric.startsWith("test")) {
    throw new SlalomError(
      "option",
      `statistics: can't choose settings by ${select.metric}: the test set would no longer be independent. Choose by a validation or training metric and report ${select.metric}.`,
    );
  }
  const tested = first(["testAccuracy", "testLoss"]);
  const report = asked(options.report ?? (tested === undefined ? select : { metric: tested }));
  if (report.metric.startsWith("test") && report.at === "best") {
    throw new SlalomError(
      "option",
      `statistics: the best ${report.metric} of a run would be chosen by the test set. Report its final value.`,
    );
  }
  return { select, report };
}

/** A run's value; an error that lists its metrics where it was not measured. */
function measured(id: string, summary: RunSummary, { metric, at = "final" }: Measure): number {
  const value = at === "final" ? summary.final[metric] : summary.best[metric]?.value;
  if (value === undefined) throw unknownName(`metric in run ${id}`, metric, Object.keys(summary.final));
  return value;
}

/** A diverged run has not reached the target, whatever it passed on its way. */
function targetAt(target: Target, runs: readonly StoredRun[]): (Target & { time: TimeToTarget }) | undefined {
  const never = { step: null, epoch: null, timeS: null };
  const times = runs.flatMap(({ status, summary }) => {
    if (summary === undefined || !isResult(status)) return [];
    const reached = summary.targets.find(
      ({ metric, value, direction }) =>
        metric === target.metric && value === target.value && direction === target.direction,
    );
    return [status === "completed" && reached ? reached : never];
  });
  const time = timeToTarget(times);
  return time && { ...target, time };
}

/** The metric against each hyperparameter through the best setting. */
function slices(
  trials: readonly Trial[],
  best: BestSetting,
  options: Parameters<typeof sensitivity>[1],
): Record<string, Sensitivity> {
  const names = Object.keys(best.hyperparameters).filter((name) => {
    const values = new Set(trials.map(({ hyperparameters }) => hyperparameters[name]));
    return values.size > 1 && [...values].every((value) => value > 0);
  });
  const onSlice = (trial: Trial, free: string) =>
    Object.entries(best.hyperparameters).every(
      ([name, value]) => name === free || trial.hyperparameters[name] === value,
    );
  return Object.fromEntries(
    names.map((name) => {
      const runs = trials
        .filter((trial) => onSlice(trial, name))
        .map(({ hyperparameters, seed, select }) => ({ x: hyperparameters[name], seed, value: select }));
      return [name, sensitivity(runs, options)];
    }),
  );
}

function settingMeans(trials: readonly Trial[]): number[] {
  const values = new Map<string, number[]>();
  for (const { setting, select } of trials) values.set(setting, [...(values.get(setting) ?? []), select]);
  return [...values.values()].map(mean);
}
