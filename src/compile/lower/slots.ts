/** Slots: pieces of memory that kernels name before the planner gives them a place. */
import { bytesOf } from "../../base/dtype.js";
import { sizeOf } from "../../base/shape.js";
import type { Node, Tensor } from "../../graph/tensor.js";
import { kernelEffects, peerAccesses } from "../kernelEffects.js";
import type { PlanBuffer } from "../plan.js";
import type { Arranged } from "./barriers.js";
import { isGiven } from "./materialize.js";

/** A piece of memory: a variable's own, a constant's, or a temporary. */
export type Slot =
  | { readonly kind: "variable"; readonly node: Node<"variable"> }
  | { readonly kind: "constant"; readonly node: Node<"constant"> }
  | TemporarySlot;

/** Memory for the kernels `first` to `last`. */
export interface TemporarySlot {
  readonly kind: "temporary";
  readonly node: Tensor;
  /** Of one rank's copy, if it is not shared. */
  readonly bytes: number;
  readonly scope: PlanBuffer["scope"];
  first: number;
  last: number;
}

/** Hands out slots for nodes, then finds how long each temporary lives. */
export class Slots {
  private readonly list: Slot[] = [];
  private readonly numbers = new Map<Tensor, number>();

  /** @param scopeOf of the temporary that holds a node */
  constructor(
    private readonly inPlace: ReadonlyMap<Tensor, Tensor>,
    private readonly scopeOf: (node: Tensor) => PlanBuffer["scope"],
  ) {}

  readonly of = (node: Tensor): number => {
    const owner = this.inPlace.get(node) ?? node;
    const found = this.numbers.get(owner);
    if (found !== undefined) return found;
    const number = this.add(owner, isGiven(owner));
    this.numbers.set(owner, number);
    return number;
  };

  /** A temporary of the node's type, or the given node's own memory. */
  add(node: Tensor, own = false): number {
    if (own && node.op === "variable") this.list.push({ kind: "variable", node });
    else if (own && node.op === "constant") this.list.push({ kind: "constant", node });
    else
      this.list.push({
        kind: "temporary",
        node,
        bytes: sizeOf(node.shape) * bytesOf(node.dtype),
        scope: this.scopeOf(node),
        first: Number.POSITIVE_INFINITY,
        last: -1,
      });
    return this.list.length - 1;
  }

  readonly isTemporary = (number: number): boolean => this.list[number].kind === "temporary";

  /** Bytes of a temporary; 0 of what keeps its memory. */
  readonly temporaryBytes = (number: number): number => {
    const slot = this.list[number];
    return slot.kind === "temporary" ? slot.bytes : 0;
  };

  /** Whether it is a temporary in memory where all ranks have theirs. */
  readonly isJoint = (number: number): boolean => {
    const slot = this.list[number];
    return slot.kind === "temporary" && slot.scope !== "private";
  };

  /**
   * All slots. What other ranks read stays until all of them have read it; memory that all ranks use together is free
   * for another tensor only once all of them are done with the one before.
   * @param kept slots that must hold their values when the step is done
   */
  withLifetimes({ kernels, phases, unordered = false }: Arranged, kept: Iterable<number>): Slot[] {
    kernels.forEach((kernel, i) => {
      const { reads, writes } = kernelEffects(kernel);
      const peers = peerAccesses(kernel);
      for (const number of [...reads, ...writes]) {
        const slot = this.list[number];
        if (slot.kind !== "temporary") continue;
        const isJoint = slot.scope !== "private" || unordered;
        slot.first = Math.min(slot.first, isJoint ? phases[i].first : i);
        slot.last = Math.max(slot.last, isJoint || peers.includes(number) ? phases[i].last : i);
      }
    });
    for (const number of kept) {
      const slot = this.list[number];
      if (slot.kind === "temporary") slot.last = kernels.length;
    }
    return this.list;
  }

  /** The slot, before its lifetime is known. */
  at(number: number): Slot {
    return this.list[number];
  }
}
