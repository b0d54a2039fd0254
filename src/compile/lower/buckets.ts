/**
 * When sums over processes travel. One sets out as soon as it is complete, so that the kernels after it hide its
 * journey, and is finished before the first kernel that needs it. A journey costs as much as some hundred thousand bytes
 * of freight, so small sums wait for others and travel together, in the order in which they are complete: the same in
 * every process and every run. Variables that are gathered set out once all of them is updated, and are finished before
 * the first kernel that needs them: in most cases one of the next step.
 */
import { bytesOf, type DType } from "../../base/dtype.js";
import { sizeOf, type TensorType } from "../../base/shape.js";
import { isExchange, kernelEffects } from "../kernelEffects.js";
import type { ExchangeKernel, Kernel } from "../plan.js";

/** What a bucket holds at least, unless there is no more to wait for; so large a sum travels alone. */
export const leastBucketBytes = 1 << 20;

/**
 * Sums that travel together, as their numbers: a bucket leaves when its last one is complete.
 * @param sums in the order in which they are complete
 */
export function bucketsOf(sums: readonly TensorType[]): number[][] {
  const buckets: number[][] = [];
  const filling = new Map<DType, { readonly bucket: number[]; readonly bytes: number }>();
  for (const [i, { shape, dtype }] of sums.entries()) {
    const own = sizeOf(shape) * bytesOf(dtype);
    const { bucket, bytes } = (own < leastBucketBytes && filling.get(dtype)) || { bucket: [], bytes: 0 };
    if (bucket.length === 0) buckets.push(bucket);
    bucket.push(i);
    if (own >= leastBucketBytes) continue;
    if (bytes + own < leastBucketBytes) filling.set(dtype, { bucket, bytes: bytes + own });
    else filling.delete(dtype);
  }
  return buckets;
}

/**
 * The kernels with their sums in buckets.
 * @param kernels in the order in which they run; a `beginAllReduce` or `beginReduceScatter` wherever a sum is complete, a
 *   `beginAllGather` wherever a variable is updated
 * @param typeOf what a slot holds
 * @param kept slots that are read when the step is done
 */
export function inBuckets(
  kernels: readonly Kernel[],
  typeOf: (slot: number) => TensorType,
  kept: ReadonlySet<number>,
): Kernel[] {
  const sums = kernels.flatMap((kernel) => (kernel.kind === "beginAllReduce" ? kernel.buffers : []));
  const waiting = bucketsOf(sums.map(typeOf)).map((bucket) => bucket.map((i) => sums[i]));
  const journeys = new Journeys(waiting);
  for (const kernel of kernels) {
    if (kernel.kind === "beginAllReduce") for (const slot of kernel.buffers) journeys.complete(slot);
    else if (isExchange(kernel)) journeys.begin(kernel);
    else journeys.pass(kernel);
  }
  return journeys.end(kept);
}

class Journeys {
  private readonly result: Kernel[] = [];
  private readonly completed = new Set<number>();
  private travelling: ExchangeKernel[] = [];

  /** @param waiting buckets of slots */
  constructor(private waiting: (readonly number[])[]) {}

  complete(slot: number): void {
    this.completed.add(slot);
    const full = this.waiting.filter((bucket) => bucket.every((one) => this.completed.has(one)));
    for (const bucket of full) this.beginBucket(bucket);
    this.waiting = this.waiting.filter((bucket) => !full.includes(bucket));
  }

  /** What the kernel touches has to be back. */
  pass(kernel: Kernel): void {
    const { reads, writes } = kernelEffects(kernel);
    const touched = new Set([...reads, ...writes]);
    this.hurry((slot) => touched.has(slot) && this.completed.has(slot));
    this.finish(({ buffers }) => buffers.some((slot) => touched.has(slot)));
    this.result.push(kernel);
  }

  begin(kernel: ExchangeKernel): void {
    this.result.push(kernel);
    this.travelling.push(kernel);
  }

  /** What is gathered and not needed any more is finished in the next step. */
  end(kept: ReadonlySet<number>): Kernel[] {
    this.finish(({ kind, buffers }) => kind !== "beginAllGather" || buffers.some((slot) => kept.has(slot)));
    for (const kernel of this.travelling) {
      const [slot] = kernel.buffers;
      const needed = this.result.findIndex((other) => {
        const { reads, writes } = kernelEffects(other);
        return reads.includes(slot) || writes.includes(slot);
      });
      this.result.splice(needed, 0, {
        kind: "finishAllGather",
        name: kernel.name,
        buffers: kernel.buffers,
        ofStepBefore: true,
      });
    }
    return this.result;
  }

  /** Buckets in which something is needed leave with what they have: only where a sum needs another one. */
  private hurry(isNeeded: (slot: number) => boolean): void {
    this.waiting = this.waiting.map((bucket) => {
      if (!bucket.some(isNeeded)) return bucket;
      this.beginBucket(bucket.filter((slot) => this.completed.has(slot)));
      return bucket.filter((slot) => !this.completed.has(slot));
    });
  }

  private beginBucket(buffers: readonly number[]): void {
    this.begin({ kind: "beginAllReduce", name: "allReduceSum", buffers });
  }

  private finish(isNeeded: (travelling: ExchangeKernel) => boolean): void {
    for (const kernel of this.travelling.filter(isNeeded)) this.result.push(finishOf(kernel));
    this.travelling = this.travelling.filter((kernel) => !isNeeded(kernel));
  }
}

function finishOf({ kind, name, buffers }: ExchangeKernel): ExchangeKernel {
  switch (kind) {
    case "beginReduceScatter":
      return { kind: "finishReduceScatter", name, buffers };
    case "beginAllGather":
      return { kind: "finishAllGather", name, buffers };
    default:
      return { kind: "finishAllReduce", name, buffers };
  }
}
