/** From a program to a plan: passes, kernels, memory. */
import { bytesOf } from "../base/dtype.js";
import { invariant } from "../base/errors.js";
import { sizeOf } from "../base/shape.js";
import type { Node, Tensor } from "../graph/tensor.js";
import { withPlaces } from "./kernelEffects.js";
import { divideUpdates } from "./lower/dividedUpdates.js";
import { arrangeEntry, type EntryKernels, entryKernels, type LoweredEntry } from "./lower/entry.js";
import { aligned, packLifetimes } from "./lower/memory.js";
import type { Slot, TemporarySlot } from "./lower/slots.js";
import { optimize } from "./optimize.js";
import type { Plan, PlanBuffer, PlanEntry } from "./plan.js";
import { checkProgram, type Program } from "./program.js";

export interface PlanOptions {
  /** Verify the graph after each pass. */
  readonly check?: boolean;
  /** Processes that the program's ranks are divided among, 1 by default. */
  readonly processes?: number;
  /**
   * For a device that runs kernels at once, those that wait for nothing of one another: they stand side by side and share
   * no memory. Takes more memory. Default false; nothing changes for several ranks.
   */
  readonly waves?: boolean;
  /** Whether processes divide the updates of large variables; default false. */
  readonly divideUpdates?: boolean;
}

/** Throws a SlalomError where the program's updates do not fit its variables. */
export function planProgram(program: Program, options: PlanOptions = {}): Plan {
  checkProgram(program);
  const { processes = 1, waves = false, divideUpdates: divides = false } = options;
  const ranks = (program.ranks ?? 1) / processes;
  invariant(Number.isInteger(ranks), "every process has as many ranks as the others");
  const arena = new Arena(ranks);
  const updated = new Set(Object.values(program.entries).flatMap((entry) => Object.keys(entry.updates)));
  for (const [name, node] of Object.entries(program.variables))
    arena.addVariable(name, node, updated.has(name) ? "state" : "input");
  const sharing = { ranks, processes, isShared: arena.isShared, inWaves: waves };
  const entries = Object.entries(program.entries).map(([name, entry]): [string, EntryKernels] => {
    const updates = Object.entries(entry.updates);
    const traces = Object.entries(entry.traces);
    const optimized = optimize(
      [...updates, ...traces].map(([, value]) => value),
      options,
    );
    return [
      name,
      entryKernels(
        {
          updates: updates.map(([variable], i) => ({
            name: variable,
            variable: program.variables[variable],
            value: optimized[i],
          })),
          traces: traces.map(([trace], i) => ({ name: trace, value: optimized[updates.length + i] })),
        },
        sharing,
      ),
    ];
  });
  const divided = divides && processes > 1 ? divideUpdates(entries.map(([, entry]) => entry)) : [];
  const placed = entries.map(([name, entry], i): [string, PlanEntry] => [
    name,
    arena.place(name, arrangeEntry(entry, sharing, divided[i]), program.traceCapacity),
  ]);
  return {
    name: program.name,
    ranks,
    processes,
    ...arena.finish(),
    constants: arena.constants,
    entries: Object.fromEntries(placed),
  };
}

/** A variable of at most so many bytes is updated by every rank for itself: cheaper than to share the work and meet. */
const privateStateBytes = 1024;

/**
 * Shared buffers one after another: variables, constants, traces. Behind them the temporaries that ranks have together,
 * and for each rank a private region: small variables that change, and its own temporaries. Those of all entries lie in
 * the same bytes.
 */
class Arena {
  readonly constants: { buffer: number; data: Node<"constant">["attributes"]["data"] }[] = [];
  private readonly buffers: PlanBuffer[] = [];
  private readonly temporaries = new Set<number>();
  private readonly numbers = new Map<Tensor, number>();
  private sharedBytes = 0;
  private privateStateBytes = 0;
  private temporaryBytes = 0;
  private jointBytes = 0;

  constructor(private readonly ranks: number) {}

  addVariable(name: string, node: Tensor, role: "state" | "input"): void {
    const isSmall = sizeOf(node.shape) * bytesOf(node.dtype) <= privateStateBytes;
    const scope = this.ranks > 1 && role === "state" && isSmall ? "private" : "shared";
    this.numbers.set(node, this.addPersistent({ name, role, shape: node.shape, dtype: node.dtype, scope }));
  }

  readonly isShared = (variable: Tensor): boolean =>
    this.buffers[this.numbers.get(variable)!].scope === "shared";

  place(
    entryName: string,
    { kernels, slots, traces, inParts }: LoweredEntry,
    traceCapacity: number,
  ): PlanEntry {
    const temporaries = slots.flatMap((slot) => (slot.kind === "temporary" && slot.last >= 0 ? [slot] : []));
    const [own, joint] = [true, false].map((isOwn) =>
      temporaries.filter(({ scope }) => (scope === "private") === isOwn),
    );
    const packed = packLifetimes(own);
    const packedJoint = packLifetimes(
      joint.map((slot) => ({ ...slot, bytes: slot.bytes * (slot.scope === "stacked" ? this.ranks : 1) })),
    );
    this.temporaryBytes = Math.max(this.temporaryBytes, packed.bytes);
    this.jointBytes = Math.max(this.jointBytes, packedJoint.bytes);
    const offsetOf = new Map<Slot, number>([
      ...own.map((slot, i) => [slot, packed.offsets[i]] as const),
      ...joint.map((slot, i) => [slot, packedJoint.offsets[i]] as const),
    ]);
    const numbers = slots.map((slot) => {
      if (slot.kind === "variable") return this.numbers.get(slot.node)!;
      if (slot.kind === "constant") return this.constant(slot.node);
      // What no kernel touches needs no memory.
      const offset = offsetOf.get(slot);
      return offset === undefined ? -1 : this.addTemporary(slot, offset);
    });
    return {
      kernels: kernels.map((kernel) =>
        withPlaces(kernel, (place) => ({ ...place, buffer: numbers[place.buffer] })),
      ),
      ...(inParts.length > 0 && { inParts: inParts.map((slot) => numbers[slot]) }),
      traces: traces.map(({ name, slot }) => {
        const source = numbers[slot];
        const { shape, dtype } = this.buffers[source];
        const target = this.addPersistent({
          name: `${entryName}/${name}`,
          role: "trace",
          shape: [traceCapacity, ...shape],
          dtype,
          scope: "shared",
        });
        return { name, source, target, bytes: sizeOf(shape) * bytesOf(dtype) };
      }),
    };
  }

  /** Buffers with their final offsets: those of private ones were counted from the region's beginning. */
  finish(): Pick<Plan, "buffers" | "arenaBytes" | "privateBytes"> {
    const { sharedBytes, jointBytes, ranks } = this;
    const privateAt = sharedBytes + jointBytes;
    const buffers = this.buffers.map((buffer, i) => {
      const isTemporary = this.temporaries.has(i);
      if (buffer.scope === "shared" && !isTemporary) return buffer;
      const before =
        buffer.scope === "private" ? privateAt + (isTemporary ? this.privateStateBytes : 0) : sharedBytes;
      return { ...buffer, offset: buffer.offset + before };
    });
    const privateBytes = this.privateStateBytes + this.temporaryBytes;
    return { buffers, privateBytes, arenaBytes: privateAt + ranks * privateBytes };
  }

  private addPersistent(buffer: Omit<PlanBuffer, "offset">): number {
    const bytes = Math.max(aligned(sizeOf(buffer.shape) * bytesOf(buffer.dtype)), aligned(1));
    if (buffer.scope === "shared") {
      this.buffers.push({ ...buffer, offset: this.sharedBytes });
      this.sharedBytes += bytes;
    } else {
      this.buffers.push({ ...buffer, offset: this.privateStateBytes });
      this.privateStateBytes += bytes;
    }
    return this.buffers.length - 1;
  }

  private addTemporary({ node: { op, shape, dtype }, scope }: TemporarySlot, offset: number): number {
    this.buffers.push({ name: op, role: "temporary", shape, dtype, offset, scope });
    this.temporaries.add(this.buffers.length - 1);
    return this.buffers.length - 1;
  }

  private constant(node: Node<"constant">): number {
    const found = this.numbers.get(node);
    if (found !== undefined) return found;
    const buffer = this.addPersistent({
      name: "constant",
      role: "constant",
      shape: node.shape,
      dtype: node.dtype,
      scope: "shared",
    });
    this.constants.push({ buffer, data: node.attributes.data });
    this.numbers.set(node, buffer);
    return buffer;
  }
}
