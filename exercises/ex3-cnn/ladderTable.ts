/**
 * What each rung of the ladder gives and costs: a table of accuracy against time, one of the time to each accuracy, and
 * a figure, all from stored runs.
 *
 *     npx jiti exercises/ex3-cnn/ladderTable.ts [runs] [times]
 *
 * Seconds are those of training on one core. Runs that share a busy machine tell steps alone; then `times` is a store of
 * short runs of the same studies on a machine that does nothing else, and gives the seconds of a step.
 */
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Study } from "slalom";
import { comparisonFigure, writeFigure } from "slalom/figures";
import { interval, median } from "slalom/lab/statistics";
import { loadStudy, type StoredRun } from "slalom/runs";
import ladder, { rungs } from "./ladder.js";
import course from "./study.js";

const [runs = "runs", times = runs] = process.argv.slice(2);

interface Row {
  readonly title: string;
  readonly finished: readonly StoredRun[];
  readonly parameters: number;
  readonly secondsPerStep: number;
}

const dataset = await course.problem.dataset!.load();
const rows = [
  { title: "The course: 10⁻⁴, batch 50, 30 epochs", study: course },
  ...ladder.map((study, i) => ({ title: rungs[i].title, study })),
].flatMap(({ title, study }): Row[] => {
  const finished = finishedRuns(runs, study);
  if (finished.length === 0) return [];
  return [
    {
      title,
      finished,
      parameters: parametersOf(study),
      secondsPerStep: median(finishedRuns(times, study).map(secondsPerStep)),
    },
  ];
});

function finishedRuns(store: string, { name }: Study): StoredRun[] {
  if (!existsSync(`${store}/${name}`)) return [];
  return loadStudy(`${store}/${name}`).runs.filter(({ status }) => status === "completed");
}

function parametersOf({ problem }: Study): number {
  const { parameters } = problem.build(dataset);
  const sizes = Object.values(parameters).map(({ shape }) => shape.reduce((a, b) => a * b, 1));
  return sizes.reduce((a, b) => a + b, 0);
}

function secondsPerStep({ summary }: StoredRun): number {
  return summary!.timeS / summary!.stepsDone;
}

/** Mean test accuracy in per cent over seeds, with its 95 % interval; of one or two seeds, which allow none, their range. */
function accuracyOf({ finished }: Row, metric: "testAccuracy" | "bestTestAccuracy") {
  const values = finished.map(({ summary }) => 100 * summary!.final[metric]);
  const { estimate, low, high } = interval(values);
  return values.length < 3
    ? { estimate, low: Math.min(...values), high: Math.max(...values) }
    : { estimate, low, high };
}

const secondsOf = ({ finished, secondsPerStep }: Row): number =>
  median(finished.map(({ summary }) => summary!.stepsDone)) * secondsPerStep;

const shown = ({ estimate, low, high }: ReturnType<typeof accuracyOf>): string =>
  `${estimate.toFixed(2)} % (${low.toFixed(2)} to ${high.toFixed(2)})`;

const print = (line: string): boolean => process.stdout.write(`${line}\n`);

print("| rung | test accuracy, last epoch | best epoch on validation | seeds | parameters | seconds |");
print("| --- | --- | --- | --- | --- | --- |");
for (const row of rows) {
  const [last, best] = [accuracyOf(row, "testAccuracy"), accuracyOf(row, "bestTestAccuracy")];
  print(
    `| ${row.title} | ${shown(last)} | ${shown(best)} | ${row.finished.length} | ${row.parameters.toLocaleString("en")} | ${secondsOf(row).toFixed(0)} |`,
  );
}

/** Median seconds over seeds until a validation accuracy; infinite where half of them never get there. */
function secondsTo(value: number, { finished, secondsPerStep }: Row): number {
  const steps = finished.map(({ summary }) => {
    const target = summary!.targets.find((one) => one.value === value);
    return target?.step ?? Number.POSITIVE_INFINITY;
  });
  return median(steps) * secondsPerStep;
}

print("\n| validation accuracy | first there | seconds |");
print("| --- | --- | --- |");
for (const value of [0.99, 0.994, 0.995, 0.996, 0.997]) {
  const [first] = [...rows].sort((a, b) => secondsTo(value, a) - secondsTo(value, b));
  const seconds = secondsTo(value, first);
  const name = `${Number((100 * value).toFixed(1))} %`;
  print(
    Number.isFinite(seconds)
      ? `| ${name} | ${first.title} | ${seconds.toFixed(0)} |`
      : `| ${name} | none | |`,
  );
}

/** The rung that costs least of those whose mean accuracy on the test images reaches a value. */
function cheapest(percent: number): Row | undefined {
  const there = rows.filter((row) => accuracyOf(row, "testAccuracy").estimate >= percent);
  return there.sort((a, b) => secondsOf(a) - secondsOf(b))[0];
}

print("\n| test accuracy, last epoch, mean | cheapest rung | seconds |");
print("| --- | --- | --- |");
for (const percent of [99, 99.4, 99.5, 99.6, 99.7]) {
  const row = cheapest(percent);
  print(row ? `| ${percent} % | ${row.title} | ${secondsOf(row).toFixed(0)} |` : `| ${percent} % | none | |`);
}

const files = writeFigure(
  fileURLToPath(new URL("./figures/ladder/ladder", import.meta.url)),
  comparisonFigure({
    title: "The ladder to higher accuracy",
    subtitle:
      "Each rung changes one thing of the one that it stands on. Means over seeds with 95 % intervals; of fewer than three seeds, their range.",
    source: "Studies ex3-cnn and ex3-ladder-*; seconds of training on one core.",
    rows: rows.map((row) => {
      const { estimate, low, high } = accuracyOf(row, "testAccuracy");
      const [label, setting] = row.title.split(": ");
      return {
        label,
        ...(setting !== undefined && { setting }),
        category: "rung",
        values: [{ value: estimate, lower: low, upper: high }, { value: secondsOf(row) }],
      };
    }),
    columns: [
      {
        label: "Test accuracy after the last epoch (%)",
        better: "higher",
        format: (value) => value.toFixed(2),
      },
      { label: "Seconds of training", scale: "log", format: (value) => value.toFixed(0) },
    ],
  }),
);
print(`\n${files.png}`);
