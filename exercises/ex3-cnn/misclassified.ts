/**
 * Draws the test digits that the best models of exercise 3 take for others, those most often wrong first.
 *
 *     npx jiti exercises/ex3-cnn/misclassified.ts [runs]
 */
import { fileURLToPath } from "node:url";
import { mnistDataset } from "slalom";
import { type GridImage, imageGridFigure, writeFigure } from "slalom/figures";
import { loadStudy, readPredictions } from "slalom/runs";

const store = process.argv[2] ?? "runs";
/** As many as fit on a page. */
const mostDigits = 60;

const { runs } = loadStudy(`${store}/ex3-cnn`);
const all = runs.flatMap(({ folder }) => readPredictions(folder) ?? []);
const { test } = await mnistDataset().load();
const size = 28;

/** Examples that some seed gets wrong, with what each seed that does takes them for. */
const mistaken = all[0].labels
  .map((label, i) => ({
    i,
    label,
    taken: all.flatMap(({ classes, probabilities }) =>
      classes[i] === label ? [] : [{ as: classes[i], probability: probabilities[i] }],
    ),
  }))
  .filter(({ taken }) => taken.length > 0)
  .sort((a, b) => b.taken.length - a.taken.length || a.i - b.i);

const images = mistaken.slice(0, mostDigits).map(({ i, label, taken }): GridImage => {
  const pixels = Uint8Array.from(test!.inputs.data.subarray(i * size * size, (i + 1) * size * size));
  const [first] = [...taken].sort((a, b) => b.probability - a.probability);
  return {
    image: { width: size, height: size, channels: 1, pixels },
    lines: [`${label} \u2192 ${first.as}`, `${taken.length} of ${all.length}`],
  };
});

const always = mistaken.filter(({ taken }) => taken.length === all.length).length;
const files = writeFigure(
  fileURLToPath(new URL("./figures/ex3-cnn/misclassified", import.meta.url)),
  imageGridFigure({
    title: "Misclassified test digits",
    subtitle: `${mistaken.length} of 10,000 digits are wrong for at least one of ${all.length} seeds, ${always} for all of them. Under each: what it is and what it is taken for, and how many seeds are wrong.`,
    source: `Study ex3-cnn, parameters of each seed's best epoch on validation; the first ${images.length}.`,
    images,
  }),
);
process.stdout.write(`${files.png}\n`);
