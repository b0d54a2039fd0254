/** How much each optimizer forgives: the width of its good range, and where the grid was too short to tell. */
import { type StudyAnalysis, withBest } from "../analysis.js";
import { chosenValue, decadesInWords, formatDecades, hyperparameterName, listed } from "../words.js";
import type { Finding } from "./finding.js";

export function rangeFindings(analysis: StudyAnalysis): Finding[] {
  return [...widths(analysis), ...edges(analysis), ...choices(analysis)];
}

function widths(analysis: StudyAnalysis): Finding[] {
  const ranges = withBest(analysis)
    .flatMap(({ name, best }) =>
      best.sensitivity?.range !== undefined && best.criterion === analysis.select
        ? [{ name, range: best.sensitivity.range, interval: best.sensitivity.decadesInterval }]
        : [],
    )
    .sort((a, b) => b.range.decades - a.range.decades);
  if (ranges.length === 0) return [];
  const parts = ranges.map(({ name, range, interval }) => {
    const doubt =
      interval === undefined || formatDecades(interval.low) === formatDecades(interval.high)
        ? ""
        : `, ${formatDecades(interval.low)} to ${formatDecades(interval.high)} when the seeds are resampled`;
    return `${name} from ${chosenValue(Number(range.low.toPrecision(2)))} to ${chosenValue(Number(range.high.toPrecision(2)))} (${decadesInWords(range)}${doubt})`;
  });
  const { words, toleranceWords } = analysis.select;
  return [
    {
      id: "good-range",
      kind: "fact",
      text: `Learning rates that are good for ${words} (${toleranceWords}): ${listed(parts)}.`,
      figures: ["learning-rate"],
    },
  ];
}

/** A best value at the end of what was tried: better ones may lie beyond. */
function edges(analysis: StudyAnalysis): Finding[] {
  const parts = withBest(analysis).flatMap(({ name, best }) => {
    const ends = Object.entries(best.evidence.edges).map(
      ([hyperparameter, side]) =>
        `the ${side} ${hyperparameterName(hyperparameter)} tried (${chosenValue(best.hyperparameters[hyperparameter])})`,
    );
    return ends.length === 0 ? [] : [`${name} is best at ${listed(ends)}`];
  });
  if (parts.length === 0) return [];
  const text = `The grid may be too short: ${parts.join("; ")}. Better settings may lie beyond.`;
  return [{ id: "grid-edges", kind: "caution", text, figures: ["learning-rate"] }];
}

/** Settings that other seeds might not have chosen. */
function choices(analysis: StudyAnalysis): Finding[] {
  const parts = withBest(analysis).flatMap(({ name, best }) => {
    const { choice } = best.evidence;
    if (choice === undefined || choice.stability >= 0.9) return [];
    const ranges = Object.entries(choice.range)
      .filter(([, { low, high }]) => low !== high)
      .map(
        ([hyperparameter, { low, high }]) =>
          `${hyperparameterName(hyperparameter)} ${chosenValue(low)} to ${chosenValue(high)}`,
      );
    return [`${name} in ${Math.round(100 * choice.stability)} % of resamples (else ${listed(ranges)})`];
  });
  if (parts.length === 0) return [];
  const text = `Other seeds might choose other settings: the same best setting comes out for ${listed(parts)}.`;
  return [{ id: "choice", kind: "fact", text, figures: ["learning-rate"] }];
}
