/**
 * Who is missing: a rank that has waited too long tells all others where it waits, and those that wait too answer. Who
 * is not heard of ended, hangs or is late; it is named, and the world ends.
 */
import { SlalomError } from "../../base/errors.js";
import { type Member, nameOf } from "../communicator.js";
import type { Handle } from "./abi.js";
import type { Mpi, Span } from "./calls.js";

/** The calls that ranks make together. */
export const collectiveCalls = [
  "allReduce",
  "reduceScatter",
  "allGather",
  "broadcast",
  "barrier",
  "split",
  "close",
] as const;

export type CollectiveCall = (typeof collectiveCalls)[number];

/** Where a rank waits. */
export interface Whereabouts {
  /** Communicators are numbered as they are made, from 0, the world. */
  readonly communicator: number;
  readonly call: CollectiveCall;
  /** Of that communicator's calls, from 1. */
  readonly number: number;
  /** Elements of the array. */
  readonly length: number;
  readonly waitedMs: number;
}

/** How long a rank listens for the others: some polls of ranks that get little of a loaded machine. */
const listenMs = 5_000;
const tag = 0;
const recordLength = 16;

export class RollCall {
  private readonly rank: number;
  private readonly size: number;
  private readonly heard = new Map<number, Whereabouts>();
  /** What this rank says, and the last that it heard. */
  private readonly said = new Float64Array(recordLength);
  private readonly inbox = new Float64Array(recordLength);
  private readonly requests: BigUint64Array;
  private hasSaid = false;

  /**
   * @param communicator of all ranks, for this alone
   * @param members of the world; empty until they have told their names
   */
  constructor(
    private readonly mpi: Mpi,
    private readonly communicator: Handle,
    private readonly members: readonly Member[],
  ) {
    this.rank = mpi.rankOf(communicator);
    this.size = mpi.sizeOf(communicator);
    this.requests = new BigUint64Array(Math.max(16, this.size));
  }

  /** Whether any rank has lost its patience. */
  isCalled(): boolean {
    const message = this.spanOf(this.inbox);
    while (this.mpi.receiveIfAny(message, this.communicator, tag)) {
      const [rank, communicator, call, number, length, waitedMs] = this.inbox;
      this.heard.set(rank, { communicator, call: collectiveCalls[call], number, length, waitedMs });
    }
    return this.heard.size > 0;
  }

  /**
   * Tells the others where this rank waits, listens for them, and says who is missing. The first of those that wait
   * comes back at once; the others give it time to end them.
   * @param awaited ranks of the world that the call is for
   */
  take(here: Whereabouts, awaited: readonly number[], pause: (ms: number) => void): SlalomError {
    this.say(here);
    const until = performance.now() + listenMs;
    while (performance.now() < until && this.heard.size < this.size - 1) {
      pause(1);
      this.isCalled();
    }
    const present = new Map(this.heard).set(this.rank, here);
    if (Math.min(...present.keys()) !== this.rank) pause(2 * listenMs);
    return new SlalomError("device", findings({ here, present, awaited, members: this.members }));
  }

  /** A rank that never takes it would never answer: nothing here waits for it. */
  private say({ communicator, call, number, length, waitedMs }: Whereabouts): void {
    if (this.hasSaid) return;
    this.hasSaid = true;
    this.said.set([this.rank, communicator, collectiveCalls.indexOf(call), number, length, waitedMs]);
    const message = this.spanOf(this.said);
    const requests = this.mpi.addressOf(this.requests);
    for (let peer = 0; peer < this.size; peer++) {
      if (peer === this.rank) continue;
      this.mpi.send(message, { communicator: this.communicator, peer, tag }, requests + 8 * peer);
    }
  }

  private spanOf(record: Float64Array): Span {
    return { address: this.mpi.addressOf(record), count: recordLength, type: this.mpi.abi.float64 };
  }
}

export interface RollCallResult {
  /** Where this rank waits. */
  readonly here: Whereabouts;
  /** Ranks of the world that were heard of. */
  readonly present: ReadonlyMap<number, Whereabouts>;
  /** Ranks of the world that the call is for. */
  readonly awaited: readonly number[];
  readonly members: readonly Member[];
}

/** The message: who is missing, or at another call, or came last; where the others wait; what to do. */
export function findings({ here, present, awaited, members }: RollCallResult): string {
  const name = (rank: number): string => {
    const member = members.find((one) => one.rank === rank);
    return member ? nameOf(member) : `rank ${rank}`;
  };
  const list = (ranks: readonly number[]): string => ranks.map(name).join(", ");
  const wait = `${describe(here)} for ${seconds(here.waitedMs)}`;
  const missing = awaited.filter((rank) => !present.has(rank));
  if (missing.length > 0) {
    const others = awaited.filter((rank) => present.has(rank));
    return `${list(missing)} ${missing.length === 1 ? "does" : "do"} not answer; ${list(others)} ${others.length === 1 ? "has" : "have"} waited at ${wait}. It ended, hangs or is too slow: look at its output and at its machine.`;
  }
  const isHere = (at: Whereabouts): boolean =>
    at.communicator === here.communicator &&
    at.number === here.number &&
    at.call === here.call &&
    at.length === here.length;
  const elsewhere = awaited.filter((rank) => !isHere(present.get(rank)!));
  if (elsewhere.length > 0) {
    const places = elsewhere.map((rank) => `${name(rank)} waits at ${describe(present.get(rank)!)}`);
    return `ranks wait for one another at different calls: this one at ${wait}, but ${places.join(", ")}. Every rank must make the same calls in the same order.`;
  }
  const last = awaited.reduce((a, b) => (present.get(b)!.waitedMs < present.get(a)!.waitedMs ? b : a));
  const lateMs = here.waitedMs - present.get(last)!.waitedMs;
  return `${wait} the ranks have waited, the last to come was ${name(last)}, ${seconds(lateMs)} after this one, and it is not done: a rank or the network is too slow. Allow more with patienceMs.`;
}

function describe({ call, number, length, communicator }: Whereabouts): string {
  const numbers = length > 0 ? ` of ${length} numbers` : "";
  return `${call}${numbers} (call ${number} of ${communicator === 0 ? "the world" : `communicator ${communicator}`})`;
}

const seconds = (ms: number): string => `${Number((ms / 1000).toPrecision(3))} s`;
