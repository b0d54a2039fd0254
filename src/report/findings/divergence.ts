/** Which settings diverged, where and why. */
import type { StoredRun } from "../../runs/index.js";
import { predictDivergence } from "../../theory/index.js";
import { inProse, type OptimizerResult, type SettingResult, type StudyAnalysis } from "../analysis.js";
import { counted, integer, listed, settingInWords, significant } from "../words.js";
import type { Finding } from "./finding.js";

export function divergenceFindings(analysis: StudyAnalysis): Finding[] {
  const diverged = analysis.results.filter((run) => run.status === "diverged");
  if (diverged.length === 0) {
    const { length } = analysis.results;
    const text =
      length === 1 ? "The one run did not diverge." : `None of the ${counted(length, "run")} diverged.`;
    return [{ id: "divergence", kind: "fact", text, figures: [] }];
  }
  const parts = analysis.optimizers.flatMap((optimizer) => {
    const settings = optimizer.settings.filter((setting) => setting.diverged.length > 0);
    return settings.length === 0 ? [] : [`${optimizer.name}: ${settingsInWords(optimizer, settings)}`];
  });
  const text = `${counted(diverged.length, "run")} of ${integer(analysis.results.length)} diverged. ${parts.join(". ")}.`;
  const figures = ["learning-rate", "map-momentum"];
  return [{ id: "divergence", kind: "fact", text, figures }, ...stabilityFindings(analysis)];
}

/** Few settings one by one; many as a count with the mildest of them. */
function settingsInWords({ settings: all }: OptimizerResult, settings: readonly SettingResult[]): string {
  if (settings.length <= 4) return listed(settings.map(settingInFull));
  const rates = settings.map(({ hyperparameters }) => hyperparameters.lr).filter(Number.isFinite);
  const gentlest = settings.filter(({ hyperparameters }) => hyperparameters.lr === Math.min(...rates));
  const from = gentlest.length === 0 ? "" : `, from ${settingInFull(gentlest[gentlest.length - 1])} on`;
  return `${settings.length} of ${counted(all.length, "setting")}${from}`;
}

function settingInFull({ words, runs, diverged }: SettingResult): string {
  const seeds = diverged.length < runs.length ? `${diverged.length} of ${runs.length} seeds, ` : "";
  const first = [...diverged].sort((a, b) => stepOf(a) - stepOf(b))[0];
  const { divergence } = first.summary!;
  const where =
    divergence === undefined
      ? ""
      : ` (${seeds}the ${divergence.quantity} at step ${integer(divergence.step)})`;
  return `${words === "" ? "its only setting" : inProse(words)}${where}`;
}

const stepOf = (run: StoredRun): number => run.summary?.divergence?.step ?? Number.POSITIVE_INFINITY;

/** Of a quadratic: whether the settings that diverged are those that the theory says. */
function stabilityFindings({ modes, optimizers, results }: StudyAnalysis): Finding[] {
  if (modes === undefined) return [];
  const known = optimizers.filter(({ isHeavyBall }) => isHeavyBall).flatMap(({ settings }) => settings);
  if (known.length === 0 || results.length === 0) return [];
  const greatest = Math.max(...modes.eigenvalues);
  const outcomes = known.map((setting) => {
    const { lr, momentum } = setting.hyperparameters;
    const predicted = predictDivergence(modes, { lr, momentum });
    return { setting, isUnstable: predicted !== undefined, hasDiverged: setting.diverged.length > 0 };
  });
  const unstable = outcomes.filter(({ isUnstable }) => isUnstable);
  const against = outcomes.filter(({ isUnstable, hasDiverged }) => isUnstable !== hasDiverged);
  const names = listed([...new Set(known.map(({ optimizer }) => optimizer))]);
  const agreement =
    against.length === 0
      ? `exactly the ${integer(unstable.length)} beyond it diverged`
      : `${integer(known.length - against.length)} did as it says; not so ${listed(
          against.map(({ setting }) => `${setting.optimizer} at ${settingInWords(setting.hyperparameters)}`),
        )}`;
  return [
    {
      id: "stability",
      kind: "fact",
      text: `Why: the loss is quadratic with greatest curvature λmax = ${significant(greatest, 4)}. Gradient descent converges below 2/λmax = ${significant(2 / greatest, 3)}, heavy ball below 2(1 + momentum)/λmax. Of the ${counted(known.length, "setting")} of ${names} ${agreement}.`,
      figures: ["learning-rate", "map-momentum"],
    },
  ];
}
