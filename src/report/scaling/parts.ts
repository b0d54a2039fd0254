/** What the figures of a scaling study have in common. */
import { SlalomError } from "../../base/errors.js";
import type { MeasurementPanel, MeasurementSeries } from "../../figures/index.js";
import type { ScalingCurve, ScalingMode, ScalingPoint, ScalingStudy } from "../../lab/scaling.js";
import { counted, integer, listed } from "../words.js";

/** A measured point whose training is known to be that of one rank. */
export type CertifiedPoint = ScalingPoint & Required<Pick<ScalingPoint, "speedup" | "efficiency">>;

/**
 * The points of a curve.
 * @throws SlalomError "data" where ranks have no certificate: whether they trained the same is not known
 */
export function certifiedPoints(study: string, { batchSize, points }: ScalingCurve): CertifiedPoint[] {
  return points.map((point) => {
    const { speedup, efficiency } = point;
    if (speedup !== undefined && efficiency !== undefined) return { ...point, speedup, efficiency };
    throw new SlalomError(
      "data",
      `scaling of "${study}", batch ${batchSize}: ${point.ranks} ranks have no certificate that passed; expected one. A speed-up is not drawn where ranks train something else: see slalom certify.`,
    );
  });
}

/** "batch 5,000", "batch a rank 50". */
export const curveName = (mode: ScalingMode, batchSize: number): string =>
  `${mode === "strong" ? "batch" : "batch a rank"} ${integer(batchSize)}`;

/** "Strong scaling of Adam". */
export const scalingTitle = ({ mode, optimizer }: Pick<ScalingStudy, "mode" | "optimizer">): string =>
  `${mode === "strong" ? "Strong" : "Weak"} scaling of ${optimizer}`;

export const sourceOf = ({ study, backend }: ScalingStudy): string => `Study ${study}, ${backend}.`;

export const certifiedSentence = "Each number of ranks is certified to train what one rank trains.";

/** A series over ranks for each batch size; the ring is where more ranks no longer pay, if that was seen. */
export const seriesOverRanks = (
  { study, mode, curves }: ScalingStudy,
  quantity: (point: CertifiedPoint) => number,
): MeasurementSeries[] =>
  curves.map((curve) => {
    const points = certifiedPoints(study, curve);
    return {
      label: curveName(mode, curve.batchSize),
      x: points.map(({ ranks }) => ranks),
      y: points.map(quantity),
      ...ringOf(curve),
    };
  });

/** The ring of a curve whose last ranks gain too little. */
export const ringOf = ({
  points,
  paysUpTo,
}: {
  readonly points: readonly { readonly ranks: number }[];
  readonly paysUpTo: number;
}): Pick<MeasurementSeries, "ringAt"> =>
  points.some(({ ranks }) => ranks > paysUpTo) ? { ringAt: paysUpTo } : {};

/** "More ranks gain less than a tenth past 2 ranks (batch 50)."; nothing where all that were tried gain more. */
export function paysSentence(
  mode: ScalingMode,
  curves: readonly (Pick<ScalingCurve, "batchSize" | "paysUpTo"> & Parameters<typeof ringOf>[0])[],
): string {
  const ended = curves.filter((curve) => ringOf(curve).ringAt !== undefined);
  const told = ended.map(
    ({ batchSize, paysUpTo }) => `${counted(paysUpTo, "rank")} at ${curveName(mode, batchSize)}`,
  );
  return told.length === 0 ? "" : ` The next ranks gain less than a tenth past ${listed(told)}.`;
}

export const ringWords = "past this the next ranks gain less than a tenth";

/** As many times faster as there are ranks, or a value for each. */
export const idealOf = (
  ranks: readonly number[],
  valueAt: (ranks: number) => number,
): Required<MeasurementPanel>["reference"] => ({ label: "ideal", x: ranks, y: ranks.map(valueAt) });

/** All numbers of ranks of the curves, rising. */
export const ranksOf = (
  curves: readonly { readonly points: readonly { readonly ranks: number }[] }[],
): number[] =>
  [...new Set(curves.flatMap(({ points }) => points.map(({ ranks }) => ranks)))].sort((a, b) => a - b);
