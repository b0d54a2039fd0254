/** `slalom train`: one run without a study file; its loss over the steps, and how it ended. */
import type { BackendChoice } from "../launch/backendChoice.js";
import { loadStudy, type TrainArguments, type TrainSource } from "../launch/studySource.js";
import { timeLine } from "../report/index.js";
import { batchVerdict, courseInWords, noiseCourse, verdictInWords } from "../report/noise.js";
import { duration, integer, metricName } from "../report/words.js";
import type { RunSummary, StoredRun } from "../runs/index.js";
import type { AverageArgument, TargetArgument } from "./arguments.js";
import { columns, wrapped } from "./columns.js";
import { exitCodes } from "./exit.js";
import type { Output } from "./output.js";
import { runResult, studyResult } from "./results.js";
import { followIfTold, type TrainedStudy, trainStudies, withTemporaryStore } from "./training.js";

export interface TrainOptions extends Omit<TrainArguments, "problem" | "average" | "targets"> {
  /** Of the parameters, by its id and its parameters. */
  readonly average?: AverageArgument;
  readonly targets: readonly TargetArgument[];
  /** Folder of the run store that keeps the run; by default none does. */
  readonly out?: string;
  readonly fresh: boolean;
  readonly rows: boolean;
  readonly backend: BackendChoice;
  readonly ranks?: number | "auto";
}

export async function train(problem: string, options: TrainOptions, output: Output): Promise<number> {
  const { out, backend, ranks, fresh, rows, optimizer, settings, seed, ...rest } = options;
  const followed = await followIfTold(backend, ranks);
  if (followed !== undefined) return followed;
  const source: TrainSource = { kind: "train", arguments: { problem, optimizer, settings, seed, ...rest } };
  const study = await loadStudy(source);
  const trainIn = async (root: string): Promise<number> => {
    const training = await trainStudies(
      [{ study, source }],
      { out: root, backend, ranks, workers: 1, fresh, announce: false },
      output,
    );
    const [trained] = training.trained;
    if (trained === undefined) return training.interruptedCode;
    const { stored, outcome } = trained;
    const kept = out !== undefined;
    const runs = stored.runs.filter((run) => run.configuration.seed === seed || stored.runs.length === 1);
    output.result({
      status: outcome.status,
      ...(kept && { studies: [studyResult(stored)] }),
      runs: runs.map((run) => runResult(study.name, run, { rows })),
    });
    for (const run of runs) printRun(run, trained, output);
    if (kept) output.text(output.style.dim(`\nKept in ${stored.folder}`));
    return outcome.status === "interrupted" ? training.interruptedCode : exitCodes.success;
  };
  return out === undefined ? withTemporaryStore(trainIn) : trainIn(out);
}

function printRun(run: StoredRun, { study }: TrainedStudy, output: Output): void {
  const { configuration } = run;
  const { style } = output;
  const hyperparameters = Object.entries(configuration.hyperparameters).map(
    ([name, value]) => `${name}=${value}`,
  );
  const batch =
    study.batchSize === "full"
      ? []
      : [`batch ${study.batchSize}`, study.shuffle ? "shuffled" : "not shuffled"];
  const facts = [
    ...hyperparameters,
    ...(configuration.clipNorm === undefined ? [] : [`clipNorm=${configuration.clipNorm}`]),
    ...(study.optimizers[0].average ? [study.optimizers[0].average.title] : []),
    ...batch,
    `seed ${configuration.seed}`,
    study.dtype,
    ...(study.precision === "float32" ? [] : [`products in ${study.precision}`]),
  ];
  output.text(`${style.bold(study.title)}\n${style.dim(wrapped(facts.join(" · "), output.width))}\n`);
  output.text(lossTable(run, output));
  if (run.summary) output.text(`\n${ending(run.summary, output)}`);
  const noise = noiseLine(run);
  if (noise) output.text(wrapped(noise, output.width));
  const time = timeLine([run]);
  if (time !== undefined) output.text(style.dim(wrapped(time, output.width)));
}

/** What the measured noise of the gradient says of the batch. */
function noiseLine(run: StoredRun): string | undefined {
  const { batchSize } = run.configuration;
  const course = noiseCourse([run]);
  if (course === undefined || batchSize === undefined) return undefined;
  const measured = `gradient noise scale: ${courseInWords(course)}`;
  if (course.last === undefined) return measured;
  const verdict = batchVerdict(batchSize, course.last);
  return `${measured}; batches of ${integer(batchSize)} are ${verdict.place} it: ${verdictInWords(verdict)}`;
}

/** Rows of the table, its first and last among them. */
const tableRows = 11;

/** The measured metrics at some steps evenly apart, or at every epoch of up to 31. */
function lossTable(run: StoredRun, { style }: Pick<Output, "style">): string {
  const rows = run.rows();
  const shown = metricOrder.filter((metric) => rows.metrics.includes(metric));
  const parameters = rows.metrics.filter((metric) => metric.startsWith("parameter."));
  const metrics = [...shown, ...(parameters.length <= 4 ? parameters : [])];
  if (metrics.length === 0) return style.dim("nothing was measured");
  const curves = metrics.map((metric) => rows.curve(metric));
  const main = curves[0];
  const hasEpochs = !Number.isNaN(main.epoch[main.epoch.length - 1]);
  const count = main.step.length;
  const wanted = hasEpochs && count <= 31 ? count : Math.min(count, tableRows);
  const picked = Array.from({ length: wanted }, (_, i) =>
    wanted === 1 ? 0 : Math.round((i * (count - 1)) / (wanted - 1)),
  );
  const lines = picked.map((at) => {
    const step = main.step[at];
    const values = curves.map((curve, i) => {
      const index = curve.step.indexOf(step);
      return index < 0 ? "" : formatMetric(metrics[i], curve.value[index]);
    });
    return [integer(step), ...(hasEpochs ? [trimmed(main.epoch[at])] : []), ...values];
  });
  const header = ["step", ...(hasEpochs ? ["epoch"] : []), ...metrics.map(columnName)];
  return columns(lines, { header, align: header.map(() => "right" as const), style });
}

const metricOrder = [
  ...["trainLoss", "validationLoss", "validationAccuracy", "testLoss", "testAccuracy"],
  "gradientNoiseScale",
];

/** A parameter keeps its own name: W is not w. */
const columnName = (metric: string): string =>
  metric.startsWith("parameter.") ? metric.slice("parameter.".length) : metricName(metric);

const trimmed = (epoch: number): string => String(Number(epoch.toFixed(2)));

/** Digits that a terminal shows and a script can read: no thousands, no superscripts. */
export function formatMetric(metric: string, value: number): string {
  if (!Number.isFinite(value)) return String(value);
  if (/accuracy$/i.test(metric)) return `${(100 * value).toFixed(2)} %`;
  const isSmall = value !== 0 && Math.abs(value) < 1e-4;
  return String(isSmall ? value.toExponential(4) : Number(value.toPrecision(6)));
}

/** How the run ended, where it was then, and which targets it reached. */
function ending(summary: RunSummary, { style }: Output): string {
  const { status, stepsDone, timeS, divergence, stoppedEarly, parameters, targets, error } = summary;
  const perStep = stepsDone > 0 ? `, ${duration(timeS / stepsDone)} a step` : "";
  const done = `${integer(stepsDone)} steps in ${duration(timeS)}${perStep}`;
  const lines: string[] = [];
  if (divergence) {
    const value = Number.isFinite(divergence.value)
      ? formatMetric("", divergence.value)
      : String(divergence.value);
    lines.push(
      `${style.red("diverged")} at step ${integer(divergence.step)}: ${divergence.quantity} became ${value}; last finite loss ${formatMetric("", divergence.lastFiniteLoss)}`,
      done,
    );
  } else if (stoppedEarly) lines.push(`${style.green("stopped early")}: ${stoppedEarly.reason}`, done);
  else if (status === "completed") lines.push(`${style.green("completed")}: ${done}`);
  else lines.push(`${style.yellow(status)}: ${error ?? done}`);
  const numbers = Object.values(parameters ?? {}).flat();
  if (parameters && numbers.length <= 10) {
    const shown = Object.entries(parameters).map(
      ([name, values]) => `${name} = ${values.map(exact).join(", ")}`,
    );
    lines.push(`parameters: ${shown.join("; ")}`);
  }
  for (const target of targets) {
    const sign = target.direction === "below" ? "<=" : ">=";
    const reached =
      target.step === null
        ? "not reached"
        : `step ${integer(target.step)}${target.epoch === null ? "" : ` (epoch ${trimmed(target.epoch)})`}, ${duration(target.timeS ?? 0)}`;
    lines.push(`target ${target.metric} ${sign} ${target.value}: ${reached}`);
  }
  return lines.join("\n");
}

const exact = (value: number): string => String(Number(value.toPrecision(12)));
