/**
 * The journey of one array: every rank has a part of it, adds up what the others have there, in the order of ranks, and
 * hands the sums to all. Parts travel in pieces: while one is added, which is quick as long as a cache holds it, the next
 * is on its way. No step waits; each takes what has come.
 */
import { SlalomError } from "../../base/errors.js";
import { type Part, partOf } from "../../base/parts.js";
import type { FloatArray, MovableArray, Reduction } from "../communicator.js";
import type { Handle } from "./abi.js";
import type { Envelope, Mpi, Span } from "./calls.js";

/** What becomes of the parts. */
export interface Purpose {
  /** Each rank's part is reduced over all ranks. */
  readonly reduction?: Reduction;
  /** Each rank gets the parts of the others. */
  readonly gathers: boolean;
}

/** The ranks between which it travels, and how its messages are told from others. */
export interface Route {
  readonly handle: Handle;
  readonly rank: number;
  readonly size: number;
  /** Of what is to be reduced, and of what was. */
  readonly tags: { readonly contribution: number; readonly result: number };
}

/** The messages with one of the other ranks. */
interface Peer {
  readonly rank: number;
  readonly pieces: readonly Part[];
  /** Pieces of its part that it was sent, and that came back. */
  sent: number;
  received: number;
  /** Pieces of this rank's part that it was handed. */
  handed: number;
}

/** Large enough that a message costs little beside what it carries, small enough for a core's own cache. */
const pieceBytes = 1 << 18;
const requestBytes = 8;
const lineBytes = 64;

const kinds = { contributionIn: 0, contributionOut: 1, resultOut: 2, resultIn: 3 } as const;

export class Exchange {
  private readonly own: readonly Part[];
  private readonly peers: readonly Peer[];
  private readonly at: number;
  private readonly type: Handle;
  private readonly mostPieces: number;
  private readonly contributionsAt: number;
  /** Pieces of this rank's part that are what they shall be, and the rank whose numbers the next one takes next. */
  private ready = 0;
  private nextRank = 0;

  /** Bytes that an exchange needs beside its array. */
  static workspaceBytes(array: MovableArray, { size }: Route): number {
    const [longest] = partsOf(array, size);
    return requestsBytes(size, piecesOf(longest, array).length) + size * partBytes(longest, array);
  }

  /**
   * Begins: the messages that need nothing of other ranks are on their way. Array and workspace are the exchange's until
   * it is over.
   * @param workspaceAt address of `workspaceBytes`
   */
  constructor(
    private readonly mpi: Mpi,
    private readonly route: Route,
    private readonly array: MovableArray,
    private readonly purpose: Purpose,
    private readonly workspaceAt: number,
  ) {
    const { float32, float64, byte } = mpi.abi;
    this.type = array instanceof Float32Array ? float32 : array instanceof Float64Array ? float64 : byte;
    // Small arrays may move; a view of a buffer stays.
    this.at = mpi.addressOf(new Uint8Array(array.buffer, array.byteOffset, array.byteLength));
    const parts = partsOf(array, route.size);
    const { rank, size } = route;
    this.own = piecesOf(parts[rank], array);
    this.mostPieces = piecesOf(parts[0], array).length;
    this.contributionsAt = workspaceAt + requestsBytes(size, this.mostPieces);
    // The next rank first, so that not all turn to the same.
    this.peers = Array.from({ length: size - 1 }, (_, i): Peer => {
      const other = (rank + 1 + i) % size;
      return { rank: other, pieces: piecesOf(parts[other], array), sent: 0, received: 0, handed: 0 };
    });
    this.begin();
  }

  /** Takes what has come; true once all is done. */
  advance(): boolean {
    while (this.addNext()) {}
    let isOver = this.ready === this.own.length;
    for (const peer of this.peers) {
      while (this.follow(peer)) {}
      isOver &&= this.isOverWith(peer);
    }
    return isOver;
  }

  private begin(): void {
    const { own, peers } = this;
    if (this.purpose.reduction === undefined) {
      this.ready = own.length;
      for (const peer of peers) {
        peer.sent = peer.pieces.length;
        for (let piece = 0; piece < peer.pieces.length; piece++) this.receiveResult(peer, piece);
        for (let piece = 0; piece < own.length; piece++) this.sendResult(peer, piece);
      }
      return;
    }
    for (const peer of peers) {
      for (let piece = 0; piece < own.length; piece++) {
        const request = this.request("contributionIn", peer.rank, piece);
        this.mpi.receive(this.contribution(peer.rank, piece), this.envelope(peer, "contribution"), request);
      }
    }
    for (const peer of peers) {
      for (const [piece, part] of peer.pieces.entries()) {
        const request = this.request("contributionOut", peer.rank, piece);
        this.mpi.send(this.spanOf(part), this.envelope(peer, "contribution"), request);
      }
    }
  }

  /** Adds the next rank's numbers to the next piece, if they have come. */
  private addNext(): boolean {
    const { ready: piece, nextRank: from } = this;
    const { rank, size } = this.route;
    if (piece === this.own.length) return false;
    if (from !== rank && !this.hasCome("contributionIn", from, piece, this.own[piece])) return false;
    this.add(from, piece);
    this.nextRank++;
    if (this.nextRank < size) return true;
    this.nextRank = 0;
    this.ready++;
    if (this.purpose.reduction === "mean") divide(this.array as FloatArray, this.own[piece], size);
    if (this.purpose.gathers) for (const peer of this.peers) this.sendResult(peer, piece);
    return true;
  }

  /** Up to this rank the sums are where the numbers of rank 0 came to, then where they belong. */
  private add(from: number, piece: number): void {
    const { rank } = this.route;
    const own = this.spanOf(this.own[piece]);
    if (from === 0 || own.count === 0) return;
    const before = this.contribution(0, piece);
    if (from < rank) this.mpi.add(this.contribution(from, piece).address, before);
    else this.mpi.add(from === rank ? before.address : this.contribution(from, piece).address, own);
  }

  /** One step with one other rank, if there is any. */
  private follow(peer: Peer): boolean {
    const { gathers } = this.purpose;
    const { rank, pieces } = peer;
    if (peer.sent < pieces.length && this.isDone("contributionOut", rank, peer.sent)) {
      // Its place in the array is free only now.
      if (gathers) this.receiveResult(peer, peer.sent);
      peer.sent++;
      return true;
    }
    if (!gathers) return false;
    if (peer.received < peer.sent && this.hasCome("resultIn", rank, peer.received, pieces[peer.received])) {
      peer.received++;
      return true;
    }
    if (peer.handed < this.ready && this.isDone("resultOut", rank, peer.handed)) {
      peer.handed++;
      return true;
    }
    return false;
  }

  private isOverWith({ sent, received, handed, pieces }: Peer): boolean {
    if (sent < pieces.length) return false;
    return !this.purpose.gathers || (received === pieces.length && handed === this.own.length);
  }

  private receiveResult(peer: Peer, piece: number): void {
    const request = this.request("resultIn", peer.rank, piece);
    this.mpi.receive(this.spanOf(peer.pieces[piece]), this.envelope(peer, "result"), request);
  }

  private sendResult(peer: Peer, piece: number): void {
    const request = this.request("resultOut", peer.rank, piece);
    this.mpi.send(this.spanOf(this.own[piece]), this.envelope(peer, "result"), request);
  }

  private hasCome(kind: keyof typeof kinds, from: number, piece: number, { start, end }: Part): boolean {
    if (!this.isDone(kind, from, piece)) return false;
    const received = this.mpi.receivedCount(this.type);
    if (received === end - start) return true;
    throw new SlalomError(
      "option",
      `this rank's array has ${this.array.length} elements, and rank ${from} sent ${received} of a part of ${end - start}; expected arrays of one length and type on all ranks.`,
    );
  }

  private isDone(kind: keyof typeof kinds, peer: number, piece: number): boolean {
    return this.mpi.isDone(this.request(kind, peer, piece));
  }

  private request(kind: keyof typeof kinds, peer: number, piece: number): number {
    const number = (kinds[kind] * this.route.size + peer) * this.mostPieces + piece;
    return this.workspaceAt + requestBytes * number;
  }

  private envelope({ rank }: Peer, what: keyof Route["tags"]): Envelope {
    return { communicator: this.route.handle, peer: rank, tag: this.route.tags[what] };
  }

  private spanOf({ start, end }: Part): Span {
    return {
      address: this.at + start * this.array.BYTES_PER_ELEMENT,
      count: end - start,
      type: this.type,
    };
  }

  /** Where a rank's numbers for a piece of this rank's part come to. */
  private contribution(from: number, piece: number): Span {
    const whole = { start: this.own[0].start, end: this.own[this.own.length - 1].end };
    const before = (this.own[piece].start - whole.start) * this.array.BYTES_PER_ELEMENT;
    const address = this.contributionsAt + from * partBytes(whole, this.array) + before;
    return { ...this.spanOf(this.own[piece]), address };
  }
}

const partsOf = (array: MovableArray, size: number): Part[] =>
  Array.from({ length: size }, (_, rank) => partOf(array.length, { rank, size }));

/** At least one, so that ranks whose arrays differ notice. */
function piecesOf({ start, end }: Part, { BYTES_PER_ELEMENT }: MovableArray): Part[] {
  const elements = pieceBytes / BYTES_PER_ELEMENT;
  return Array.from({ length: Math.max(1, Math.ceil((end - start) / elements)) }, (_, i) => ({
    start: start + i * elements,
    end: Math.min(end, start + (i + 1) * elements),
  }));
}

const aligned = (bytes: number): number => Math.ceil(bytes / lineBytes) * lineBytes;

const requestsBytes = (size: number, mostPieces: number): number =>
  aligned(Object.keys(kinds).length * size * mostPieces * requestBytes);

const partBytes = ({ start, end }: Part, { BYTES_PER_ELEMENT }: MovableArray): number =>
  aligned((end - start) * BYTES_PER_ELEMENT);

function divide(values: FloatArray, { start, end }: Part, by: number): void {
  for (let i = start; i < end; i++) values[i] /= by;
}
