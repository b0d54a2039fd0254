/** Examples a second as a figure: of all ranks, and of each. */
import { measurementsFigure } from "../../figures/index.js";
import type { ScalingStudy } from "../../lab/scaling.js";
import { certifiedSentence, ringWords, scalingTitle, seriesOverRanks, sourceOf } from "./parts.js";

/** @throws SlalomError "data" where ranks have no certificate: examples of another training are not counted */
export const throughputFigure = (scaling: ScalingStudy): string =>
  measurementsFigure({
    title: `${scalingTitle(scaling)}: examples a second`,
    subtitle: `Training steps alone, without evaluation and starting. ${certifiedSentence}`,
    source: sourceOf(scaling),
    panels: [
      { title: "of all ranks", series: seriesOverRanks(scaling, ({ examplesPerS }) => examplesPerS) },
      {
        title: "of each rank",
        series: seriesOverRanks(scaling, ({ examplesPerS, ranks }) => examplesPerS / ranks),
      },
    ],
    x: { label: "ranks", scale: "log" },
    y: { label: "examples a second", scale: "log" },
    rings: ringWords,
  });
