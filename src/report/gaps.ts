/** How far runs end above the least loss: at each optimizer's best setting, and at its setting that ends nearest. */
import { type Interval, interval, mean } from "../lab/statistics/index.js";
import type { StoredRun } from "../runs/index.js";
import { type BestResult, type SettingResult, type StudyAnalysis, withBest } from "./analysis.js";

export interface SettingGap {
  readonly setting: SettingResult;
  /** Loss of the final parameters minus the least loss; mean over seeds, with a 95 % interval where there are several. */
  readonly gap: Interval;
}

export interface OptimizerGaps {
  readonly name: string;
  readonly best: SettingGap & { readonly setting: BestResult };
  /** The least mean gap among the settings that came to an end on every seed. */
  readonly nearest: SettingGap;
}

/** Of each optimizer whose best runs tell the loss of their final parameters; none where the optimum is not known. */
export function gapsOf(analysis: StudyAnalysis): OptimizerGaps[] {
  const least = analysis.problem?.optimum?.loss;
  if (least === undefined) return [];
  return withBest(analysis).flatMap(({ name, best, settings }) => {
    const gaps = settings.flatMap((setting) => {
      const losses = setting.runs.map(finalLoss);
      return losses.every(Number.isFinite)
        ? [{ setting, gap: interval(losses.map((loss) => loss - least)), mean: mean(losses) }]
        : [];
    });
    const own = gaps.find(({ setting }) => setting.runs === best.runs);
    if (own === undefined) return [];
    const nearest = gaps.reduce((a, b) => (b.mean < a.mean ? b : a), own);
    return [{ name, best: { setting: best, gap: own.gap }, nearest }];
  });
}

/** Whether losses of steps are those of batches, so that only the end is measured on all examples. */
export const hasBatches = ({ results }: StudyAnalysis): boolean =>
  results.some(({ summary }) => summary?.final.finalTrainLoss !== undefined);

/** The training loss of the final parameters; NaN where the run tells only the losses of batches, or diverged. */
function finalLoss({ summary, status, configuration }: StoredRun): number {
  if (summary === undefined || status !== "completed") return Number.NaN;
  const { finalTrainLoss, trainLoss } = summary.final;
  return finalTrainLoss ?? (configuration.batchSize === undefined ? trainLoss : undefined) ?? Number.NaN;
}
