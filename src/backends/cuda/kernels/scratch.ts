/** Memory behind a plan's arena, in which stages of a kernel leave something for one another. */
import { bytesOf } from "../../../base/dtype.js";
import { sizeOf } from "../../../base/shape.js";
import { aligned, packLifetimes } from "../../../compile/lower/memory.js";
import type { Plan, PlanBuffer } from "../../../compile/plan.js";
import type { Memory, Stage } from "./part.js";

export class ScratchMemory implements Memory {
  /** With all scratch memory that any entry needs. */
  arenaBytes: number;
  private readonly list: PlanBuffer[];
  /** Where scratch memory that is asked for next begins, in the order of asking; absent: behind all other. */
  private offsets: readonly number[] | undefined;
  /** Number of the first buffer of the present entry. */
  private first: number;
  private end: number;

  constructor(private readonly plan: Plan) {
    this.list = [...plan.buffers];
    this.arenaBytes = plan.arenaBytes;
    this.first = this.list.length;
    this.end = plan.arenaBytes;
  }

  get buffers(): readonly PlanBuffer[] {
    return this.list;
  }

  scratch(dtype: PlanBuffer["dtype"], count: number): number {
    const offset = this.offsets?.[this.list.length - this.first] ?? this.end;
    this.list.push({ name: "scratch", role: "temporary", shape: [count], dtype, offset, scope: "shared" });
    this.end = offset + aligned(count * bytesOf(dtype));
    this.arenaBytes = Math.max(this.arenaBytes, this.offsets ? this.end : 0);
    return this.list.length - 1;
  }

  /** What `emit` gives if no scratch memory shares bytes. */
  unplaced<T>(emit: () => T): T {
    this.offsets = undefined;
    this.first = this.list.length;
    this.end = this.plan.arenaBytes;
    return emit();
  }

  /**
   * What `emit` gives once more, after `unplaced`: scratch memory shares the bytes of other whose life it does not meet.
   * @param waves of stages, which name the buffers of the first time
   */
  placed<T>(waves: readonly (readonly Stage[])[], emit: () => T): T {
    const { first, plan } = this;
    const own = this.list.splice(first);
    const lives = own.map(({ shape, dtype }, i) => {
      const uses = waves.flatMap((wave, w) =>
        wave.some(({ reads, writes }) => [...reads, ...writes].includes(first + i)) ? [w] : [],
      );
      return { bytes: sizeOf(shape) * bytesOf(dtype), first: uses[0], last: uses.at(-1)! };
    });
    this.offsets = packLifetimes(lives).offsets.map((offset) => plan.arenaBytes + offset);
    return emit();
  }
}
