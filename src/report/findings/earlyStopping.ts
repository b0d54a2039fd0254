/** How many runs stopped early, and how much of their steps they made. */
import { quantile } from "../../lab/statistics/index.js";
import type { StudyAnalysis } from "../analysis.js";
import { stoppedEarly } from "../lengths.js";
import { counted, integer, metricName } from "../words.js";
import type { Finding } from "./finding.js";

export function earlyStoppingFindings({ study, results, optimizers, budgets }: StudyAnalysis): Finding[] {
  const { earlyStopping } = study.record;
  if (!earlyStopping) return [];
  const { metric, patience, restore } = earlyStopping;
  const finding = (text: string): Finding[] => [{ id: "early-stopping", kind: "fact", text, figures: [] }];
  const stopped = stoppedEarly(results);
  if (stopped.length === 0)
    return finding(
      `No run stopped early: the ${metricName(metric)} of each was better at least once in ${counted(patience, "evaluation")}, or it diverged.`,
    );
  const shares = stopped.map(({ summary, configuration }) => summary!.stepsDone / configuration.steps);
  const [least, middle, most] = [0, 0.5, 1].map((part) => percent(quantile(shares, part)));
  const span = least === most ? least : `${least} to ${most} (median ${middle})`;
  const counts = optimizers.map(({ name, settings }, i) => {
    const runs = settings.flatMap((setting) => setting.runs);
    return `${name} ${integer(stoppedEarly(runs).length)} of ${integer(runs.length)}, which made ${counted(budgets.optimizers[i].steps, "step")} together`;
  });
  const restored = restore === "best" ? " Final values of every run are those of its best evaluation." : "";
  return finding(
    `${counted(stopped.length, "run")} of ${integer(results.length)} stopped early, after ${counted(patience, "evaluation")} without a better ${metricName(metric)} and ${span} of their steps: ${counts.join("; ")}.${restored}`,
  );
}

const percent = (share: number): string => `${Math.round(100 * share)} %`;
