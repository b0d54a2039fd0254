/** The best setting of an optimizer: chosen on one metric, reported on another, with the doubt in the choice. */
import { type Interval, interval, mean } from "./intervals.js";
import type { Better, SeedValue } from "./paired.js";
import { eachResample, type Resampling } from "./resampling.js";

/** One run of one setting. */
export interface Trial {
  /** The setting's name, equal for its seeds. */
  readonly setting: string;
  readonly hyperparameters: Readonly<Record<string, number>>;
  readonly seed: number;
  /** The metric that chooses; not finite for a diverged run. */
  readonly select: number;
  /** The metric that is reported: measured on data that did not choose. */
  readonly report?: number;
}

export interface BestSettingOptions extends Resampling {
  /** The better side of `select`. */
  readonly better: Better;
  /** Confidence, 0.95 by default. */
  readonly level?: number;
}

export interface BestSetting {
  readonly setting: string;
  readonly hyperparameters: Readonly<Record<string, number>>;
  /** Mean of `select` over the seeds. It chose the setting, so it flatters it: quote `report`. */
  readonly select: Interval;
  /** Mean of `report`; absent where it was not measured or is not finite. */
  readonly report?: Interval;
  /** `report` (else `select`) of each seed, for paired comparisons. */
  readonly values: readonly SeedValue[];
  /** How many settings were tried; in how many of them a seed diverged, or is missing. */
  readonly settings: { readonly tried: number; readonly diverged: number; readonly incomplete: number };
  /** Hyperparameters whose best value is the first or last of those tried: the grid may be too short. */
  readonly edges: Readonly<Record<string, "lowest" | "highest">>;
  /** How the choice varies when the seeds are resampled; absent with one seed. */
  readonly choice?: {
    /** Share of resamples in which this setting is chosen again. */
    readonly stability: number;
    /** By hyperparameter: the range that the chosen values span at `level`; always tried values. */
    readonly range: Readonly<Record<string, { readonly low: number; readonly high: number }>>;
  };
}

/**
 * The setting with the best mean of `select` over the seeds; undefined when every setting diverged or there
 * are no trials.
 *
 * A setting with a diverged seed can't win, nor one that has fewer seeds than others (a study in progress).
 * The doubt in the choice: seeds are resampled jointly for all settings (they share batches), and the best is
 * chosen again each time. Ties go to the setting that comes first.
 */
export function bestSetting(trials: readonly Trial[], options: BestSettingOptions): BestSetting | undefined {
  const { better, level = 0.95 } = options;
  const settings = bySetting(trials);
  const most = Math.max(0, ...settings.map(({ runs }) => runs.size));
  const diverged = settings.filter(({ runs }) =>
    [...runs.values()].some(({ select }) => !Number.isFinite(select)),
  );
  const complete = settings.filter(({ runs }) => runs.size === most);
  const eligible = complete.filter((setting) => !diverged.includes(setting));
  if (eligible.length === 0) return undefined;

  const sign = better === "lower" ? 1 : -1;
  const seeds = [...eligible[0].runs.keys()].sort((a, b) => a - b);
  const scores = eligible.map(({ runs }) =>
    seeds.map((seed) => sign * (runs.get(seed)?.select ?? Number.NaN)),
  );
  const chosen = lowestMean(scores);
  const { name, hyperparameters, runs } = eligible[chosen];
  const own = [...runs.values()].sort((a, b) => a.seed - b.seed);
  const reports = own.map(({ report }) => report ?? Number.NaN);
  const isReported = reports.every(Number.isFinite);
  return {
    setting: name,
    hyperparameters,
    select: interval(
      own.map(({ select }) => select),
      { level },
    ),
    report: isReported ? interval(reports, { level }) : undefined,
    values: own.map(({ seed, select, report }) => ({ seed, value: report ?? select })),
    settings: {
      tried: settings.length,
      diverged: diverged.length,
      incomplete: settings.length - complete.length,
    },
    edges: edgesOf(settings, hyperparameters),
    choice: choiceOf(eligible, scores, chosen, level, options),
  };
}

interface Setting {
  readonly name: string;
  readonly hyperparameters: Readonly<Record<string, number>>;
  readonly runs: Map<number, Trial>;
}

function bySetting(trials: readonly Trial[]): Setting[] {
  const settings = new Map<string, Setting>();
  for (const trial of trials) {
    const known = settings.get(trial.setting);
    if (known) known.runs.set(trial.seed, trial);
    else {
      const { setting, hyperparameters, seed } = trial;
      settings.set(setting, { name: setting, hyperparameters, runs: new Map([[seed, trial]]) });
    }
  }
  return [...settings.values()];
}

/** Index of the row with the lowest mean; a row with a missing seed (NaN) never. */
function lowestMean(scores: readonly (readonly number[])[]): number {
  let best = 0;
  const means = scores.map(mean);
  for (const [i, value] of means.entries()) if (value < means[best] || Number.isNaN(means[best])) best = i;
  return best;
}

function choiceOf(
  eligible: readonly Setting[],
  scores: readonly (readonly number[])[],
  chosen: number,
  level: number,
  resampling: Resampling,
): BestSetting["choice"] {
  const seeds = scores[chosen].length;
  if (seeds < 2) return undefined;
  const wins = new Float64Array(scores.length);
  const count = eachResample(seeds, resampling, (indices) => {
    let best = chosen;
    let bestSum = sumAt(scores[chosen], indices);
    for (let i = 0; i < scores.length; i++) {
      const sum = sumAt(scores[i], indices);
      if (sum < bestSum) {
        best = i;
        bestSum = sum;
      }
    }
    wins[best]++;
  });
  const names = Object.keys(eligible[chosen].hyperparameters);
  const range = names.map((name) => {
    const weighted = eligible
      .map(({ hyperparameters }, i) => ({ value: hyperparameters[name], share: wins[i] / count }))
      .sort((a, b) => a.value - b.value);
    return [
      name,
      { low: reach(weighted, (1 - level) / 2), high: reach(weighted.reverse(), (1 - level) / 2) },
    ];
  });
  return { stability: wins[chosen] / count, range: Object.fromEntries(range) };
}

function sumAt(row: readonly number[], indices: Int32Array): number {
  let sum = 0;
  for (let i = 0; i < indices.length; i++) sum += row[indices[i]];
  return sum;
}

/** The first value at which the running share exceeds `share`. */
function reach(weighted: readonly { value: number; share: number }[], share: number): number {
  let total = 0;
  for (const { value, share: own } of weighted) {
    total += own;
    if (total > share) return value;
  }
  return weighted[weighted.length - 1].value;
}

function edgesOf(
  settings: readonly Setting[],
  best: Readonly<Record<string, number>>,
): Record<string, "lowest" | "highest"> {
  const edges: Record<string, "lowest" | "highest"> = {};
  for (const [name, value] of Object.entries(best)) {
    const tried = settings.map(({ hyperparameters }) => hyperparameters[name]);
    const [lowest, highest] = [Math.min(...tried), Math.max(...tried)];
    if (lowest === highest) continue;
    if (value === lowest) edges[name] = "lowest";
    else if (value === highest) edges[name] = "highest";
  }
  return edges;
}
