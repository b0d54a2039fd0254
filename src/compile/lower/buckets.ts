/**
 * When sums over processes travel. One sets out as soon as it is complete, so that the kernels after it hide its
 * journey, and is finished before the first kernel that needs it. A journey costs as much as some hundred thousand bytes
 * of freight, so small sums wait for others and travel together, in the order in which they are complete: the same in
 * every process and every run.
 */
import { bytesOf, type DType } from "../../base/dtype.js";
import { sizeOf, type TensorType } from "../../base/shape.js";
import { kernelEffects } from "../kernelEffects.js";
import type { Kernel } from "../plan.js";

/** What a bucket holds at least when it leaves, unless there is no more to wait for; so large a sum travels alone. */
export const leastBucketBytes = 1 << 20;

/**
 * The kernels with their sums in buckets.
 * @param kernels in the order in which they run, a `beginAllReduce` wherever a sum is complete
 * @param typeOf what a slot holds
 */
export function inBuckets(kernels: readonly Kernel[], typeOf: (slot: number) => TensorType): Kernel[] {
  const buckets = new Buckets(kernels, typeOf);
  for (const kernel of kernels) {
    if (kernel.kind === "beginAllReduce") for (const slot of kernel.buffers) buckets.add(slot);
    else buckets.pass(kernel);
  }
  return buckets.end();
}

class Buckets {
  private readonly result: Kernel[] = [];
  /** Buckets that have not left, by type. */
  private readonly filling = new Map<DType, number[]>();
  /** Those that have left and are not finished. */
  private travelling: (readonly number[])[] = [];
  /** Sums that are still to come, by type. */
  private readonly awaited = new Map<DType, number>();

  constructor(
    kernels: readonly Kernel[],
    private readonly typeOf: (slot: number) => TensorType,
  ) {
    for (const kernel of kernels) {
      if (kernel.kind !== "beginAllReduce") continue;
      for (const { dtype } of kernel.buffers.map(typeOf))
        this.awaited.set(dtype, (this.awaited.get(dtype) ?? 0) + 1);
    }
  }

  add(slot: number): void {
    const { dtype } = this.typeOf(slot);
    const left = this.awaited.get(dtype)! - 1;
    this.awaited.set(dtype, left);
    if (this.bytesIn([slot]) >= leastBucketBytes) this.begin([slot]);
    else this.filling.set(dtype, [...(this.filling.get(dtype) ?? []), slot]);
    const filled = this.filling.get(dtype) ?? [];
    if (left === 0 || this.bytesIn(filled) >= leastBucketBytes) this.leave(dtype);
  }

  /** What the kernel touches has to be back. */
  pass(kernel: Kernel): void {
    const { reads, writes } = kernelEffects(kernel);
    const touched = new Set([...reads, ...writes]);
    const isTouched = (slots: readonly number[]): boolean => slots.some((slot) => touched.has(slot));
    for (const [dtype, slots] of this.filling) if (isTouched(slots)) this.leave(dtype);
    this.finish(isTouched);
    this.result.push(kernel);
  }

  end(): Kernel[] {
    this.finish(() => true);
    return this.result;
  }

  private leave(dtype: DType): void {
    const slots = this.filling.get(dtype) ?? [];
    this.filling.delete(dtype);
    if (slots.length > 0) this.begin(slots);
  }

  private begin(buffers: readonly number[]): void {
    this.result.push({ kind: "beginAllReduce", name: "allReduceSum", buffers });
    this.travelling.push(buffers);
  }

  private finish(isNeeded: (slots: readonly number[]) => boolean): void {
    for (const buffers of this.travelling.filter(isNeeded))
      this.result.push({ kind: "finishAllReduce", name: "allReduceSum", buffers });
    this.travelling = this.travelling.filter((slots) => !isNeeded(slots));
  }

  private bytesIn(slots: readonly number[]): number {
    return slots.reduce((sum, slot) => {
      const { shape, dtype } = this.typeOf(slot);
      return sum + sizeOf(shape) * bytesOf(dtype);
    }, 0);
  }
}
