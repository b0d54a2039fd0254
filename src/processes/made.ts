/** Programs that all processes have, or none. */
import { type ErrorCode, SlalomError } from "../base/errors.js";
import { nameOf } from "../collectives/communicator.js";
import type { Communicator } from "../collectives/index.js";
import { gatherRecords } from "../collectives/records.js";
import type { Executable } from "../compile/backend.js";
import type { Plan } from "../compile/plan.js";

/** A plan of several processes as one of them runs it. What it does together with the others, all do in the same order. */
export type MakeExecutable = (plan: Plan, traceCapacity: number) => Executable;

interface Failure {
  readonly code: ErrorCode;
  readonly message: string;
}

/**
 * What `make` gives where it gives one on every process; else the error of the first that has none, and nobody keeps one.
 * Collective.
 */
export function madeByAll(
  communicator: Pick<Communicator, "rank" | "size" | "members" | "allGather">,
  make: () => Executable,
): { readonly executable: Executable } | { readonly error: SlalomError } {
  const made = attempt(make);
  const own = "executable" in made ? null : failureOf(made.error);
  const failures = gatherRecords<Failure | null>(communicator, own, bytesOfRank);
  const failed = failures.findIndex((failure) => failure !== null);
  if ("executable" in made) {
    if (failed < 0) return made;
    made.executable.release();
  }
  const { code, message } = failures[failed]!;
  const cause = "error" in made && failed === communicator.rank ? { cause: made.error } : undefined;
  return { error: new SlalomError(code, `${nameOf(communicator.members[failed])}: ${message}`, cause) };
}

function attempt(make: () => Executable): { executable: Executable } | { error: unknown } {
  try {
    return { executable: make() };
  } catch (error) {
    return { error };
  }
}

/** Of the record of each rank, in which a message finds room whatever its letters are. */
const bytesOfRank = 16_384;
const mostCharacters = 2000;

function failureOf(error: unknown): Failure {
  const code = error instanceof SlalomError ? error.code : "internal";
  const message = error instanceof Error ? error.message : String(error);
  return { code, message: message.slice(0, mostCharacters) };
}
