/** What trained models are like, where the study keeps them: what they mistake for what, what their first layer sees. */

import type { HostTensor } from "../../base/shape.js";
import {
  confusionMatrixFigure,
  type GridImage,
  imageGridFigure,
  type PixelImage,
} from "../../figures/index.js";
import { hasModel, readModel, readPredictions } from "../../runs/index.js";
import type { BestResult } from "../analysis.js";
import { counted, integer } from "../words.js";
import type { Chart } from "./chart.js";

/** Classes against predictions on the test split, summed over the seeds of a setting; none without predictions. */
export function confusionChart({ runs, optimizer }: BestResult): Chart | undefined {
  const all = runs.flatMap(({ folder }) => readPredictions(folder) ?? []);
  if (all.length === 0) return undefined;
  const classes = all
    .flatMap(({ labels, classes: predicted }) => [...labels, ...predicted])
    .reduce((most, one) => Math.max(most, one + 1), 0);
  const counts = Array.from({ length: classes }, () => new Array<number>(classes).fill(0));
  for (const { labels, classes: predicted } of all)
    labels.forEach((label, i) => {
      counts[label][predicted[i]]++;
    });
  const total = all.reduce((sum, { labels }) => sum + labels.length, 0);
  const wrong = total - counts.reduce((sum, row, i) => sum + row[i], 0);
  return {
    id: `confusion-${optimizer}`.toLowerCase().replace(/[^a-z0-9]+/g, "-"),
    section: "model",
    title: `${optimizer}: what is taken for what`,
    caption: `${integer(wrong)} of ${integer(total)} test predictions are wrong${all.length > 1 ? `, ${counted(all.length, "seed")} together` : ""}; ${mostFrequent(counts)}.`,
    draw: (text) => confusionMatrixFigure({ counts, ...text }),
  };
}

/** "most often a 4 is taken for a 9 (31)". */
function mostFrequent(counts: readonly (readonly number[])[]): string {
  const errors = counts.flatMap((row, i) => row.map((count, j) => ({ count: i === j ? 0 : count, i, j })));
  const { count, i, j } = errors.reduce((a, b) => (b.count > a.count ? b : a));
  return count === 0 ? "none is" : `most often a ${i} is taken for a ${j} (${count} times)`;
}

/** The filters of the first convolution of one run's best model; none where it has none of one or three channels. */
export function filtersChart({ runs, optimizer }: BestResult): Chart | undefined {
  const run = runs.find(({ folder }) => hasModel(folder, "best"));
  if (!run) return undefined;
  const first = Object.entries(readModel(run.folder, "best").values).find(
    ([, { shape }]) => shape.length === 4 && (shape[3] === 1 || shape[3] === 3) && shape[1] > 1,
  );
  if (!first) return undefined;
  const [name, weights] = first;
  return {
    id: `filters-${optimizer}`.toLowerCase().replace(/[^a-z0-9]+/g, "-"),
    section: "model",
    title: `${optimizer}: the first layer's filters`,
    caption: `The ${counted(weights.shape[0], "filter")} of ${name}, seed ${run.configuration.seed}, at the best validation; grey is 0, black and white are ±${greatest(weights).toFixed(2)}.`,
    draw: (text) => imageGridFigure({ images: imagesOf(weights), tile: 44, ...text }),
  };
}

const greatest = ({ data }: HostTensor): number =>
  [...data].reduce((most, value) => Math.max(most, Math.abs(value)), 0);

/** Filters [O, rows, columns, channels] on one scale. */
function imagesOf(weights: HostTensor): GridImage[] {
  const [count, height, width, channels] = weights.shape;
  const size = height * width * channels;
  const scale = greatest(weights) || 1;
  return Array.from({ length: count }, (_, i) => {
    const pixels = Uint8Array.from({ length: size }, (_, k) =>
      Math.round(127.5 * (1 + weights.data[i * size + k] / scale)),
    );
    const image: PixelImage = { width, height, channels: channels as 1 | 3, pixels };
    return { image };
  });
}
