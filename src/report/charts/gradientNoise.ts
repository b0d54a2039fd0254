/** The gradient noise scale along the training of each optimizer at its best setting, beside the size of the batches. */
import { convergenceFigure } from "../../figures/index.js";
import { type StudyAnalysis, withBest } from "../analysis.js";
import { settingSeries } from "../curves.js";
import { counted } from "../words.js";
import { type Chart, lossScale, optimizerColours, seedsSentence } from "./chart.js";

/** None where no row tells it. */
export function gradientNoiseChart(analysis: StudyAnalysis): Chart | undefined {
  const { batchSize } = analysis.study.record;
  const settings = withBest(analysis).map(({ best }) => best);
  const series = settings.flatMap(({ runs, optimizer }) =>
    settingSeries(runs, "gradientNoiseScale", analysis.position, { label: optimizer, category: optimizer }),
  );
  if (batchSize === undefined || series.length === 0) return undefined;
  const runs = settings.flatMap((setting) => setting.runs);
  return {
    id: "gradient-noise",
    section: "convergence",
    title: "Gradient noise scale at the best settings",
    caption: `The size of batches, in examples, whose noise is as large as the gradient, as parts of the batches tell it. The line is the batch of ${counted(batchSize, "example")}. ${seedsSentence(runs, analysis)}`,
    draw: (text) =>
      convergenceFigure({
        panels: [{ series }],
        x: { label: analysis.position },
        y: { label: "gradient noise scale (examples)", scale: lossScale(series) },
        target: { value: batchSize, label: `batch ${batchSize}` },
        colours: optimizerColours(analysis),
        unit: analysis.position,
        ...text,
      }),
  };
}
