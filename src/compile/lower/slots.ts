/** Slots: pieces of memory that kernels name before the planner gives them a place. */
import { bytesOf } from "../../base/dtype.js";
import { sizeOf } from "../../base/shape.js";
import type { Node, Tensor } from "../../graph/tensor.js";
import { kernelEffects, peerReads } from "../kernelEffects.js";
import type { Arranged } from "./barriers.js";
import { isGiven } from "./materialize.js";

/** A piece of memory: a variable's own, a constant's, or a temporary for the kernels `first` to `last`. */
export type Slot =
  | { readonly kind: "variable"; readonly node: Node<"variable"> }
  | { readonly kind: "constant"; readonly node: Node<"constant"> }
  | {
      readonly kind: "temporary";
      readonly node: Tensor;
      readonly bytes: number;
      first: number;
      last: number;
    };

/** Hands out slots for nodes, then finds how long each temporary lives. */
export class Slots {
  private readonly list: Slot[] = [];
  private readonly numbers = new Map<Tensor, number>();

  constructor(private readonly inPlace: ReadonlyMap<Tensor, Tensor>) {}

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
        first: Number.POSITIVE_INFINITY,
        last: -1,
      });
    return this.list.length - 1;
  }

  readonly isTemporary = (number: number): boolean => this.list[number].kind === "temporary";

  /**
   * All slots. What other ranks read stays until all of them have read it.
   * @param kept slots that must hold their values when the step is done
   */
  withLifetimes({ kernels, phaseEnds }: Arranged, kept: readonly number[]): Slot[] {
    kernels.forEach((kernel, i) => {
      const { reads, writes } = kernelEffects(kernel);
      const peers = peerReads(kernel);
      for (const number of [...reads, ...writes]) {
        const slot = this.list[number];
        if (slot.kind !== "temporary") continue;
        slot.first = Math.min(slot.first, i);
        slot.last = Math.max(slot.last, peers.includes(number) ? phaseEnds[i] : i);
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
