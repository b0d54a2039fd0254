/**
 * What ranks do together. A rank is a process, or a process for a GPU; a world is all that train together. Every
 * operation is collective: each rank of the communicator calls it, in the same order, with arrays of the same length.
 */
import { SlalomError, unknownName } from "../base/errors.js";

/** Numbers that can be added; also views of shared memory, such as that of a WebAssembly module. */
export type FloatArray = Float32Array | Float64Array;

/** Numbers that can be moved. */
export type MovableArray = FloatArray | Uint8Array;

export type Reduction = (typeof reductions)[number];

export const reductions = ["sum", "mean"] as const;

/** A process of a communicator, as messages name it. */
export interface Member {
  /** In this communicator. */
  readonly rank: number;
  /** The host's name. */
  readonly node: string;
  readonly processId: number;
}

/** Numbers that travel while their rank does other things. Until it is finished nobody else touches the array. */
export interface PendingExchange {
  /**
   * Takes and sends on what it can without waiting. True once the result is there. Libraries carry messages only while
   * they are called: call it now and then.
   */
  advance(): boolean;
  /** Returns when the result is there. */
  finish(): void;
}

/**
 * Ranks that exchange arrays. Calls return when the result is there; a thread that calls them computes nothing else
 * meanwhile. Sums and what is gathered can be begun instead, so that they travel while the thread computes.
 *
 * Every element is summed in the order of ranks, `((x_0 + x_1) + x_2) + ...` in its own precision, wherever it lies and
 * however long the array is. So a world gives the same bits every time and on every rank, and those of an element do
 * not depend on its neighbours.
 *
 * A rank that does not come within the communicator's patience ends all of them.
 * @throws SlalomError "device" naming the rank that did not come; "option" for arrays of other kinds
 */
export interface Communicator {
  /** 0 to size - 1. */
  readonly rank: number;
  readonly size: number;
  /** One for each rank. */
  readonly members: readonly Member[];
  /** What carries its messages, as "Open MPI 4.1.4"; absent where there is nobody to send one to. */
  readonly library?: string;
  /** Puts the sum over ranks, or the sum divided by their number, into the array of each. */
  allReduce(array: FloatArray, reduction?: Reduction): void;
  /**
   * The same, but returns at once; several may be under way.
   *
   * ```ts
   * const sum = world.beginAllReduce(gradients);
   * while (computesOn()) sum.advance();
   * sum.finish();
   * ```
   */
  beginAllReduce(array: FloatArray, reduction?: Reduction): PendingExchange;
  /** Puts the reduced values of this rank's part, `partOf(array.length, this)`, there; other parts stay as they are. */
  reduceScatter(array: FloatArray, reduction?: Reduction): void;
  /** The same, but returns at once, as `beginAllReduce` does. */
  beginReduceScatter(array: FloatArray, reduction?: Reduction): PendingExchange;
  /** Puts the part of each rank into the arrays of the others. */
  allGather(array: MovableArray): void;
  /** The same, but returns at once. */
  beginAllGather(array: MovableArray): PendingExchange;
  /** Puts the array of rank `root`, 0 by default, into those of the others. */
  broadcast(array: MovableArray, root?: number): void;
  /** Returns once every rank came. */
  barrier(): void;
  /**
   * The ranks that are on this one's machine, or those that give the same number; in the order of their ranks here.
   * @param by an integer, at least 0
   */
  split(by: "node" | number): Communicator;
  /** Gives back what it holds; no further call is possible. Collective as well. */
  close(): void;
}

/** @throws SlalomError "option" unless the array can be reduced that way */
export function checkReduction(call: string, array: FloatArray, reduction: Reduction): void {
  if (!reductions.includes(reduction)) throw unknownName("reduction", reduction, reductions, "option");
  if (array instanceof Float32Array || array instanceof Float64Array) return;
  throw new SlalomError(
    "option",
    `${call}: received ${kindOf(array)}; expected a Float32Array or a Float64Array.`,
  );
}

/** @throws SlalomError "option" unless the array can be moved */
export function checkMovable(call: string, array: MovableArray): void {
  if ([Float32Array, Float64Array, Uint8Array].some((kind) => array instanceof kind)) return;
  throw new SlalomError(
    "option",
    `${call}: received ${kindOf(array)}; expected a Float32Array, a Float64Array or a Uint8Array.`,
  );
}

/** @throws SlalomError "option" unless a communicator has such a rank */
export function checkRoot(call: string, root: number, size: number): void {
  if (Number.isInteger(root) && root >= 0 && root < size) return;
  throw new SlalomError("option", `${call}: root ${root}; expected a rank, 0 to ${size - 1}.`);
}

/** @throws SlalomError "option" unless ranks can be told apart by it */
export function checkSplit(by: "node" | number): void {
  if (by === "node" || (Number.isInteger(by) && by >= 0 && by < 2 ** 31)) return;
  throw new SlalomError("option", `split: received ${by}; expected "node" or an integer of at least 0.`);
}

const kindOf = (value: unknown): string =>
  typeof value === "object" && value !== null ? value.constructor.name : typeof value;

/** "rank 2 (process 4711 on node n1)". */
export const nameOf = ({ rank, processId, node }: Member): string =>
  `rank ${rank} (process ${processId} on node ${node})`;
