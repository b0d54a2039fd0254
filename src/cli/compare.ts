/** `slalom compare`: how the optimizers of a study stand to each other at their best settings, paired by seed. */
import { unknownName } from "../base/errors.js";
import { compareAll, type NamedComparison } from "../lab/statistics/index.js";
import { analyse, type StudyAnalysis, withBest } from "../report/analysis.js";
import { valueIn } from "../report/criteria.js";
import { columns, wrapped } from "./columns.js";
import type { Output } from "./output.js";
import { builtInProblem, storedStudy } from "./storedStudies.js";

export interface CompareOptions {
  readonly out: string;
}

/** @param names two of the study's optimizers, or none for all pairs */
export async function compare(
  which: string,
  names: readonly string[],
  { out }: CompareOptions,
  output: Output,
): Promise<void> {
  const study = await storedStudy(which, out);
  const analysis = analyse(study, { problem: builtInProblem(study.record) });
  const chosen = names.length > 0 ? names.map((name) => resolveName(analysis, name)) : undefined;
  const best = withBest(analysis).filter(({ name }) => chosen === undefined || chosen.includes(name));
  // The best first, so that sentences say who is better.
  const order = chosen ?? analysis.standings.standings.map(({ name }) => name);
  const groups = order.flatMap((name) =>
    best
      .filter((optimizer) => optimizer.name === name)
      .map((optimizer) => ({
        name,
        values: optimizer.best.runs.map((run) => ({
          seed: run.configuration.seed,
          value: valueIn(run, analysis.report),
        })),
      })),
  );
  const comparisons = compareAll(groups, {
    better: analysis.report.better,
    randomness: analysis.isDeterministic ? "none" : "seeds",
  });
  output.result({
    study: study.record.name,
    criterion: analysis.report.words,
    better: analysis.report.better,
    optimizers: best.map(({ name, best: setting }) => ({
      name,
      hyperparameters: setting.hyperparameters,
      values: groups.find((group) => group.name === name)?.values,
    })),
    comparisons,
  });
  output.text(
    `${output.style.bold(analysis.title)}\nEach optimizer at its best setting, by ${analysis.report.words}.\n`,
  );
  output.text(bestTable(analysis, best, output));
  if (comparisons.length === 0) output.text("\nThere are no two optimizers with a result to compare.");
  for (const comparison of comparisons) output.text(`\n${sentence(comparison, analysis, output)}`);
}

function resolveName({ optimizers }: StudyAnalysis, name: string): string {
  const found = optimizers.find(
    (one) =>
      one.name.toLowerCase() === name.toLowerCase() ||
      one.settings[0].runs[0].configuration.optimizer === name,
  );
  if (found) return found.name;
  throw unknownName(
    "optimizer of the study",
    name,
    optimizers.map((one) => one.name),
  );
}

function bestTable(analysis: StudyAnalysis, best: ReturnType<typeof withBest>, { style }: Output): string {
  const { report } = analysis;
  const rows = best.map(({ name, best: setting }) => {
    const values = setting.runs.map((run) => valueIn(run, report));
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    return [name, setting.words, report.format(mean), String(values.length)];
  });
  return columns(rows, {
    header: ["optimizer", "best setting", "mean", "seeds"],
    align: ["left", "left", "right", "right"],
    style,
  });
}

function sentence(comparison: NamedComparison, { report }: StudyAnalysis, { style, width }: Output): string {
  const { first, second, verdict, difference, adjustedP, pairs, reason, method } = comparison;
  const decided = verdict !== "the data do not decide";
  const head = decided ? `${first} is ${verdict} than ${second}` : `${first} against ${second}: ${verdict}`;
  const size = Number.isFinite(difference.estimate)
    ? `difference ${report.formatDifference(difference.estimate)}`
    : "";
  const range =
    Number.isFinite(difference.low) && Number.isFinite(difference.high) && difference.low !== difference.high
      ? ` (${report.formatDifference(difference.low)} to ${report.formatDifference(difference.high)})`
      : "";
  const evidence =
    method === "deterministic"
      ? [reason]
      : [`${pairs} ${pairs === 1 ? "seed" : "seeds"}`, `p = ${Number(adjustedP.toPrecision(2))}`, reason];
  const detail = [`${size}${range}`, ...evidence].filter((part) => part !== "").join("; ");
  return `${decided ? style.green(head) : style.yellow(head)}\n${wrapped(detail, width, 2)}`;
}
