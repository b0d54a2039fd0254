/** All figures of a study, in the order in which a reader wants them. */
import { escapeXml } from "../figures/svg.js";
import { type StoredStudy, slugOf } from "../runs/index.js";
import { analyse, type ReportOptions, type SettingResult, type StudyAnalysis, withBest } from "./analysis.js";
import type { Chart, ChartSection } from "./charts/chart.js";
import { comparisonChart } from "./charts/comparison.js";
import { convergenceChart, overlayChart } from "./charts/convergence.js";
import { distanceChart } from "./charts/distance.js";
import { gradientNoiseChart } from "./charts/gradientNoise.js";
import { heatMapChart } from "./charts/heatMap.js";
import { learningChart } from "./charts/learning.js";
import { confusionChart, filtersChart } from "./charts/model.js";
import { sensitivityChart } from "./charts/sensitivity.js";
import { trajectoriesChart } from "./charts/trajectories.js";
import { capitalised, counted, metricName } from "./words.js";

export interface StudyFigure {
  /** Letters, digits and dashes: the file's name. */
  readonly id: string;
  readonly section: ChartSection;
  readonly title: string;
  /** A sentence or two with numbers. */
  readonly caption: string;
  /** A whole SVG document with title and caption. */
  readonly svg: string;
  /** The same without title and caption, for a page that says them, `width` user units wide. */
  inline(width: number): string;
}

/** The figures of a stored study; what the rows do not tell is left out. Errors: as `analyse`. */
export const figuresOf = (study: StoredStudy, options: ReportOptions = {}): StudyFigure[] =>
  figuresFrom(analyse(study, options));

export function figuresFrom(analysis: StudyAnalysis): StudyFigure[] {
  const source = sourceOf(analysis);
  const taken = new Map<string, number>();
  return chartsOf(analysis).map((chart) => ({
    id: unique(chart.id, taken),
    section: chart.section,
    title: chart.title,
    caption: chart.caption,
    svg: chart.draw({ title: chart.title, subtitle: chart.caption, source }),
    inline: (width) => named(chart.draw({ width, description: chart.caption }), chart.title),
  }));
}

function chartsOf(analysis: StudyAnalysis): Chart[] {
  const { select, report, fallback } = analysis;
  const best = withBest(analysis).map((optimizer) => optimizer.best);
  const measured = new Set(analysis.results.flatMap((run) => Object.keys(run.summary?.final ?? {})));
  const metrics = ["trainLoss", "validationLoss", "testAccuracy"].filter((metric) => measured.has(metric));
  if (!measured.has("testAccuracy") && measured.has("validationAccuracy")) metrics.push("validationAccuracy");
  const charts: (Chart | undefined)[] = [
    comparisonChart(analysis, {
      id: "best-settings",
      title: "Each optimizer at its best setting",
      settings: best,
      caption: `Each optimizer at the setting that ${select.kind === "steps" ? "takes the fewest" : "has the best"} ${select.words}.`,
    }),
    ...[...new Set([select.metric, report.metric])].map((metric) =>
      overlayChart(analysis, {
        id: `best-settings-${slugOf(metricName(metric))}`,
        title: `${capitalised(metricName(metric))} at the best settings`,
        settings: best,
        metric,
        caption: namesOf(best),
      }),
    ),
    distanceChart(analysis, best),
    ...analysis.comparisons.flatMap(({ id, title, settings }) => [
      overlayChart(analysis, {
        id: `comparison-${slugOf(id)}`,
        title,
        settings,
        metric: select.metric,
        caption: namesOf(settings),
      }),
      settings.some(({ runs }) => runs.length > 1)
        ? comparisonChart(analysis, {
            id: `comparison-${slugOf(id)}-values`,
            title: `${title}: values`,
            settings,
            caption: "",
          })
        : undefined,
    ]),
    sensitivityChart(analysis, "learning-rate", select),
    select.kind === "steps" ? sensitivityChart(analysis, "learning-rate-value", fallback) : undefined,
    report.metric !== select.metric ? sensitivityChart(analysis, "learning-rate-report", report) : undefined,
    ...analysis.optimizers.map((optimizer) => heatMapChart(analysis, optimizer)),
    trajectoriesChart(analysis, { id: "paths", title: "Paths at the best settings", settings: best }),
    ...analysis.comparisons.map(({ id, title, settings }) =>
      trajectoriesChart(analysis, { id: `paths-${slugOf(id)}`, title: `${title}: paths`, settings }),
    ),
    ...best.flatMap((setting) => [
      learningChart(analysis, setting, "Loss"),
      learningChart(analysis, setting, "Accuracy"),
      confusionChart(setting),
      filtersChart(setting),
    ]),
    gradientNoiseChart(analysis),
    ...analysis.optimizers.flatMap((optimizer) =>
      metrics.map((metric) => convergenceChart(analysis, optimizer, metric)),
    ),
  ];
  return charts.filter((chart) => chart !== undefined);
}

/** "SGD: learning rate 0.1; Adam: learning rate 0.001." */
const namesOf = (settings: readonly SettingResult[]): string =>
  `${settings.map(({ optimizer, words }) => (words === "" ? optimizer : `${optimizer}: ${words}`)).join("; ")}.`;

/** Names of optimizers may differ in characters that file names lack. */
function unique(id: string, taken: Map<string, number>): string {
  const count = (taken.get(id) ?? 0) + 1;
  taken.set(id, count);
  return count === 1 ? id : `${id}-${count}`;
}

function sourceOf({ study: { record }, results }: StudyAnalysis): string {
  return `Study ${record.name}: ${counted(results.length, "run")}, ${record.dtype ?? "float32"}, ${record.versions.backend}.`;
}

/** Without a title of its own a figure is called "Figure"; readers of screens hear what it is. */
const named = (svg: string, title: string): string =>
  svg.replace("<title>Figure</title>", () => `<title>${escapeXml(title)}</title>`);
