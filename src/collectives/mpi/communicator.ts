/**
 * Collectives over MPI. The library carries messages and adds pairs of arrays; the order of additions is ours, as that
 * of MPI_Allreduce may depend on the length of an array, the place of an element and the machine.
 *
 * An all-reduce is a reduce-scatter and an all-gather: each rank gets its part of the arrays of all others, adds them in
 * the order of ranks, and gives the sums to all others. A rank sends and receives twice its array, which is the least.
 * It may travel while its rank computes; whoever waits for anything moves all that is under way.
 */
import { SlalomError } from "../../base/errors.js";
import { partOf } from "../../base/parts.js";
import {
  type Communicator,
  checkMovable,
  checkReduction,
  checkRoot,
  checkSplit,
  type FloatArray,
  type Member,
  type MovableArray,
  type PendingExchange,
  type Reduction,
} from "../communicator.js";
import { gatherRecords } from "../records.js";
import type { Handle } from "./abi.js";
import type { Mpi, Span } from "./calls.js";
import { Exchange, type Purpose, type Route } from "./exchange.js";
import { Patience } from "./patience.js";
import { type CollectiveCall, collectiveCalls, type RollCall, type Whereabouts } from "./rollCall.js";
import { Workspaces } from "./workspaces.js";

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

/** A call that was begun. */
interface Call extends Omit<Whereabouts, "waitedMs"> {
  readonly array: MovableArray;
  readonly tag: number;
  readonly patience: Patience;
}

const requestBytes = 8;
const memberBytes = 1024;
/** MPI promises tags up to 32,767: of each round one for every kind of call, and one for the sums of an all-reduce. */
const tagsPerRound = collectiveCalls.length + 1;
const sumsTag = collectiveCalls.length;
const tagRounds = Math.floor((1 << 15) / tagsPerRound);

export class MpiCommunicator implements Communicator {
  readonly rank: number;
  readonly size: number;
  readonly members: readonly WorldMember[];
  readonly library: string;
  private readonly mpi: Mpi;
  private readonly id: number;
  /** Of messages without an exchange: one from each rank, then one to each. */
  private readonly requests: BigUint64Array;
  private readonly workspaces: Workspaces;
  private readonly underway = new Set<Exchange>();
  private calls = 0;
  /** Why no further call is possible. */
  private end: SlalomError | undefined;
  /** What belongs to calls that failed: MPI may still write to it. */
  private readonly kept: unknown[] = [];

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
    const { title, version } = this.mpi.library;
    this.library = `${title} ${version}`.trim();
    this.workspaces = new Workspaces(this.mpi);
    this.id = process.nextCommunicator();
    this.rank = this.mpi.rankOf(handle);
    this.size = this.mpi.sizeOf(handle);
    this.requests = new BigUint64Array(Math.max(16, 2 * this.size));
    this.members = this.gatherMembers(self);
  }

  allReduce(array: FloatArray, reduction: Reduction = "sum"): void {
    checkReduction("allReduce", array, reduction);
    this.exchange(this.nextCall("allReduce", array), { reduction, gathers: true }).finish();
  }

  beginAllReduce(array: FloatArray, reduction: Reduction = "sum"): PendingExchange {
    checkReduction("beginAllReduce", array, reduction);
    return this.exchange(this.nextCall("allReduce", array), { reduction, gathers: true });
  }

  reduceScatter(array: FloatArray, reduction: Reduction = "sum"): void {
    checkReduction("reduceScatter", array, reduction);
    this.exchange(this.nextCall("reduceScatter", array), { reduction, gathers: false }).finish();
  }

  beginReduceScatter(array: FloatArray, reduction: Reduction = "sum"): PendingExchange {
    checkReduction("beginReduceScatter", array, reduction);
    return this.exchange(this.nextCall("reduceScatter", array), { reduction, gathers: false });
  }

  allGather(array: MovableArray): void {
    checkMovable("allGather", array);
    this.exchange(this.nextCall("allGather", array), { gathers: true }).finish();
  }

  beginAllGather(array: MovableArray): PendingExchange {
    checkMovable("beginAllGather", array);
    return this.exchange(this.nextCall("allGather", array), { gathers: true });
  }

  /** The root hands out parts, then each rank hands its part on: no link carries more than twice the array. */
  broadcast(array: MovableArray, root = 0): void {
    checkMovable("broadcast", array);
    checkRoot("broadcast", root, this.size);
    const call = this.nextCall("broadcast", array);
    this.attempt(call, () => this.handOut(call, root));
    this.exchange(call, { gathers: true }).finish();
  }

  barrier(): void {
    const call = this.nextCall("barrier", new Uint8Array(0));
    this.attempt(call, () => this.meet(call));
  }

  split(by: "node" | number): Communicator {
    checkSplit(by);
    const call = this.nextCall("split", new Uint8Array(0));
    return this.attempt(call, () => {
      // MPI's own splitting has no deadline: it begins once all ranks are here.
      this.meet(call);
      const handle = by === "node" ? this.mpi.splitByNode(this.handle) : this.mpi.split(this.handle, by);
      return new MpiCommunicator(this.process, handle, this.members[this.rank]);
    });
  }

  close(): void {
    if (this.end) return;
    if (this.underway.size > 0) {
      throw new SlalomError(
        "option",
        `close: ${this.underway.size} exchanges are under way; expected all to be finished.`,
      );
    }
    const call = this.nextCall("close", new Uint8Array(0));
    this.attempt(call, () => this.meet(call));
    this.end = new SlalomError("option", "the communicator is closed; expected an open one.");
    this.release();
  }

  private nextCall(name: CollectiveCall, array: MovableArray): Call {
    if (this.end) throw this.end;
    const number = ++this.calls;
    return {
      communicator: this.id,
      call: name,
      number,
      length: array.length,
      array,
      tag: (number % tagRounds) * tagsPerRound + collectiveCalls.indexOf(name),
      patience: new Patience(),
    };
  }

  /** A failure is the end of this communicator. */
  private attempt<T>(call: Call, act: () => T): T {
    if (this.end) throw this.end;
    try {
      return act();
    } catch (error) {
      this.kept.push(call.array, ...this.underway);
      this.end = inCall(call.call, error);
      throw this.end;
    }
  }

  /** Begins it. */
  private exchange(call: Call, purpose: Purpose): PendingExchange {
    const { array, tag, number } = call;
    const result = purpose.reduction ? (number % tagRounds) * tagsPerRound + sumsTag : tag;
    const tags = { contribution: tag, result };
    const route: Route = { handle: this.handle, rank: this.rank, size: this.size, tags };
    const workspace = this.workspaces.take(Exchange.workspaceBytes(array, route));
    this.kept.push(workspace);
    const exchange = this.attempt(
      call,
      () => new Exchange(this.mpi, route, array, purpose, workspace.address),
    );
    this.underway.add(exchange);
    const over = (): void => {
      if (!this.underway.delete(exchange)) return;
      this.kept.splice(this.kept.indexOf(workspace), 1);
      this.workspaces.giveBack(workspace);
    };
    const advance = (): boolean => {
      if (!this.underway.has(exchange)) return true;
      if (!exchange.advance()) return false;
      over();
      return true;
    };
    return {
      advance: () => this.attempt(call, advance),
      finish: () => this.attempt(call, () => this.wait(call, advance, 2 * array.byteLength)),
    };
  }

  /** Parts of the root's array to the ranks that are to hand them on. */
  private handOut(call: Call, root: number): void {
    const { rank, size } = this;
    const { array, tag } = call;
    const bytes = array.BYTES_PER_ELEMENT;
    const at = this.mpi.addressOf(array);
    const part = (of: number): Span => {
      const { start, end } = partOf(array.length, { rank: of, size });
      return { address: at + start * bytes, count: (end - start) * bytes, type: this.mpi.abi.byte };
    };
    const requests =
      rank === root
        ? this.peers().map((peer) => this.send(part(peer), peer, tag))
        : [this.receive(part(rank), root, tag)];
    for (const request of requests) this.wait(call, () => this.mpi.isDone(request), array.byteLength);
  }

  /** Every rank hears of every other one. */
  private meet(call: Call): void {
    const nothing: Span = { address: this.mpi.addressOf(this.requests), count: 0, type: this.mpi.abi.byte };
    const received = this.peers().map((peer) => this.receive(nothing, peer, call.tag));
    const sent = this.peers().map((peer) => this.send(nothing, peer, call.tag));
    for (const request of [...received, ...sent]) this.wait(call, () => this.mpi.isDone(request), 0);
  }

  /** The others, the next one first, so that not all turn to the same. */
  private peers(): number[] {
    return Array.from({ length: this.size - 1 }, (_, i) => (this.rank + 1 + i) % this.size);
  }

  private send(span: Span, peer: number, tag: number): number {
    const request = this.mpi.addressOf(this.requests) + requestBytes * (this.size + peer);
    this.mpi.send(span, { communicator: this.handle, peer, tag }, request);
    return request;
  }

  private receive(span: Span, peer: number, tag: number): number {
    const request = this.mpi.addressOf(this.requests) + requestBytes * peer;
    this.mpi.receive(span, { communicator: this.handle, peer, tag }, request);
    return request;
  }

  /** Until it is done; what else is under way moves on too. */
  private wait(call: Call, isDone: () => boolean, bytes: number): void {
    const { rollCall, patienceMs } = this.process;
    const { patience } = call;
    const isOver = patience.wait({
      isDone: () => {
        if (isDone()) return true;
        for (const exchange of this.underway) exchange.advance();
        return false;
      },
      isOver: () => patience.waitedMs >= patienceMs || rollCall.isCalled(),
      bytes,
    });
    if (isOver) return;
    const awaited = this.members.map(({ worldRank }) => worldRank);
    throw rollCall.take({ ...call, waitedMs: patience.waitedMs }, awaited, (ms) => patience.sleep(ms));
  }

  private gatherMembers(self: Omit<WorldMember, "rank">): WorldMember[] {
    return gatherRecords(this, self, memberBytes).map((member, rank) => ({ ...member, rank }));
  }
}

/** The error of a call, which it begins with. */
function inCall(name: CollectiveCall, error: unknown): SlalomError {
  const [code, message] =
    error instanceof SlalomError ? [error.code, error.message] : (["internal", String(error)] as const);
  return new SlalomError(code, `${name}: ${message}`, { cause: error });
}
