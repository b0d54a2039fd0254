/** Averages of the iterates. */
import { unknownName } from "../../base/errors.js";
import type { Average, AverageDescription } from "./average.js";
import { type EmaOptions, ema } from "./ema.js";
import { type SwaOptions, swa } from "./swa.js";

export {
  type Average,
  type AverageDescription,
  averaged,
  describeAverage,
  type RunLength,
} from "./average.js";
export { type EmaOptions, ema, type SwaOptions, swa };

/** By id, as `averageFrom` finds them. */
export const averages = { ema, swa } as const;

/**
 * The average that a description tells of.
 * @throws SlalomError "name" for an unknown id, "option" for parameters that do not fit
 */
export function averageFrom({ id, parameters }: AverageDescription): Average {
  if (id !== "ema" && id !== "swa") throw unknownName("average", id, Object.keys(averages));
  return averages[id](parameters);
}
