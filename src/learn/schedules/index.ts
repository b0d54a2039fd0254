/** Schedules of the learning rate. */
import { unknownName } from "../../base/errors.js";
import { product, sequence, withWarmup } from "./compositions.js";
import { constantRate } from "./constant.js";
import { cosine } from "./cosine.js";
import { exponential } from "./exponential.js";
import { linearWarmup } from "./linearWarmup.js";
import { oneCycle } from "./oneCycle.js";
import { polynomial } from "./polynomial.js";
import type { Schedule, ScheduleDescription, ScheduleKind } from "./schedule.js";
import { stepDecay } from "./stepDecay.js";

export { type BatchRule, type BatchScaling, type ScaledRate, scaledForBatch } from "./batchScaling.js";
export {
  defineSchedule,
  describeSchedule,
  type Schedule,
  type ScheduleDefinition,
  type ScheduleDescription,
  type ScheduleKind,
  type ScheduleParameter,
} from "./schedule.js";
export {
  constantRate,
  cosine,
  exponential,
  linearWarmup,
  oneCycle,
  polynomial,
  product,
  sequence,
  stepDecay,
  withWarmup,
};

export const schedules = [
  constantRate,
  stepDecay,
  exponential,
  cosine,
  linearWarmup,
  oneCycle,
  polynomial,
] as const;

/**
 * The schedule that a description tells of.
 * @param kinds where to look its id up: those of Slalom by default; add your own to find them
 * @throws SlalomError "name" for an unknown id, "option" for parameters that do not fit
 */
export function scheduleFrom(
  { id, parameters, parts = [] }: ScheduleDescription,
  kinds: readonly ScheduleKind[] = schedules,
): Schedule {
  const made = parts.map((part) => scheduleFrom(part, kinds));
  if (id === "product") return product(made);
  if (id === "sequence") {
    return sequence(made, { at: made.slice(1).map((_, i) => parameters[`at${i + 1}`]) });
  }
  const kind = kinds.find((candidate) => candidate.id === id);
  if (!kind) {
    throw unknownName("schedule", id, [...kinds.map((candidate) => candidate.id), "sequence", "product"]);
  }
  return kind(parameters);
}
