/** How far each optimizer ends from the known optimum, and how well the theory of quadratics foretold it. */
import { slugOf } from "../../runs/index.js";
import {
  conditionNumber,
  gradientDescentTheory,
  heavyBallTheory,
  predictedLosses,
} from "../../theory/index.js";
import { type StudyAnalysis, settingName } from "../analysis.js";
import { gapsOf, hasBatches, type SettingGap } from "../gaps.js";
import { metricInterval, significant } from "../words.js";
import type { Finding } from "./finding.js";

export function optimumFindings(analysis: StudyAnalysis): Finding[] {
  const optimum = analysis.problem?.optimum;
  if (optimum === undefined) return [];
  const gaps = gapsOf(analysis);
  if (gaps.length === 0) return [];
  const parts = gaps.map(({ name, best }) => {
    const { parameters } = best.setting.runs[0].summary ?? {};
    const distance = parameters && optimum.parameters && distanceOf(parameters, optimum.parameters);
    const away = distance === undefined ? "" : ` and ${significant(distance, 2)} away from its parameters`;
    return `${name} ${gapInWords(best)} above the least loss${away}`;
  });
  const others = gaps.filter(({ best, nearest }) => best.setting.runs !== nearest.setting.runs);
  const nearest =
    hasBatches(analysis) && others.length > 0
      ? ` Settings that end nearer: ${others.map((one) => `${settingName(one.nearest.setting)}, ${gapInWords(one.nearest)} above`).join("; ")}.`
      : "";
  const least = hasBatches(analysis) ? ` (training loss ${significant(optimum.loss, 4)})` : "";
  const text = `How far each one ends from the optimum${least}, at its best setting: ${parts.join("; ")}.${nearest}`;
  return [{ id: "optimum", kind: "fact", text, figures: ["distance"] }];
}

function gapInWords({ gap: { estimate, low, high } }: SettingGap): string {
  return Number.isFinite(low) && low < high
    ? metricInterval("", estimate, low, high)
    : significant(estimate, 2);
}

/** The best that gradient descent and heavy ball can do, and how measured losses agree with predicted ones. */
export function theoryFindings({ modes, optimizers, results }: StudyAnalysis): Finding[] {
  if (modes === undefined) return [];
  const { eigenvalues } = modes;
  const descent = gradientDescentTheory(eigenvalues);
  const ball = heavyBallTheory(eigenvalues);
  const measured = results.filter(
    (run) =>
      run.status === "completed" &&
      optimizers.some(
        ({ isHeavyBall, settings }) => isHeavyBall && settings.some(({ runs }) => runs.includes(run)),
      ),
  );
  let worst = 0;
  for (const run of measured) {
    const { lr, momentum } = run.configuration.hyperparameters;
    const rows = run.rows();
    if (!rows.metrics.includes("trainLoss")) continue;
    const { step, value } = rows.curve("trainLoss");
    const predicted = predictedLosses(modes, { lr, momentum }, run.configuration.steps);
    const first = predicted[0] - modes.minimum;
    value.forEach((loss, i) => {
      worst = Math.max(worst, Math.abs(loss - predicted[step[i]]) / first);
    });
  }
  const agreement =
    measured.length === 0
      ? ""
      : ` Measured losses of all ${measured.length} runs that converged lie within ${significant(worst, 2)} times the first loss of the predicted ones.`;
  return [
    {
      id: "theory",
      kind: "fact",
      text: `Condition number ${significant(conditionNumber(eigenvalues), 3)}. The theory's best: gradient descent at learning rate ${significant(descent.bestLr, 3)} multiplies the error by ${significant(descent.bestRate, 3)} each step; heavy ball at learning rate ${significant(ball.bestLr, 3)} and momentum ${significant(ball.bestMomentum, 3)} by ${significant(ball.bestRate, 3)}.${agreement}`,
      figures: optimizers
        .filter(({ isHeavyBall }) => isHeavyBall)
        .map(({ name }) => `train-loss-${slugOf(name)}`),
    },
  ];
}

/** Euclidean; undefined where a parameter is missing. */
function distanceOf(
  parameters: Readonly<Record<string, readonly number[]>>,
  optimum: Readonly<Record<string, readonly number[]>>,
): number | undefined {
  let sum = 0;
  for (const [name, values] of Object.entries(optimum)) {
    const own = parameters[name];
    if (own === undefined || own.length !== values.length) return undefined;
    values.forEach((value, i) => {
      sum += (own[i] - value) ** 2;
    });
  }
  return Math.sqrt(sum);
}
