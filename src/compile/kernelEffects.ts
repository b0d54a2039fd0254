/** What a kernel reads and writes, as numbers of buffers (of slots, before memory is planned). */
import type { Access, ExchangeKernel, Kernel, PlanBuffer } from "./plan.js";

export interface KernelEffects {
  readonly reads: readonly number[];
  readonly writes: readonly number[];
}

/** The buffers of which a kernel reads or writes other ranks' copies. */
export function peerAccesses(kernel: Kernel): number[] {
  const places: Place[] =
    kernel.kind === "loop"
      ? kernel.body.flatMap((instruction) => (instruction.op === "load" ? [instruction.access] : []))
      : kernel.kind === "gemm"
        ? [kernel.a, kernel.b, kernel.c]
        : [];
  return places.flatMap(({ buffer, peer }) => (peer === undefined ? [] : [buffer]));
}

export function kernelEffects(kernel: Kernel): KernelEffects {
  switch (kernel.kind) {
    case "gemm":
      return {
        reads: [kernel.a.buffer, kernel.b.buffer, ...(kernel.accumulate ? [kernel.c.buffer] : [])],
        writes: [kernel.c.buffer],
      };
    case "scatterAdd":
      return { reads: [kernel.updates, kernel.indices], writes: [kernel.target] };
    case "convolution": {
      const operands = (["x", "w", "y"] as const).filter((role) => role !== kernel.computes);
      return {
        reads: [...operands.map((role) => kernel[role].buffer), ...(kernel.bias ? [kernel.bias.buffer] : [])],
        writes: [kernel[kernel.computes].buffer],
      };
    }
    case "pool": {
      const { mode, source, target, index } = kernel;
      const present = (buffers: readonly (number | undefined)[]): number[] =>
        buffers.filter((buffer) => buffer !== undefined);
      return mode === "max"
        ? { reads: [source], writes: present([target, index]) }
        : { reads: present([source, index]), writes: present([target]) };
    }
    case "beginAllReduce":
    case "finishAllReduce":
    case "beginReduceScatter":
    case "finishReduceScatter":
    case "beginAllGather":
    case "finishAllGather":
      return { reads: kernel.buffers, writes: kernel.buffers };
    case "barrier":
      return { reads: [], writes: [] };
    case "loop":
      return {
        reads: kernel.body.flatMap((instruction) =>
          instruction.op === "load" || instruction.op === "gather" ? [instruction.access.buffer] : [],
        ),
        writes: [...kernel.stores, ...kernel.reductions].map(({ access }) => access.buffer),
      };
  }
}

/** Whether a kernel updates variables by what kernels before it computed. One that computes all of it itself does not count. */
export function isUpdate(kernel: Kernel, buffers: readonly PlanBuffer[]): boolean {
  if (isExchange(kernel)) return false;
  const { reads, writes } = kernelEffects(kernel);
  const has = (touched: readonly number[], role: PlanBuffer["role"]): boolean =>
    touched.some((buffer) => buffers[buffer].role === role);
  return has(writes, "state") && has(reads, "temporary");
}

/** Whether a kernel sends something off to other processes. */
export const beginsExchange = ({ kind }: Kernel): boolean =>
  kind === "beginAllReduce" || kind === "beginReduceScatter" || kind === "beginAllGather";

/** Whether it waits for what another one sent off. */
export const finishesExchange = ({ kind }: Kernel): boolean =>
  kind === "finishAllReduce" || kind === "finishReduceScatter" || kind === "finishAllGather";

export const isExchange = (kernel: Kernel): kernel is ExchangeKernel =>
  beginsExchange(kernel) || finishesExchange(kernel);

/** Where a kernel reads or writes: a buffer, with whatever else says which part of it. */
export interface Place {
  readonly buffer: number;
  readonly peer?: number;
}

/** The kernel with other places. */
export function withPlaces(kernel: Kernel, change: <P extends Place>(place: P) => P): Kernel {
  const number = (buffer: number): number => change({ buffer }).buffer;
  switch (kernel.kind) {
    case "gemm":
      return { ...kernel, a: change(kernel.a), b: change(kernel.b), c: change(kernel.c) };
    case "scatterAdd":
      return {
        ...kernel,
        updates: number(kernel.updates),
        indices: number(kernel.indices),
        target: number(kernel.target),
      };
    case "convolution":
      return {
        ...kernel,
        x: change(kernel.x),
        w: change(kernel.w),
        y: change(kernel.y),
        ...(kernel.bias && { bias: change(kernel.bias) }),
      };
    case "pool":
      return {
        ...kernel,
        source: number(kernel.source),
        ...(kernel.target !== undefined && { target: number(kernel.target) }),
        ...(kernel.index !== undefined && { index: number(kernel.index) }),
      };
    case "beginAllReduce":
    case "finishAllReduce":
    case "beginReduceScatter":
    case "finishReduceScatter":
    case "beginAllGather":
    case "finishAllGather":
      return { ...kernel, buffers: kernel.buffers.map(number) };
    case "barrier":
      return kernel;
    case "loop": {
      const placed = <S extends { readonly access: Access }>(part: S): S => ({
        ...part,
        access: change(part.access),
      });
      return {
        ...kernel,
        body: kernel.body.map((instruction) => ("access" in instruction ? placed(instruction) : instruction)),
        stores: kernel.stores.map(placed),
        reductions: kernel.reductions.map(placed),
      };
    }
  }
}
