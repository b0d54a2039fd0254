/** What ranks tell one another of themselves: plain data, as JSON in as many bytes for each. */
import { type Failure, failureOf, SlalomError } from "../base/errors.js";
import { type Communicator, nameOf } from "./communicator.js";

/** Of each rank. All versions of Slalom tell as much. */
const bytesOfRecord = 16_384;

/**
 * The records of all ranks, in their order. Collective.
 * @param bytes room for the record of each rank, the same number on all
 */
export function gatherRecords<T>(
  communicator: Pick<Communicator, "rank" | "size" | "allGather">,
  own: T,
  bytes = bytesOfRecord,
): T[] {
  const { rank, size } = communicator;
  const told = new Uint8Array(bytes * size);
  const of = (one: number): Uint8Array => told.subarray(bytes * one, bytes * (one + 1));
  new TextEncoder().encodeInto(JSON.stringify(own), of(rank));
  communicator.allGather(told);
  return Array.from(
    { length: size },
    (_, one) => JSON.parse(new TextDecoder().decode(of(one)).replace(/\0+$/, "")) as T,
  );
}

/** Characters of a message that find room in a record whatever they are. */
const mostCharacters = 2000;

/** A failure as a record tells it. */
export function toldFailure(error: unknown): Failure {
  const { code, message } = failureOf(error);
  return { code, message: message.slice(0, mostCharacters) };
}

/**
 * The error of the first rank that failed, which it names; undefined where none did. The same on all.
 * @param failures of each rank, where it has one
 * @param cause of this rank's own
 */
export function failureAmong(
  { rank, members }: Pick<Communicator, "rank" | "members">,
  failures: readonly (Failure | null | undefined)[],
  cause?: unknown,
): SlalomError | undefined {
  const failed = failures.findIndex(Boolean);
  if (failed < 0) return undefined;
  const { code, message } = failures[failed]!;
  const options = failed === rank && cause !== undefined ? { cause } : undefined;
  return new SlalomError(code, `${nameOf(members[failed])}: ${message}`, options);
}
