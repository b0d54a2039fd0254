/** Schedules made of schedules: one after another, behind a warm-up, multiplied. */
import { SlalomError } from "../../base/errors.js";
import { less, mul, sub, where } from "../../graph/index.js";
import { linearWarmup } from "./linearWarmup.js";
import type { Schedule } from "./schedule.js";

/**
 * Schedules one after another, the next from each boundary on, each counting its steps from 0; the run's
 * length as a part sees it is the length of that part. PyTorch's `SequentialLR`, optax's `join_schedules`.
 * ```ts
 * sequence([linearWarmup({ steps: 100 }), constantRate(), cosine()], { at: [100, 500] });
 * ```
 * @param at first step of the second schedule, of the third, ...: increasing integers, one fewer than schedules
 * @throws SlalomError "option" where they are not
 */
export function sequence(
  schedules: readonly Schedule[],
  { at }: { readonly at: readonly number[] },
): Schedule {
  const increasing = at.every((step, i) => Number.isInteger(step) && step > (at[i - 1] ?? 0));
  if (schedules.length === 0 || at.length !== schedules.length - 1 || !increasing) {
    throw new SlalomError(
      "option",
      `sequence: ${schedules.length} schedules with boundaries [${at.join(", ")}]; expected one boundary fewer than schedules, increasing integers of at least 1.`,
    );
  }
  return {
    id: "sequence",
    parameters: Object.fromEntries(at.map((step, i) => [`at${i + 1}`, step])),
    parts: schedules,
    factor: (step, totalSteps) => {
      const starts = [0, ...at];
      const ends = [...at, Math.max(totalSteps, starts[starts.length - 1] + 1)];
      const factors = schedules.map((part, i) => part.factor(sub(step, starts[i]), ends[i] - starts[i]));
      // Ranges that are not in force may be NaN or infinite (a root of a negative step): `where` drops them.
      return factors.reduceRight((later, factor, i) => where(less(step, at[i]), factor, later));
    },
  };
}

/**
 * A linear warm-up over `steps`, then `schedule` over the rest of the run:
 * `withWarmup(cosine(), { steps: 100 })`.
 * @param start share of the learning rate at the first step, a third by default
 */
export const withWarmup = (
  schedule: Schedule,
  { steps, start }: { readonly steps: number; readonly start?: number },
): Schedule =>
  sequence([linearWarmup({ steps, ...(start !== undefined && { start }) }), schedule], { at: [steps] });

/**
 * The product of the factors, each over the whole run. PyTorch's `ChainedScheduler`.
 * @throws SlalomError "option" without schedules
 */
export function product(schedules: readonly Schedule[]): Schedule {
  if (schedules.length === 0) {
    throw new SlalomError("option", "product: no schedules; expected at least one.");
  }
  return {
    id: "product",
    parameters: {},
    parts: schedules,
    factor: (step, totalSteps) =>
      schedules.map((part) => part.factor(step, totalSteps)).reduce((all, factor) => mul(all, factor)),
  };
}
