/** Programs that all processes have, or none. */
import { attempt, type SlalomError } from "../base/errors.js";
import type { Communicator } from "../collectives/index.js";
import { failureAmong, gatherRecords, toldFailure } from "../collectives/records.js";
import type { Executable } from "../compile/backend.js";
import type { Plan } from "../compile/plan.js";

/** A plan of several processes as one of them runs it. What it does together with the others, all do in the same order. */
export type MakeExecutable = (plan: Plan, traceCapacity: number) => Executable;

/**
 * What `make` gives where it gives one on every process; else the error of the first that has none, and nobody keeps one.
 * Collective.
 */
export function madeByAll(
  communicator: Pick<Communicator, "rank" | "size" | "members" | "allGather">,
  make: () => Executable,
): { readonly executable: Executable } | { readonly error: SlalomError } {
  const made = attempt(make);
  const [own, cause] = "error" in made ? [toldFailure(made.error), made.error] : [null, undefined];
  const error = failureAmong(communicator, gatherRecords(communicator, own), cause);
  if ("value" in made) {
    if (error === undefined) return { executable: made.value };
    made.value.release();
  }
  return { error: error! };
}
