/**
 * Collectives over MPI. The library carries messages and adds pairs of arrays; the order of additions is ours, as that
 * of MPI_Allreduce may depend on the length of an array, the place of an element and the machine.
 *
 * An all-reduce is a reduce-scatter and an all-gather: each rank gets its part of the arrays of all others, adds them in
 * the order of ranks, and gives the sums to all others. A rank sends and receives twice its array, which is the least.
 */
import { invariant, SlalomError } from "../../base/errors.js";
import {
  type Communicator,
  checkMovable,
  checkReduction,
  checkRoot,
  checkSplit,
  type FloatArray,
  type Member,
  type MovableArray,
  type Part,
  partOf,
  type Reduction,
} from "../communicator.js";
import type { Handle } from "./abi.js";
import type { Mpi, Span } from "./calls.js";
import { Patience } from "./patience.js";
import { type CollectiveCall, collectiveCalls, type RollCall, type Whereabouts } from "./rollCall.js";

/** What the communicators of a process share. */
export interface MpiProcess {
  readonly mpi: Mpi;
  readonly rollCall: RollCall;
  /** How long a rank waits for the others. */
  readonly patienceMs: number;
  /** Numbers communicators. */
  nextCommunicator(): number;
}

/** A member, and its rank in the world. */
export interface WorldMember extends Member {
  readonly worldRank: number;
}

/** A transfer that was begun. */
interface Transfer {
  readonly request: number;
  readonly span: Span;
  readonly isReceived: boolean;
  readonly peer: number;
}

/** The call that is being made. */
interface Call extends Omit<Whereabouts, "waitedMs"> {
  readonly tag: number;
  readonly patience: Patience;
}

const requestBytes = 8;
const memberBytes = 1024;
/** MPI promises tags up to 32,767. */
const tagRounds = 4096;

export class MpiCommunicator implements Communicator {
  readonly rank: number;
  readonly size: number;
  readonly members: readonly WorldMember[];
  private readonly mpi: Mpi;
  private readonly id: number;
  /** One from each rank, then one to each. */
  private readonly requests: BigUint64Array;
  private scratch: Uint8Array = new Uint8Array(0);
  private calls = 0;
  /** Why no further call is possible. */
  private end: SlalomError | undefined;
  /** Arrays of the call that failed: MPI may still write to them. */
  private readonly kept: ArrayBufferView[] = [];

  /**
   * Collective.
   * @param handle a communicator for this alone, which returns errors
   * @param self this process as the others shall know it
   */
  constructor(
    private readonly process: MpiProcess,
    private readonly handle: Handle,
    self: Omit<WorldMember, "rank">,
    /** Ends what the communicator stands on. */
    private readonly release: () => void = () => process.mpi.free(handle),
  ) {
    this.mpi = process.mpi;
    this.id = process.nextCommunicator();
    this.rank = this.mpi.rankOf(handle);
    this.size = this.mpi.sizeOf(handle);
    this.requests = new BigUint64Array(Math.max(16, 2 * this.size));
    this.members = this.gatherMembers(self);
  }

  allReduce(array: FloatArray, reduction: Reduction = "sum"): void {
    checkReduction("allReduce", array, reduction);
    this.collective("allReduce", array, (call) => {
      this.reduceParts(call, array, reduction);
      this.gatherParts(call, array);
    });
  }

  reduceScatter(array: FloatArray, reduction: Reduction = "sum"): void {
    checkReduction("reduceScatter", array, reduction);
    this.collective("reduceScatter", array, (call) => this.reduceParts(call, array, reduction));
  }

  allGather(array: MovableArray): void {
    checkMovable("allGather", array);
    this.collective("allGather", array, (call) => this.gatherParts(call, array));
  }

  /** The root hands out parts, then each rank hands its part on: no link carries more than twice the array. */
  broadcast(array: MovableArray, root = 0): void {
    checkMovable("broadcast", array);
    checkRoot("broadcast", root, this.size);
    this.collective("broadcast", array, (call) => {
      const part = (rank: number): Span =>
        this.spanOf(array, partOf(array.length, { rank, size: this.size }));
      const transfers =
        this.rank === root
          ? this.peers().map((peer) => this.send(call, part(peer), peer))
          : [this.receive(call, part(this.rank), root)];
      this.complete(call, transfers);
      this.gatherParts(call, array);
    });
  }

  barrier(): void {
    this.collective("barrier", new Uint8Array(0), (call) => this.meet(call));
  }

  split(by: "node" | number): Communicator {
    checkSplit(by);
    let made: Communicator | undefined;
    this.collective("split", new Uint8Array(0), (call) => {
      // MPI's own splitting has no deadline: it begins once all ranks are here.
      this.meet(call);
      const handle = by === "node" ? this.mpi.splitByNode(this.handle) : this.mpi.split(this.handle, by);
      made = new MpiCommunicator(this.process, handle, this.members[this.rank]);
    });
    invariant(made, "a split gives a communicator");
    return made;
  }

  close(): void {
    if (this.end) return;
    this.collective("close", new Uint8Array(0), (call) => this.meet(call));
    this.end = new SlalomError("option", "the communicator is closed; expected an open one.");
    this.release();
  }

  private collective(name: CollectiveCall, array: MovableArray, run: (call: Call) => void): void {
    if (this.end) throw this.end;
    const number = ++this.calls;
    const tag = (number % tagRounds) * 8 + collectiveCalls.indexOf(name);
    try {
      run({
        communicator: this.id,
        call: name,
        number,
        length: array.length,
        tag,
        patience: new Patience(),
      });
    } catch (error) {
      this.kept.push(array);
      this.end = inCall(name, error);
      throw this.end;
    }
  }

  /** Leaves in this rank's part the sum over ranks. */
  private reduceParts(call: Call, array: FloatArray, reduction: Reduction): void {
    const { rank, size } = this;
    const parts = Array.from({ length: size }, (_, other) => partOf(array.length, { rank: other, size }));
    const own = this.spanOf(array, parts[rank]);
    const bytes = own.count * array.BYTES_PER_ELEMENT;
    const arriving = this.scratchOf(size * bytes);
    const from = (peer: number): Span => ({ ...own, address: arriving + peer * bytes });
    const received = this.peers().map((peer) => this.receive(call, from(peer), peer));
    const sent = this.peers().map((peer) => this.send(call, this.spanOf(array, parts[peer]), peer));

    const arrival = new Map(received.map((transfer) => [transfer.peer, transfer]));
    const arrive = (peer: number): void => this.complete(call, [arrival.get(peer)!]);
    // Up to this rank the sums are where the part of rank 0 came to, then where they belong.
    if (rank > 0) arrive(0);
    for (let peer = 1; peer < size; peer++) {
      if (peer !== rank) arrive(peer);
      if (own.count === 0) continue;
      if (peer < rank) this.mpi.add(from(peer).address, from(0));
      else this.mpi.add(peer === rank ? from(0).address : from(peer).address, own);
    }
    this.complete(call, sent);
    if (reduction === "mean") divide(array.subarray(parts[rank].start, parts[rank].end), size);
  }

  private gatherParts(call: Call, array: MovableArray): void {
    const { rank, size } = this;
    const part = (of: number): Span => this.spanOf(array, partOf(array.length, { rank: of, size }));
    const received = this.peers().map((peer) => this.receive(call, part(peer), peer));
    const sent = this.peers().map((peer) => this.send(call, part(rank), peer));
    this.complete(call, [...received, ...sent]);
  }

  /** Every rank hears of every other one. */
  private meet(call: Call): void {
    const nothing: Span = { address: this.mpi.addressOf(this.requests), count: 0, type: this.mpi.abi.byte };
    const received = this.peers().map((peer) => this.receive(call, nothing, peer));
    const sent = this.peers().map((peer) => this.send(call, nothing, peer));
    this.complete(call, [...received, ...sent]);
  }

  /** The others, the next one first, so that not all turn to the same. */
  private peers(): number[] {
    return Array.from({ length: this.size - 1 }, (_, i) => (this.rank + 1 + i) % this.size);
  }

  private send({ tag }: Call, span: Span, peer: number): Transfer {
    const request = this.mpi.addressOf(this.requests) + requestBytes * (this.size + peer);
    this.mpi.send(span, { communicator: this.handle, peer, tag }, request);
    return { request, span, isReceived: false, peer };
  }

  private receive({ tag }: Call, span: Span, peer: number): Transfer {
    const request = this.mpi.addressOf(this.requests) + requestBytes * peer;
    this.mpi.receive(span, { communicator: this.handle, peer, tag }, request);
    return { request, span, isReceived: true, peer };
  }

  private complete(call: Call, transfers: readonly Transfer[]): void {
    const { rollCall, patienceMs } = this.process;
    const { patience } = call;
    for (const { request, span, isReceived, peer } of transfers) {
      const isDone = patience.wait({
        isDone: () => this.mpi.isDone(request),
        isOver: () => patience.waitedMs >= patienceMs || rollCall.isCalled(),
        bytes: span.count * bytesPerElement(this.mpi, span.type),
      });
      if (!isDone) {
        const awaited = this.members.map(({ worldRank }) => worldRank);
        throw rollCall.take({ ...call, waitedMs: patience.waitedMs }, awaited, (ms) => patience.sleep(ms));
      }
      if (isReceived) this.checkCount(call, span, peer);
    }
  }

  private checkCount({ length }: Call, { count, type }: Span, peer: number): void {
    const received = this.mpi.receivedCount(type);
    if (received === count) return;
    throw new SlalomError(
      "option",
      `this rank's array has ${length} elements, and rank ${peer} sent ${received} of a part of ${count}; expected arrays of one length and type on all ranks.`,
    );
  }

  private spanOf(array: MovableArray, { start, end }: Part): Span {
    const { float32, float64, byte } = this.mpi.abi;
    const type = array instanceof Float32Array ? float32 : array instanceof Float64Array ? float64 : byte;
    return { address: this.mpi.addressOf(array) + start * array.BYTES_PER_ELEMENT, count: end - start, type };
  }

  /** The address of that many bytes; what was there before is lost. */
  private scratchOf(bytes: number): number {
    if (this.scratch.length < bytes) this.scratch = new Uint8Array(Math.max(bytes, 4096));
    return this.mpi.addressOf(this.scratch);
  }

  private gatherMembers(self: Omit<WorldMember, "rank">): WorldMember[] {
    const { rank, size } = this;
    const records = new Uint8Array(memberBytes * size);
    new TextEncoder().encodeInto(
      JSON.stringify(self),
      records.subarray(memberBytes * rank, memberBytes * (rank + 1)),
    );
    this.allGather(records);
    return Array.from({ length: size }, (_, of): WorldMember => {
      const record = records.subarray(memberBytes * of, memberBytes * (of + 1));
      const text = new TextDecoder().decode(record).replace(/\0+$/, "");
      return { ...(JSON.parse(text) as WorldMember), rank: of };
    });
  }
}

/** The error of a call, which it begins with. */
function inCall(name: CollectiveCall, error: unknown): SlalomError {
  const [code, message] =
    error instanceof SlalomError ? [error.code, error.message] : (["internal", String(error)] as const);
  return new SlalomError(code, `${name}: ${message}`, { cause: error });
}

function divide(values: FloatArray, by: number): void {
  for (let i = 0; i < values.length; i++) values[i] /= by;
}

const bytesPerElement = ({ abi }: Mpi, type: Handle): number =>
  type === abi.float64 ? 8 : type === abi.float32 ? 4 : 1;
