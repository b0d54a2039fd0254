/**
 * What an average of the iterates is: how much each new iterate counts, as a graph of the step, and a description that
 * the run store keeps. Training keeps the average beside the parameters and evaluates it in their place.
 */
import { add, less, mul, sub, type Tensor, where } from "../../graph/index.js";

/** Plain data that says which average a run had; `averageFrom` makes it again. */
export type AverageDescription = {
  readonly id: string;
  readonly parameters: Readonly<Record<string, number | string>>;
};

/** How long a run is, for averages that begin at a share of it. */
export interface RunLength {
  /** Updates in all, at least 1. */
  readonly totalSteps: number;
  /** Absent where a problem has no data, and so no epochs. */
  readonly stepsPerEpoch?: number;
}

/** The average moves towards each iterate: average + weight (iterate - average). */
export interface Average extends AverageDescription {
  /** As figures and tables name it: "EMA 0.999". */
  readonly title: string;
  /**
   * The weight of the iterate that an update gives: from 0, it does not count, to 1, it alone does.
   * @param step float scalar, 1 at the first update
   * @returns a scalar of the step's dtype
   * @throws SlalomError "option" for a run that it does not fit
   */
  weight(step: Tensor, run: RunLength): Tensor;
  /**
   * The first step whose average is one of iterates far apart. From there on the statistics that layers remember of
   * batches fit it no longer: they are taken anew over the training data before the average is evaluated. Absent: never,
   * they are averaged as the parameters are.
   */
  statisticsFrom?(run: RunLength): number;
}

/**
 * The average after an update that gave `iterate`, in its type; exactly the average for the weight 0, exactly the
 * iterate for 1. A small weight multiplies the difference: weights that sum to 1 but for rounding would drift.
 */
export function averaged(average: Tensor, iterate: Tensor, weight: Tensor): Tensor {
  const difference = sub(iterate, average);
  const near = add(average, mul(difference, weight));
  const far = sub(iterate, mul(difference, sub(1, weight)));
  return where(less(weight, 0.5), near, far);
}

/** The description alone, as plain data for the run store. */
export const describeAverage = ({ id, parameters }: Average): AverageDescription => ({ id, parameters });
