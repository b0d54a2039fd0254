/** `slalom scale --forecast`: worlds that are not here, from steps that were measured or given. */
import { join } from "node:path";
import { SlalomError } from "../base/errors.js";
import { forecast, type StepTime, type StudyForecast } from "../lab/forecast.js";
import type { Study } from "../lab/index.js";
import type { Link } from "../lab/links.js";
import { measuredLink } from "../lab/measuredLink.js";
import { rankTraining } from "../lab/rankTraining.js";
import type { ScalingMode, ScalingStudy } from "../lab/scaling.js";
import { keepForecast } from "../lab/scalingStore.js";
import { summedPerStep } from "../lab/summed.js";
import { loadStudies } from "../launch/studySource.js";
import { worldOf } from "../launch/world.js";
import { writeForecastFigure } from "../report/scaling/write.js";
import { duration, integer, listed, significant } from "../report/words.js";
import { columns } from "./columns.js";
import { exitCodes } from "./exit.js";
import type { Output } from "./output.js";
import type { Backends } from "./scaleBackends.js";

export interface ForecastArguments {
  readonly ranks: readonly number[];
  /** "measured": between the ranks that are measured. */
  readonly link: Link | "measured";
  readonly overlap?: number;
}

/** From what `slalom scale` measured: its steps on one rank, and the link between the most ranks. */
export async function forecastFromMeasured(
  study: Study,
  scaling: ScalingStudy,
  { ranks, link, overlap }: ForecastArguments,
  backends: Backends,
): Promise<StudyForecast> {
  const measured = scaling.curves.flatMap(({ points }) => points);
  const most = Math.max(...measured.map((point) => point.ranks));
  const { optimizer, mode, backend, date } = scaling;
  return {
    study: study.name,
    optimizer,
    stepsFrom: backend,
    date,
    ...forecast({
      mode,
      steps: measured
        .filter((point) => point.ranks === 1)
        .map(({ batchSize, stepS }) => ({ batchSize, seconds: stepS.median })),
      link: link === "measured" ? measuredLink(await backends.of(most)) : link,
      bytes: (await summedPerStep(study)).bytes,
      ranks,
      batchSizes: scaling.curves.map(({ batchSize }) => batchSize),
      measured: measured.filter(({ speedup }) => speedup !== undefined),
      ...(overlap !== undefined && { overlap }),
    }),
  };
}

export interface GivenForecastOptions extends ForecastArguments {
  readonly link: Link;
  readonly mode: ScalingMode;
  /** Of one rank. */
  readonly steps: readonly StepTime[];
  /** By default those of the steps. */
  readonly batchSizes?: readonly number[];
  /** Folder of the run store that keeps the result. */
  readonly out: string;
}

/** From steps of one rank that were measured elsewhere: nothing is trained here. */
export async function forecastStudies(
  path: string,
  { out, batchSizes, ...given }: GivenForecastOptions,
  output: Output,
): Promise<number> {
  if (worldOf(process.env)) {
    throw new SlalomError(
      "option",
      "--step in a world of several processes; expected one process: from given steps nothing is measured. Start it without mpirun.",
    );
  }
  const forecasts: StudyForecast[] = [];
  for (const study of await loadStudies(path)) {
    if (forecasts.length > 0) output.text("");
    const { configuration } = await rankTraining("forecast", study, { backend: "cpu" });
    const made: StudyForecast = {
      study: study.name,
      optimizer: configuration.label ?? configuration.optimizer,
      stepsFrom: "given",
      date: new Date().toISOString(),
      ...forecast({
        ...given,
        batchSizes: batchSizes ?? given.steps.map(({ batchSize }) => batchSize),
        bytes: (await summedPerStep(study)).bytes,
      }),
    };
    showForecast(made, join(out, study.name), output);
    forecasts.push(made);
  }
  output.result({ forecasts });
  return exitCodes.success;
}

/** Says what came of it, keeps it in the study's folder, and draws it there. */
export function showForecast(made: StudyForecast, folder: string, output: Output): void {
  output.text(forecastText(made, output));
  const kept = keepForecast(folder, made);
  const { png } = writeForecastFigure(kept, made);
  output.text(output.style.dim(`Kept as ${kept} and ${png}`));
}

function forecastText(made: StudyForecast, { style }: Output): string {
  const { study, optimizer, mode, curves, model, link, bytes, overlap, steps, stepsFrom } = made;
  const isHeld = curves.some(({ points }) => points.some(({ measured }) => measured));
  const rows = curves.flatMap(({ points }) =>
    points.map(
      ({ ranks, batchSize, stepS, allReduceS, hiddenS, examplesPerS, speedup, efficiency, measured }) => [
        integer(batchSize),
        `${ranks}`,
        duration(stepS),
        duration(allReduceS - hiddenS),
        integer(examplesPerS),
        speedup.toFixed(2),
        `${(100 * efficiency).toFixed(0)} %`,
        ...(isHeld
          ? [measured ? duration(measured.stepS) : "-", measured ? measured.ratio.toFixed(2) : "-"]
          : []),
      ],
    ),
  );
  const pays = curves.map(({ batchSize, paysUpTo }) => `up to ${paysUpTo} at batch ${integer(batchSize)}`);
  const error =
    new Set(steps.map(({ batchSize }) => batchSize)).size === 1
      ? ", from one size of batch alone: the best that ranks could do"
      : `; the steps that this was fitted to differ by up to ${(100 * model.largestError).toFixed(0)} %`;
  return [
    `${style.bold(`Forecast for ${study}`)}, ${optimizer}: ${mode} scaling. Not measured: from ${stepsFrom === "given" ? "given" : "the measured"} steps of one rank and a model of the all-reduce`,
    columns(rows, {
      header: [
        ...["batch", "ranks", "a step", "all-reduce", "examples/s", "speed-up", "efficiency"],
        ...(isHeld ? ["measured", "forecast/measured"] : []),
      ],
      align: rows[0].map(() => "right" as const),
      style,
    }),
    `A step takes ${duration(model.fixedS)} and ${duration(model.perExampleS)} an example${error}.`,
    `${integer(bytes)} bytes are summed in each, over ${linkText(link)}; ${overlap === 0 ? "nothing hides the all-reduce" : `${(100 * overlap).toFixed(0)} % of the backward pass hides it`}.`,
    `Each step to more ranks gains at least a tenth ${listed(pays)}.`,
  ].join("\n");
}

/** "nvlink: α 3.4 µs, 75 GB/s (published: ...)". */
const linkText = ({ name, alphaS, betaSPerByte, source }: Link): string =>
  `${name}: ${duration(alphaS)} a message, ${significant(1e-9 / betaSPerByte, 3)} GB/s (${source})`;
