/** What `slalom scale` prints: the measured steps, and how far trainings go to a target. */
import type { StoredCertificate } from "../lab/certificate.js";
import type { ScalingPoint, ScalingStudy } from "../lab/scaling.js";
import type { SeedTraining, TargetStudy, TargetTraining } from "../lab/targetTraining.js";
import { ruleInWords, seedsInWords } from "../report/scaling/words.js";
import { counted, duration, integer, metricValue, significant, targetInWords } from "../report/words.js";
import { columns } from "./columns.js";
import type { Output } from "./output.js";

/** "12.3 ms", "2450 ms". */
export const milliseconds = (seconds: number): string => {
  const digits = (1000 * seconds).toPrecision(3);
  return `${digits.includes("e+") ? integer(Number(digits)) : digits} ms`;
};

/** "2 ranks, batch 500: 12.3 ms a step". */
export const pointText = ({ ranks, batchSize, stepS }: ScalingPoint): string =>
  `${counted(ranks, "rank")}, batch ${batchSize}: ${milliseconds(stepS.median)} a step`;

export function scalingText(
  { study, optimizer, mode, backend, curves }: ScalingStudy,
  { style }: Pick<Output, "style">,
): string {
  const rows = curves.flatMap(({ points }) =>
    points.map(({ ranks, batchSize, stepS, examplesPerS, speedup, efficiency, certificate }) => [
      integer(batchSize),
      `${ranks}`,
      `${milliseconds(stepS.median)} (${milliseconds(stepS.least)} to ${milliseconds(stepS.greatest)})`,
      integer(examplesPerS),
      integer(examplesPerS / ranks),
      speedup === undefined ? "-" : speedup.toFixed(2),
      efficiency === undefined ? "-" : `${(100 * efficiency).toFixed(0)} %`,
      certificate === undefined ? "" : certificateWord(certificate),
    ]),
  );
  const pays = curves.map(({ batchSize, paysUpTo }) => `up to ${paysUpTo} at batch ${integer(batchSize)}`);
  return [
    `${style.bold(study)}, ${optimizer}: ${mode} scaling, ${backend}`,
    columns(rows, {
      header: ["batch", "ranks", "a step", "examples/s", "a rank", "speed-up", "efficiency", "certificate"],
      align: ["right", "right", "left", "right", "right", "right", "right", "left"],
      style,
    }),
    `Each step to more ranks gains at least a tenth ${pays.join(", ")}.`,
  ].join("\n");
}

const certificateWord = ({ passed, verdict }: StoredCertificate): string =>
  passed ? "passed" : verdict === "inconclusive" ? verdict : "FAILED";

/** "batch 500, linear: 4 epochs to validation accuracy ≥ 99 %"; with several seeds "(3 to 6)" behind. */
export function trainingText(training: TargetTraining, target: string): string {
  const { rule, batchSize, outcome, reached } = training;
  const told = reached
    ? `${epochsText(reached.epochs)} epoch${reached.epochs === 1 ? "" : "s"} to ${target}`
    : outcome;
  return `batch ${batchSize}, ${ruleInWords(rule)}: ${told}${rangeText(training)}`;
}

/** " (3 to 6)": epochs of the first and of the last of several seeds, a dash where one did not meet the target. */
function rangeText({ seeds }: TargetTraining): string {
  if (!seeds) return "";
  const [first, last] = [seeds[0], seeds[seeds.length - 1]];
  const text = ({ reached }: SeedTraining): string => (reached ? epochsText(reached.epochs) : "-");
  return ` (${text(first)} to ${text(last)})`;
}

export function targetText(
  { target, seed, seeds = [seed], epochs, evaluatedEvery, baseBatchSize, trainings }: TargetStudy,
  { style }: Output,
): string {
  const ranks = [...new Set(trainings.flatMap(({ times }) => times.map((time) => time.ranks)))].sort(
    (a, b) => a - b,
  );
  const rows = trainings.map((training) => {
    const { rule, batchSize, learningRate, warmupSteps, outcome, reached, best, times } = training;
    return [
      integer(batchSize),
      ruleInWords(rule),
      significant(learningRate, 4) +
        (warmupSteps === undefined ? "" : `, after ${counted(warmupSteps, "step")}`),
      `${reached ? epochsText(reached.epochs) : "-"}${rangeText(training)}`,
      best === undefined
        ? "-"
        : `${metricValue(target.metric, best.value)}${outcome === "diverged" ? ", diverged" : ""}`,
      ...ranks.map((count) => {
        const time = times.find((one) => one.ranks === count);
        return time === undefined ? "-" : duration(time.seconds);
      }),
    ];
  });
  const trainedOn = [...new Set(trainings.map((training) => training.ranks))].sort((a, b) => a - b);
  return [
    `To ${targetInWords(target)}, in at most ${counted(epochs, "epoch")}, looked at every ${evaluatedEvery === 1 ? "epoch" : `${epochsText(evaluatedEvery)} epochs`}, ${seedsInWords(seeds)}; the rules start from batch ${integer(baseBatchSize)}:`,
    columns(rows, {
      header: [
        "batch",
        "rule",
        "learning rate",
        "epochs",
        "best",
        ...ranks.map((count) => `time, ${counted(count, "rank")}`),
      ],
      align: ["right", "left", "left", "right", "right", ...ranks.map(() => "right" as const)],
      style,
    }),
    `One training for each batch${seeds.length > 1 ? ", rule and seed" : " and rule"}, on ${trainedOn.join(" or ")} ranks; a time is its steps times the measured step of so many ranks, which are certified to train the same. Evaluation and starting are not in it.`,
  ].join("\n");
}

const epochsText = (epochs: number): string => significant(epochs, 3);
