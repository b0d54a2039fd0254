/**
 * Updates that processes divide. Where what becomes of a large sum is computed element by element, each process needs a
 * part of the sum alone: it updates that part of parameters and slots, and gives the new parameters to the others. As many
 * bytes travel, a reduce-scatter and an all-gather being what an all-reduce is made of. Slots that nothing else reads stay in
 * parts. Elements are those of the whole update, bit for bit.
 */
import { bytesOf } from "../../base/dtype.js";
import { sizeOf, stridesOf, type TensorType } from "../../base/shape.js";
import type { Tensor } from "../../graph/tensor.js";
import { kernelEffects } from "../kernelEffects.js";
import type { Access, Kernel, LoopKernel } from "../plan.js";
import { leastBucketBytes } from "./buckets.js";
import type { Slots } from "./slots.js";

/** An entry's kernels in the order in which they run, each sum over processes with its `beginAllReduce`. */
export interface WholeUpdates {
  readonly kernels: readonly Kernel[];
  readonly slots: Slots;
  /** Slots that are read when the step is done. */
  readonly kept: ReadonlySet<number>;
}

export interface DividedUpdates {
  readonly kernels: readonly Kernel[];
  /** Slots of variables of which the entry reads and changes each process' own part alone. */
  readonly inParts: readonly number[];
}

/** The entries of one program: what one leaves in parts, another may use in parts too. */
export function divideUpdates(entries: readonly WholeUpdates[]): DividedUpdates[] {
  const touches = entries.map((entry) => new EntryTouches(entry));
  let left: ReadonlySet<Tensor> = new Set();
  for (;;) {
    const divided = touches.map((entry) => divide(entry, left));
    // The more is left in parts, the more loops are divided, never less: it comes to an end.
    const next = new Set(divided.flatMap(({ inParts }, i) => inParts.map(touches[i].nodeOf)));
    if (next.size === left.size) return divided;
    left = next;
  }
}

/** @param left variables that entries leave in parts */
function divide(entry: EntryTouches, left: ReadonlySet<Tensor>): DividedUpdates {
  const loops = new Set<LoopKernel>();
  const isDivided = (slot: number): boolean => {
    const own = entry.dividedWith(slot);
    for (const loop of own ?? []) loops.add(loop);
    return own !== undefined;
  };
  const sums = entry.largeSums().filter(isDivided);
  const variables = entry.variablesIn(left).filter(isDivided);
  const gathered = entry.gathered(loops);
  const kernels = entry.kernels.flatMap((kernel): Kernel[] => {
    if (kernel.kind === "beginAllReduce" && sums.includes(kernel.buffers[0]))
      return [{ ...kernel, kind: "beginReduceScatter" }];
    if (kernel.kind !== "loop" || !loops.has(kernel)) return [kernel];
    return [
      { ...kernel, inParts: true },
      ...kernelEffects(kernel)
        .writes.filter((slot) => gathered.includes(slot))
        .map((slot): Kernel => ({ kind: "beginAllGather", name: "update", buffers: [slot] })),
    ];
  });
  const written = entry.variablesOf(loops).filter((slot) => !gathered.includes(slot));
  return { kernels, inParts: [...new Set([...variables, ...written])] };
}

/** Who touches what in an entry. */
class EntryTouches {
  readonly kernels: readonly Kernel[];
  private readonly slots: Slots;
  private readonly kept: ReadonlySet<number>;
  /** Kernels by what they read or write. */
  private readonly touching = new Map<number, Kernel[]>();

  constructor({ kernels, slots, kept }: WholeUpdates) {
    this.kernels = kernels;
    this.slots = slots;
    this.kept = kept;
    for (const kernel of kernels) {
      const { reads, writes } = kernelEffects(kernel);
      for (const slot of new Set([...reads, ...writes]))
        this.touching.set(slot, [...(this.touching.get(slot) ?? []), kernel]);
    }
  }

  readonly nodeOf = (slot: number): Tensor => this.slots.at(slot).node;

  /** Sums so large that they travel alone: for smaller ones another message costs more than what is saved. */
  largeSums(): number[] {
    return this.kernels.flatMap((kernel) =>
      kernel.kind === "beginAllReduce"
        ? kernel.buffers.filter((slot) => bytesIn(this.nodeOf(slot)) >= leastBucketBytes)
        : [],
    );
  }

  variablesIn(nodes: ReadonlySet<Tensor>): number[] {
    return [...this.touching.keys()].filter((slot) => this.isVariable(slot) && nodes.has(this.nodeOf(slot)));
  }

  /** Those that the loops write. */
  variablesOf(loops: ReadonlySet<LoopKernel>): number[] {
    const written = [...loops].flatMap((loop) => kernelEffects(loop).writes);
    return [...new Set(written)].filter((slot) => this.isVariable(slot));
  }

  /** Of these, what someone needs whole in each step. */
  gathered(loops: ReadonlySet<LoopKernel>): number[] {
    return this.variablesOf(loops).filter(
      (slot) =>
        this.kept.has(slot) ||
        this.touching
          .get(slot)!
          .some((kernel) => kernel.kind !== "loop" || !loops.has(kernel) || !this.walks(kernel, slot)),
    );
  }

  /**
   * The loops that run in parts where processes have but parts of what lies at `slot`: a sum, or a variable. Undefined
   * where something needs all of it, or where more would have to be gathered than a sum gives back.
   */
  dividedWith(slot: number): ReadonlySet<LoopKernel> | undefined {
    const loops = new Set<LoopKernel>();
    const parts = new Set([slot]);
    for (const part of parts) {
      if (this.kept.has(part)) return undefined;
      for (const kernel of this.readersOf(part)) {
        if (kernel.kind !== "loop" || !this.isElementwise(kernel, part)) return undefined;
        loops.add(kernel);
        for (const written of kernelEffects(kernel).writes) if (!this.isVariable(written)) parts.add(written);
      }
    }
    const gatheredBytes = this.gathered(loops).reduce((sum, one) => sum + bytesIn(this.nodeOf(one)), 0);
    return gatheredBytes <= bytesIn(this.nodeOf(slot)) ? loops : undefined;
  }

  /** What touches a sum once it is complete; of anything else all that touches it. */
  private readersOf(slot: number): readonly Kernel[] {
    const touching = this.touching.get(slot) ?? [];
    const sum = touching.findIndex(({ kind }) => kind === "beginAllReduce");
    return touching.slice(sum + 1);
  }

  /**
   * Whether each iteration of a loop has an element of its own of all that the loop stores, and of `part`. What it stores
   * has no other writer, and is no sum.
   */
  private isElementwise(kernel: LoopKernel, part: number): boolean {
    const { writes } = kernelEffects(kernel);
    if (kernel.reductions.length > 0) return false;
    return [part, ...writes].every((slot) => {
      const { dtype } = this.nodeOf(slot);
      if (!this.walks(kernel, slot) || (dtype !== "float32" && dtype !== "float64")) return false;
      if (slot === part && !writes.includes(slot)) return true;
      const others = this.touching.get(slot)!.filter((other) => other !== kernel);
      return others.every((other) => {
        const isSum = other.kind === "beginAllReduce";
        return !isSum && !kernelEffects(other).writes.includes(slot);
      });
    });
  }

  /** Whether a loop's iterations, in row-major order, have the elements of a slot in their order. */
  private walks(kernel: LoopKernel, slot: number): boolean {
    return accessesTo(kernel, slot).every((access) => isWhole(access, kernel.extents, this.nodeOf(slot)));
  }

  private isVariable(slot: number): boolean {
    return this.slots.at(slot).kind === "variable";
  }
}

/** Where a loop reads or writes a slot. */
const accessesTo = (kernel: LoopKernel, slot: number): Access[] =>
  [
    ...kernel.stores.map(({ access }) => access),
    ...kernel.body.flatMap((instruction) => ("access" in instruction ? [instruction.access] : [])),
  ].filter(({ buffer }) => buffer === slot);

function isWhole(
  { offset, strides, peer }: Access,
  extents: readonly number[],
  { shape }: TensorType,
): boolean {
  const rowMajor = stridesOf(extents);
  return (
    offset === 0 &&
    peer === undefined &&
    sizeOf(extents) === sizeOf(shape) &&
    extents.every((extent, d) => extent === 1 || strides[d] === rowMajor[d])
  );
}

const bytesIn = ({ shape, dtype }: TensorType): number => sizeOf(shape) * bytesOf(dtype);
