/** What the training loss of the final parameters has above the least: dots with intervals, for training on batches. */
import { comparisonFigure } from "../../figures/index.js";
import type { StudyAnalysis } from "../analysis.js";
import { gapsOf } from "../gaps.js";
import { counted, significant } from "../words.js";
import { type Chart, optimizerColours } from "./chart.js";

/** At each optimizer's best setting, and at the one that ends nearest; none where the optimum is not known. */
export function gapChart(analysis: StudyAnalysis): Chart | undefined {
  const gaps = gapsOf(analysis);
  if (gaps.length === 0) return undefined;
  const isOther = gaps.some(({ best, nearest }) => best.setting.runs !== nearest.setting.runs);
  const shown = gaps.flatMap(({ best, nearest }) =>
    best.setting.runs === nearest.setting.runs ? [best] : [best, nearest],
  );
  const seeds = Math.max(...shown.map(({ setting }) => setting.runs.length));
  const values = shown.map(({ gap }) => gap.estimate);
  const isWide = Math.min(...values) > 0 && Math.max(...values) > 5 * Math.min(...values);
  return {
    id: "distance",
    section: "comparison",
    title: "Loss above the optimum",
    caption: [
      `What the training loss of the final parameters has above the least, ${significant(analysis.problem!.optimum!.loss, 4)}: each optimizer at its best setting${isOther ? ", and at the one that ends nearest where that is another" : ""}.`,
      seeds === 1
        ? "One seed: the data say nothing of the spread."
        : `Means of ${counted(seeds, "seed")} with 95 % intervals.`,
    ].join(" "),
    draw: (text) =>
      comparisonFigure({
        rows: shown.map(({ setting, gap: { estimate, low, high } }) => ({
          label: setting.optimizer,
          setting: setting.shortWords === "" ? undefined : setting.shortWords,
          category: setting.optimizer,
          values: [
            { value: estimate, ...(Number.isFinite(low) && low < high && { lower: low, upper: high }) },
          ],
        })),
        columns: [
          {
            label: "Training loss above its least value",
            scale: isWide ? "log" : "linear",
            format: (value) => significant(value, 3),
          },
        ],
        colours: optimizerColours(analysis),
        ...text,
      }),
  };
}
