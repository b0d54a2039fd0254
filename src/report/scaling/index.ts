/** All figures of a scaling study. */
import type { ScalingStudy } from "../../lab/scaling.js";
import { efficiencyFigure, speedupFigure } from "./speedup.js";
import { epochsToTargetFigure, timeToTargetFigure } from "./target.js";
import { throughputFigure } from "./throughput.js";

export { forecastFigure } from "./forecast.js";

export interface ScalingFigure {
  /** Letters and dashes: the end of the file's name. */
  readonly id: string;
  readonly svg: string;
}

/**
 * Speed-up, efficiency, throughput; epochs and time to the target where trainings met one.
 * @throws SlalomError "data" where ranks have no certificate: whether they trained the same is not known
 */
export function scalingFigures(scaling: ScalingStudy): ScalingFigure[] {
  const { target } = scaling;
  const figures = [
    { id: "speed-up", svg: speedupFigure(scaling) },
    { id: "efficiency", svg: efficiencyFigure(scaling) },
    { id: "throughput", svg: throughputFigure(scaling) },
    { id: "epochs-to-target", svg: target && epochsToTargetFigure(scaling, target) },
    { id: "time-to-target", svg: target && timeToTargetFigure(scaling, target) },
  ];
  return figures.flatMap(({ id, svg }) => (svg === undefined ? [] : [{ id, svg }]));
}
