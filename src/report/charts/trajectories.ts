/** The paths of settings over the contours of a problem with two parameters. */
import { trajectoriesFigure } from "../../figures/index.js";
import type { Surface } from "../../learn/problems/problem.js";
import type { StoredRun } from "../../runs/index.js";
import { type SettingResult, type StudyAnalysis, settingName } from "../analysis.js";
import { counted, listed } from "../words.js";
import { type Chart, optimizerColours } from "./chart.js";

/** None without a surface, or where no row holds both parameters. */
export function trajectoriesChart(
  analysis: StudyAnalysis,
  options: { readonly id: string; readonly title: string; readonly settings: readonly SettingResult[] },
): Chart | undefined {
  const surface = analysis.problem?.surface;
  if (surface === undefined) return undefined;
  const walked = options.settings.flatMap((setting) => {
    const points = pathOf(setting.runs[0], surface);
    return points === undefined ? [] : [{ setting, points }];
  });
  if (walked.length === 0) return undefined;
  const [x, y] = surface.axes;
  const paths = walked.map(({ setting, points }) => ({
    label:
      options.settings.length > 1 && isUnique(setting, options.settings)
        ? setting.optimizer
        : settingName(setting),
    category: setting.optimizer,
    points,
    outcome: setting.runs[0].status === "diverged" ? ("diverged" as const) : ("finished" as const),
  }));
  const domains = ([0, 1] as const).map((axis) => domainOf(surface.range[axis], paths, axis));
  return {
    id: options.id,
    section: "paths",
    title: options.title,
    caption: `From the same start over the contours of the loss: ${listed(
      walked.map(({ setting, points }) => `${settingName(setting)} (${counted(points.length - 1, "step")})`),
    )}. The star is the minimum.`,
    draw: (text) =>
      trajectoriesFigure({
        surface: surface.value,
        optima: surface.minima,
        x: { label: x, domain: domains[0] },
        y: { label: y, domain: domains[1] },
        paths,
        colours: optimizerColours(analysis),
        ...text,
      }),
  };
}

/** The surface's range, wider where a path that ended leaves it, but at most by its own width on each side. */
function domainOf(
  [low, high]: readonly [number, number],
  paths: readonly { readonly points: readonly (readonly number[])[]; readonly outcome: string }[],
  axis: 0 | 1,
): [number, number] {
  const width = high - low;
  let [least, most] = [low, high];
  for (const { points, outcome } of paths) {
    if (outcome === "diverged") continue;
    for (const point of points) {
      least = Math.min(least, point[axis] - 0.03 * width);
      most = Math.max(most, point[axis] + 0.03 * width);
    }
  }
  return [Math.max(least, low - width), Math.min(most, high + width)];
}

/** The two parameters row by row; undefined where the rows do not hold them. */
function pathOf(run: StoredRun, { axes }: Surface): [number, number][] | undefined {
  const rows = run.rows();
  const columns = axes.map((axis) => parameterMetric(rows.metrics, axis));
  if (columns[0] === undefined || columns[1] === undefined) return undefined;
  const [x, y] = [rows.curve(columns[0]), rows.curve(columns[1])];
  const points = Array.from(x.value, (value, i): [number, number] => [value, y.value[i]]);
  const end = points.findIndex((point) => !point.every(Number.isFinite));
  return end < 0 ? points : points.slice(0, end);
}

/** The metric of a parameter; elements of one are written x[0] by problems and x.0 by rows. */
export const parameterMetric = (metrics: readonly string[], axis: string): string | undefined =>
  [`parameter.${axis}`, `parameter.${axis.replace(/\[(\d+)\]/g, ".$1")}`].find((name) =>
    metrics.includes(name),
  );

const isUnique = (setting: SettingResult, settings: readonly SettingResult[]): boolean =>
  settings.filter(({ optimizer }) => optimizer === setting.optimizer).length === 1;
