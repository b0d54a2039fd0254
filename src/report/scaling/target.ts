/** How far and how long trainings go to a target, as figures. */
import { type MeasurementSeries, measurementsFigure } from "../../figures/index.js";
import type { ScalingStudy } from "../../lab/scaling.js";
import type { TargetStudy, TargetTraining } from "../../lab/targetTraining.js";
import { capitalised, counted, integer, listed, targetInWords } from "../words.js";
import { curveName, scalingTitle, sourceOf } from "./parts.js";
import { ruleInWords, seedsInWords } from "./words.js";

/** Epochs to the target over the size of the batch, a line for each rule; undefined where no training met it. */
export function epochsToTargetFigure(scaling: ScalingStudy, target: TargetStudy): string | undefined {
  const { trainings, baseBatchSize, seed, seeds = [seed] } = target;
  const series = rulesOf(target).map((rule): MeasurementSeries => {
    const own = trainings.filter((training) => training.rule === rule);
    return {
      label: `learning rate ${ruleInWords(rule)}`,
      x: own.map(({ batchSize }) => batchSize),
      y: own.map(({ reached }) => reached?.epochs ?? Number.NaN),
      ...(seeds.length > 1 && { ranges: own.map(rangeOf) }),
    };
  });
  if (!series.some(({ y }) => y.some(Number.isFinite))) return undefined;
  const shown = series.flatMap(({ y, ranges = [] }) => [...y, ...ranges.flat()]);
  const most = Math.max(...shown.filter(Number.isFinite));
  return measurementsFigure({
    title: `${scaling.optimizer}: epochs to ${targetInWords(target.target)}`,
    subtitle: `One training for each, ${seedsInWords(seeds)}; the rules start from batch ${integer(baseBatchSize)}. ${missedSentence(target)}`,
    source: sourceOf(scaling),
    panels: [{ series }],
    x: { label: "batch, over all ranks", scale: "log" },
    y: { label: "epochs", domain: [0, 1.08 * most] },
  });
}

/** Epochs of the first and of the last seed; infinite where it did not meet the target. */
function rangeOf({ seeds = [] }: TargetTraining): readonly [number, number] {
  const epochs = seeds.map(({ reached }) => reached?.epochs ?? Number.POSITIVE_INFINITY);
  return [Math.min(...epochs), Math.max(...epochs)];
}

/** Seconds to the target over ranks, a panel for each rule; undefined where no training met it. */
export function timeToTargetFigure(scaling: ScalingStudy, target: TargetStudy): string | undefined {
  const { mode, curves } = scaling;
  const panels = rulesOf(target).map((rule) => ({
    title: `learning rate ${ruleInWords(rule)}`,
    series: curves.map(
      ({ batchSize, points }): MeasurementSeries => ({
        label: curveName(mode, batchSize),
        x: points.map(({ ranks }) => ranks),
        y: points.map((point) => secondsOf(target, rule, point) ?? Number.NaN),
      }),
    ),
  }));
  const values = panels.flatMap(({ series }) => series.flatMap(({ y }) => y));
  if (!values.some(Number.isFinite)) return undefined;
  return measurementsFigure({
    title: `${scalingTitle(scaling)}: time to ${targetInWords(target.target)}`,
    subtitle: `The steps of ${(target.seeds ?? []).length > 1 ? "the middle one of several seeds" : "one training"} times the measured step of each number of ranks, which are certified to train the same; without evaluation and starting. ${missedSentence(target)}`,
    source: sourceOf(scaling),
    panels,
    x: { label: "ranks", scale: "log" },
    y: { label: "seconds", scale: "log" },
  });
}

const rulesOf = ({ trainings }: TargetStudy): TargetTraining["rule"][] => [
  ...new Set(trainings.map(({ rule }) => rule)),
];

const secondsOf = (
  { trainings }: TargetStudy,
  rule: TargetTraining["rule"],
  { ranks, batchSize }: { readonly ranks: number; readonly batchSize: number },
): number | undefined =>
  trainings
    .find((training) => training.rule === rule && training.batchSize === batchSize)
    ?.times.find((time) => time.ranks === ranks)?.seconds;

/** "Not met within 30 epochs: batch 5,000 kept." */
function missedSentence({ trainings, epochs }: TargetStudy): string {
  const missed = trainings
    .filter(({ outcome }) => outcome !== "reached")
    .map(
      ({ batchSize, rule, outcome }) =>
        `batch ${integer(batchSize)} ${ruleInWords(rule)}${outcome === "diverged" ? " (diverged)" : ""}`,
    );
  if (missed.length === 0) return "All met it.";
  return capitalised(`not met within ${counted(epochs, "epoch")}: ${listed(missed)}.`);
}
