/**
 * Sums over processes, and variables that are gathered from them, that travel while the thread that sent them computes. It
 * looks after them now and then: nobody else carries them. The time that communication takes from computing is that in `begin`, `advance` and `finish`; what
 * passes between a `begin` and its `finish` is hidden.
 */
import { invariant } from "../../base/errors.js";
import type { Communicator, FloatArray, PendingExchange } from "../../collectives/index.js";

/** Arrays of one type that travel together. */
export interface Bucket {
  /** Of one of its buffers, which is in no other bucket. */
  readonly buffer: number;
  readonly arrays: readonly FloatArray[];
}

/** The calls of a communicator that send something off; kernels have their names. */
type Beginning = "beginAllReduce" | "beginReduceScatter" | "beginAllGather";

export class TravellingSums {
  /** Of several arrays one behind another, as they travel. */
  private readonly parcels = new Map<number, FloatArray>();
  private readonly underway = new Map<number, PendingExchange>();

  constructor(private readonly communicator: Communicator) {}

  /** Whether some were begun and not finished. */
  get isUnderway(): boolean {
    return this.underway.size > 0;
  }

  /** Of what is not an all-reduce a bucket has one array. */
  begin(how: Beginning, bucket: Bucket): void {
    const parcel = this.parcelOf(bucket);
    if (bucket.arrays.length > 1) for (const [array, at] of placed(bucket)) parcel.set(array, at);
    this.underway.set(bucket.buffer, this.communicator[how](parcel));
  }

  /** Moves all on that are under way, in the order in which they were begun. */
  advance(): void {
    for (const pending of this.underway.values()) pending.advance();
  }

  finish(bucket: Bucket): void {
    const pending = this.underway.get(bucket.buffer);
    invariant(pending, "what travels is begun before it is finished");
    pending.finish();
    this.underway.delete(bucket.buffer);
    if (bucket.arrays.length === 1) return;
    const parcel = this.parcelOf(bucket);
    for (const [array, at] of placed(bucket)) array.set(parcel.subarray(at, at + array.length));
  }

  /** In the first step of a call nothing was begun before. */
  finishIfBegun(bucket: Bucket): void {
    if (this.underway.has(bucket.buffer)) this.finish(bucket);
  }

  /** Makes variables whole of which each process has its part. */
  gather(arrays: readonly FloatArray[]): void {
    const pending = arrays.map((array) => this.communicator.beginAllGather(array));
    for (const one of pending) one.finish();
  }

  private parcelOf({ buffer, arrays }: Bucket): FloatArray {
    if (arrays.length === 1) return arrays[0];
    const known = this.parcels.get(buffer);
    if (known) return known;
    const length = arrays.reduce((sum, array) => sum + array.length, 0);
    const made = arrays[0] instanceof Float32Array ? new Float32Array(length) : new Float64Array(length);
    this.parcels.set(buffer, made);
    return made;
  }
}

/** Each array with its place in the parcel. */
function placed({ arrays }: Bucket): [array: FloatArray, at: number][] {
  let end = 0;
  return arrays.map((array) => {
    const at = end;
    end += array.length;
    return [array, at];
  });
}
