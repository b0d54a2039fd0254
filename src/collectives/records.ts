/** What ranks tell one another of themselves: plain data, as JSON in as many bytes for each. */
import type { Communicator } from "./communicator.js";

/**
 * The records of all ranks, in their order. Collective.
 * @param bytes room for the record of each rank, the same number on all
 */
export function gatherRecords<T>(
  communicator: Pick<Communicator, "rank" | "size" | "allGather">,
  own: T,
  bytes: number,
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
