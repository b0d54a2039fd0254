/** Figures of scaling studies and forecasts as files, beside what they are drawn from and named after it. */
import { writeFigure } from "../../figures/index.js";
import type { StudyForecast } from "../../lab/forecast.js";
import type { ScalingStudy } from "../../lab/scaling.js";
import { loadForecast, loadScaling, scalingFiles } from "../../lab/scalingStore.js";
import { forecastFigure, scalingFigures } from "./index.js";

export interface DrawnFigure {
  readonly svg: string;
  readonly png: string;
}

/** Whether all its ranks have a certificate: without one there is no speed-up to draw. */
export const isCertified = ({ curves }: ScalingStudy): boolean =>
  curves.every(({ points }) => points.every(({ speedup }) => speedup !== undefined));

/** @param path the file that keeps it */
export const writeScalingFigures = (path: string, scaling: ScalingStudy): DrawnFigure[] =>
  scalingFigures(scaling).map(({ id, svg }) => writeFigure(`${stemOf(path)}-${id}`, svg));

/** @param path the file that keeps it */
export const writeForecastFigure = (path: string, forecast: StudyForecast): DrawnFigure =>
  writeFigure(stemOf(path), forecastFigure(forecast));

/** All that a study's folder keeps, drawn again; `uncertified`: files that were left out. */
export function redrawScaling(studyFolder: string): {
  readonly drawn: readonly DrawnFigure[];
  readonly uncertified: readonly string[];
} {
  const { scalings, forecasts } = scalingFiles(studyFolder);
  const loaded = scalings.map((path) => ({ path, scaling: loadScaling(path) }));
  const certified = loaded.filter(({ scaling }) => isCertified(scaling));
  return {
    drawn: [
      ...certified.flatMap(({ path, scaling }) => writeScalingFigures(path, scaling)),
      ...forecasts.map((path) => writeForecastFigure(path, loadForecast(path))),
    ],
    uncertified: loaded.filter(({ scaling }) => !isCertified(scaling)).map(({ path }) => path),
  };
}

const stemOf = (path: string): string => path.replace(/\.json$/, "");
