/** From a program to a plan: passes, kernels, memory. */
import { bytesOf } from "../base/dtype.js";
import { sizeOf } from "../base/shape.js";
import type { Node, Tensor } from "../graph/tensor.js";
import { type LoweredEntry, lowerEntry } from "./lower/entry.js";
import { aligned, packLifetimes } from "./lower/memory.js";
import type { Slot } from "./lower/slots.js";
import { optimize } from "./optimize.js";
import type { Access, ConvolutionOperand, GemmOperand, Kernel, Plan, PlanBuffer, PlanEntry } from "./plan.js";
import { checkProgram, type Program } from "./program.js";

export interface PlanOptions {
  /** Verify the graph after each pass. */
  readonly check?: boolean;
}

/** Throws a SlalomError where the program's updates do not fit its variables. */
export function planProgram(program: Program, options: PlanOptions = {}): Plan {
  checkProgram(program);
  const arena = new Arena();
  const updated = new Set(Object.values(program.entries).flatMap((entry) => Object.keys(entry.updates)));
  for (const [name, node] of Object.entries(program.variables))
    arena.addVariable(name, node, updated.has(name) ? "state" : "input");
  const lowered = Object.entries(program.entries).map(([name, entry]): [string, LoweredEntry] => {
    const updates = Object.entries(entry.updates);
    const traces = Object.entries(entry.traces);
    const optimized = optimize(
      [...updates, ...traces].map(([, value]) => value),
      options,
    );
    return [
      name,
      lowerEntry({
        updates: updates.map(([variable], i) => ({
          name: variable,
          variable: program.variables[variable],
          value: optimized[i],
        })),
        traces: traces.map(([trace], i) => ({ name: trace, value: optimized[updates.length + i] })),
      }),
    ];
  });
  const entries = Object.fromEntries(
    lowered.map(([name, entry]): [string, PlanEntry] => [
      name,
      arena.place(name, entry, program.traceCapacity),
    ]),
  );
  const { buffers, bytes } = arena.finish();
  return { name: program.name, arenaBytes: bytes, buffers, constants: arena.constants, entries };
}

/** Variables, constants and traces one after another; behind them one region that all entries' temporaries share. */
class Arena {
  readonly constants: { buffer: number; data: Node<"constant">["attributes"]["data"] }[] = [];
  private readonly buffers: PlanBuffer[] = [];
  private readonly temporaries = new Set<number>();
  private readonly numbers = new Map<Tensor, number>();
  private persistentBytes = 0;
  private temporaryBytes = 0;

  addVariable(name: string, node: Tensor, role: "state" | "input"): void {
    this.numbers.set(node, this.addPersistent({ name, role, shape: node.shape, dtype: node.dtype }));
  }

  place(entryName: string, { kernels, slots, traces }: LoweredEntry, traceCapacity: number): PlanEntry {
    const temporaries = slots.flatMap((slot) => (slot.kind === "temporary" && slot.last >= 0 ? [slot] : []));
    const { offsets, bytes } = packLifetimes(temporaries);
    this.temporaryBytes = Math.max(this.temporaryBytes, bytes);
    const offsetOf = new Map(temporaries.map((slot, i) => [slot, offsets[i]]));
    const numbers = slots.map((slot) => {
      if (slot.kind === "variable") return this.numbers.get(slot.node)!;
      if (slot.kind === "constant") return this.constant(slot.node);
      // What no kernel touches needs no memory.
      const offset = offsetOf.get(slot);
      return offset === undefined ? -1 : this.addTemporary(slot, offset);
    });
    return {
      kernels: kernels.map((kernel) => renumber(kernel, numbers)),
      traces: traces.map(({ name, slot }) => {
        const source = numbers[slot];
        const { shape, dtype } = this.buffers[source];
        const target = this.addPersistent({
          name: `${entryName}/${name}`,
          role: "trace",
          shape: [traceCapacity, ...shape],
          dtype,
        });
        return { name, source, target, bytes: sizeOf(shape) * bytesOf(dtype) };
      }),
    };
  }

  /** Buffers with their final offsets: temporaries were counted from the end of what persists. */
  finish(): { buffers: PlanBuffer[]; bytes: number } {
    const buffers = this.buffers.map((buffer, i) =>
      this.temporaries.has(i) ? { ...buffer, offset: buffer.offset + this.persistentBytes } : buffer,
    );
    return { buffers, bytes: this.persistentBytes + this.temporaryBytes };
  }

  private addPersistent(buffer: Omit<PlanBuffer, "offset">): number {
    this.buffers.push({ ...buffer, offset: this.persistentBytes });
    this.persistentBytes += Math.max(aligned(sizeOf(buffer.shape) * bytesOf(buffer.dtype)), aligned(1));
    return this.buffers.length - 1;
  }

  private addTemporary({ node }: Slot, offset: number): number {
    this.buffers.push({ name: node.op, role: "temporary", shape: node.shape, dtype: node.dtype, offset });
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
    });
    this.constants.push({ buffer, data: node.attributes.data });
    this.numbers.set(node, buffer);
    return buffer;
  }
}

/** The kernel with slots replaced by buffers. */
function renumber(kernel: Kernel, numbers: readonly number[]): Kernel {
  const access = (a: Access): Access => ({ ...a, buffer: numbers[a.buffer] });
  const operand = (o: GemmOperand): GemmOperand => ({ ...o, buffer: numbers[o.buffer] });
  switch (kernel.kind) {
    case "gemm":
      return { ...kernel, a: operand(kernel.a), b: operand(kernel.b), c: operand(kernel.c) };
    case "scatterAdd":
      return {
        ...kernel,
        updates: numbers[kernel.updates],
        indices: numbers[kernel.indices],
        target: numbers[kernel.target],
      };
    case "convolution": {
      const place = (role: ConvolutionOperand): ConvolutionOperand => ({
        ...role,
        buffer: numbers[role.buffer],
      });
      return {
        ...kernel,
        x: place(kernel.x),
        w: place(kernel.w),
        y: place(kernel.y),
        ...(kernel.bias && { bias: place(kernel.bias) }),
      };
    }
    case "pool":
      return {
        ...kernel,
        source: numbers[kernel.source],
        ...(kernel.target !== undefined && { target: numbers[kernel.target] }),
        ...(kernel.index !== undefined && { index: numbers[kernel.index] }),
      };
    case "loop":
      return {
        ...kernel,
        body: kernel.body.map((instruction) =>
          "access" in instruction ? { ...instruction, access: access(instruction.access) } : instruction,
        ),
        stores: kernel.stores.map((store) => ({ ...store, access: access(store.access) })),
        reductions: kernel.reductions.map((reduction) => ({
          ...reduction,
          access: access(reduction.access),
        })),
      };
  }
}
