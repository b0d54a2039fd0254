/**
 * What a schedule is: a factor that multiplies the learning rate, as a graph of the step, and a description
 * that the run store keeps. `defineSchedule` makes one with named parameters.
 */
import { SlalomError, unknownName } from "../../base/errors.js";
import type { Tensor } from "../../graph/index.js";

/** Plain data that says which schedule a run had; `scheduleFrom` makes the schedule again. */
export type ScheduleDescription = {
  readonly id: string;
  readonly parameters: Readonly<Record<string, number>>;
  /** The schedules that a composition is made of. */
  readonly parts?: readonly ScheduleDescription[];
};

export interface Schedule extends ScheduleDescription {
  readonly parts?: readonly Schedule[];
  /**
   * The factor that multiplies the learning rate.
   * @param step float scalar, 0 at the first update
   * @param totalSteps updates in the run, an integer of at least 1
   * @returns a scalar of the step's dtype
   */
  factor(step: Tensor, totalSteps: number): Tensor;
}

/** A kind of schedule; called with its parameters it gives one: `cosine({ end: 0.01 })`. */
export interface ScheduleKind<P extends string = string> extends ScheduleDefinition<P> {
  /** @throws SlalomError "option" for a parameter that is unknown, missing or outside its bounds */
  (parameters?: { readonly [K in P]?: number }): Schedule;
}

export interface ScheduleDefinition<P extends string = string> {
  /** As the user names it: "cosine". */
  readonly id: string;
  readonly title: string;
  readonly parameters: Readonly<Record<P, ScheduleParameter>>;
  factor(step: Tensor, parameters: Readonly<Record<P, number>>): Tensor;
}

export interface ScheduleParameter {
  /** "total": the number of updates in the run; "required": there is no sensible default. */
  readonly default: number | "total" | "required";
  readonly meaning: string;
  /** Both allowed. */
  readonly minimum?: number;
  readonly maximum?: number;
}

/**
 * Makes a kind of schedule from its data and its factor.
 * ```ts
 * const inverseSqrt = defineSchedule({
 *   id: "inverse-sqrt",
 *   title: "Inverse square root",
 *   parameters: { after: { default: 100, minimum: 1, meaning: "steps at full rate" } },
 *   factor: (step, { after }) => rsqrt(maximum(div(step, after), 1)),
 * });
 * ```
 */
export function defineSchedule<P extends string>(definition: ScheduleDefinition<P>): ScheduleKind<P> {
  const make = (received: { readonly [K in P]?: number } = {}): Schedule =>
    makeSchedule(definition, received);
  return Object.assign(make, definition);
}

function makeSchedule<P extends string>(
  definition: ScheduleDefinition<P>,
  received: { readonly [K in P]?: number },
): Schedule {
  const { id } = definition;
  const known = Object.entries<ScheduleParameter>(definition.parameters);
  const names = known.map(([name]) => name);
  for (const name of Object.keys(received)) {
    if (!names.includes(name)) throw unknownName(`parameter of the schedule ${id}`, name, names, "option");
  }
  const given: Readonly<Record<string, number | undefined>> = received;
  const parameters: Record<string, number> = {};
  for (const [name, specification] of known) {
    const value = given[name] ?? specification.default;
    if (value === "total") continue;
    parameters[name] = checkParameter(id, name, value, specification);
  }
  return {
    id,
    parameters,
    factor: (step, totalSteps) =>
      definition.factor(
        step,
        Object.fromEntries(
          names.map((name) => [name, parameters[name] ?? checkTotalSteps(id, totalSteps)]),
        ) as Record<P, number>,
      ),
  };
}

/** The description alone, as plain data for the run store. */
export const describeSchedule = ({ id, parameters, parts }: Schedule): ScheduleDescription => ({
  id,
  parameters,
  ...(parts && { parts: parts.map(describeSchedule) }),
});

/** `totalSteps` where a schedule's length is that of the run. */
function checkTotalSteps(id: string, totalSteps: number): number {
  if (Number.isInteger(totalSteps) && totalSteps >= 1) return totalSteps;
  throw new SlalomError(
    "option",
    `the schedule ${id} needs the length of the run and got ${totalSteps}; expected an integer of at least 1. Give the schedule its own number of steps?`,
  );
}

function checkParameter(id: string, name: string, value: unknown, limits: ScheduleParameter): number {
  const low = limits.minimum ?? Number.NEGATIVE_INFINITY;
  const high = limits.maximum ?? Number.POSITIVE_INFINITY;
  if (typeof value === "number" && Number.isFinite(value) && value >= low && value <= high) return value;
  const received =
    value === "required" ? "missing" : typeof value === "number" ? value : JSON.stringify(value);
  throw new SlalomError(
    "option",
    `the schedule ${id}: ${name} (${limits.meaning}) is ${received}; expected a finite number from ${low} to ${high}.`,
  );
}
