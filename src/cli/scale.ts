/** `slalom scale`: how much faster a training gets with ranks, with certificates, tables and figures. */
import { join } from "node:path";
import type { StudyForecast } from "../lab/forecast.js";
import type { Study } from "../lab/index.js";
import { type ScalingMode, type ScalingStudy, scale } from "../lab/scaling.js";
import { keepScaling } from "../lab/scalingStore.js";
import { type TargetStudy, targetOf, trainToTarget } from "../lab/targetTraining.js";
import type { BackendChoice } from "../launch/backendChoice.js";
import { loadStudies } from "../launch/studySource.js";
import { worldOf } from "../launch/world.js";
import type { BatchRule } from "../learn/schedules/index.js";
import { isCertified, writeScalingFigures } from "../report/scaling/write.js";
import { listed, targetInWords } from "../report/words.js";
import { exitCodes } from "./exit.js";
import { type ForecastArguments, forecastFromMeasured, showForecast } from "./forecast.js";
import type { Output } from "./output.js";
import type { GoalArgument } from "./scaleArguments.js";
import { Backends, ranksOfEach } from "./scaleBackends.js";
import { pointText, scalingText, targetText, trainingText } from "./scaleText.js";
import { followIfTold } from "./training.js";

export interface ScaleCommandOptions {
  readonly backend: BackendChoice;
  readonly mode: ScalingMode;
  /** To measure, over all processes. */
  readonly ranks: readonly number[];
  /** The study's own by default. */
  readonly batchSizes?: readonly number[];
  /** Of the trainings that certify. */
  readonly steps?: number;
  /** How far to train as well, and how; absent: steps are measured alone. */
  readonly target?: TargetArguments;
  readonly forecast?: ForecastArguments;
  /** Folder of the run store that keeps the result. */
  readonly out: string;
}

export interface TargetArguments {
  readonly goal: GoalArgument;
  readonly rules: readonly BatchRule[];
  readonly epochs?: number;
  readonly warmupEpochs?: number;
  readonly seeds?: number;
}

export async function scaleStudies(
  path: string,
  options: ScaleCommandOptions,
  output: Output,
): Promise<number> {
  const world = worldOf(process.env);
  const each = ranksOfEach(options.ranks, options.backend, world);
  const followed = await followIfTold(options.backend, each);
  if (followed !== undefined) return followed;
  const backends = new Backends(options.backend, each, world);
  await backends.check(Math.max(...options.ranks));
  const results: ScalingStudy[] = [];
  const forecasts: StudyForecast[] = [];
  try {
    for (const study of await loadStudies(path)) {
      if (results.length > 0) output.text("");
      const scaling = await scaledStudy(study, options, { backends, output });
      const folder = join(options.out, study.name);
      const kept = keepScaling(folder, scaling);
      if (isCertified(scaling)) {
        const stem = kept.replace(/\.json$/, "-");
        const figures = writeScalingFigures(kept, scaling);
        const drawn = listed(figures.map(({ svg }) => svg.slice(stem.length, -".svg".length)));
        output.text(output.style.dim(`Kept as ${kept}, with figures of the same name: ${drawn}`));
      } else {
        output.text(
          output.style.dim(`Kept as ${kept}; not drawn: ranks without a certificate have no speed-up.`),
        );
      }
      results.push(scaling);
      if (options.forecast) {
        const made = await forecastFromMeasured(study, scaling, options.forecast, backends);
        output.text("");
        showForecast(made, folder, output);
        forecasts.push(made);
      }
    }
  } finally {
    await backends.close();
  }
  output.result({ scaling: results, ...(options.forecast && { forecasts }) });
  return results.every(isCertified) ? exitCodes.success : exitCodes.failure;
}

/** Measures the study, trains it to the target where there is one, and says what came of it. */
async function scaledStudy(
  study: Study,
  { mode, ranks, steps, target, batchSizes = [study.batchSize as number] }: ScaleCommandOptions,
  { backends, output }: { readonly backends: Backends; readonly output: Output },
): Promise<ScalingStudy> {
  const note = (text: string): void => output.note(output.noteStyle.dim(`${study.name}: ${text}`));
  const goal = target && (await targetOf(study, target.goal));
  const measured = await scale(study, {
    mode,
    ranks,
    batchSizes,
    backendOf: (count) => backends.of(count),
    ...(steps !== undefined && { certifySteps: steps }),
    onPoint: (point) => note(pointText(point)),
  });
  output.text(scalingText(measured, output));
  if (!target || !goal) return measured;
  const trained: TargetStudy = await trainToTarget(study, {
    target: goal,
    rules: target.rules,
    ...(target.epochs !== undefined && { epochs: target.epochs }),
    ...(target.seeds !== undefined && { seeds: target.seeds }),
    ...(target.warmupEpochs !== undefined && { warmupEpochs: target.warmupEpochs }),
    measured: measured.curves.flatMap(({ points }) => points),
    backendOf: (count) => backends.of(count),
    onTraining: (training) => note(trainingText(training, targetInWords(goal))),
  });
  output.text(`\n${targetText(trained, output)}`);
  return { ...measured, target: trained };
}
