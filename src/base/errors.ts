/**
 * The one error class of Slalom, and the checks that throw it.
 *
 * A message says what was received, what is expected and what to do; the command line prints the
 * message alone.
 */

/** What kind of mistake it was; programs branch on it, people read the message. */
export type ErrorCode =
  | "shape" // shapes, axes or dtypes that do not fit an operation
  | "option" // an unknown or impossible option or setting
  | "name" // a name that nothing has
  | "data" // a missing, broken or mistyped data file
  | "store" // the run store: missing, broken, not writable
  | "library" // a system library that is absent or refuses
  | "device" // too few cores, GPUs or bytes
  | "internal"; // a bug of ours: please report

export class SlalomError extends Error {
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = "SlalomError";
    this.code = code;
  }
}

/** An error as plain data, for another thread, another process or another program. */
export interface Failure {
  readonly code: ErrorCode;
  readonly message: string;
}

/** What is none of ours is a bug. */
export const failureOf = (error: unknown): Failure => ({
  code: error instanceof SlalomError ? error.code : "internal",
  message: error instanceof Error ? error.message : String(error),
});

/** What `act` gives, or what it throws. */
export function attempt<T>(act: () => T): { readonly value: T } | { readonly error: unknown } {
  try {
    return { value: act() };
  } catch (error) {
    return { error };
  }
}

/** Throws an internal error unless `condition` holds: for invariants that a user can't break. */
export function invariant(condition: unknown, message: string): asserts condition {
  if (!condition) throw new SlalomError("internal", `${message} (a bug in Slalom: please report it)`);
}

/** The error for a name that nothing has; lists the valid ones, the nearest first. */
export function unknownName(
  kind: string,
  received: string,
  valid: readonly string[],
  code: ErrorCode = "name",
): SlalomError {
  if (valid.length === 0) return new SlalomError(code, `unknown ${kind} "${received}". None is known.`);
  const sorted = nearestFirst(received, valid);
  const distance = nameDistance(received, sorted[0]);
  // A name in which nothing of the received one is left is no guess.
  const near = distance < received.length && distance <= Math.max(2, received.length / 3);
  const hint = near ? ` Did you mean "${sorted[0]}"?` : "";
  return new SlalomError(code, `unknown ${kind} "${received}".${hint} Valid: ${sorted.join(", ")}.`);
}

/** Throws for the first key of `received` that is not in `valid`. */
export function checkKeys(where: string, received: object, valid: readonly string[]): void {
  for (const key of Object.keys(received)) {
    if (!valid.includes(key)) throw unknownName(`option of ${where}`, key, valid, "option");
  }
}

/** `valid` sorted by edit distance from `received` without regard to case, ties in the given order. */
export function nearestFirst(received: string, valid: readonly string[]): string[] {
  const distance = new Map(valid.map((name) => [name, nameDistance(received, name)]));
  return [...valid].sort((a, b) => distance.get(a)! - distance.get(b)!);
}

const nameDistance = (a: string, b: string): number => editDistance(a.toLowerCase(), b.toLowerCase());

/** Levenshtein distance with single-row dynamic programming. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      next[j] = Math.min(next[j - 1] + 1, row[j] + 1, row[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1));
    }
    row = next;
  }
  return row[b.length];
}
