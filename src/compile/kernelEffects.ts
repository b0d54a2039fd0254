/** What a kernel reads and writes, as numbers of buffers (of slots, before memory is planned). */
import type { Kernel } from "./plan.js";

export interface KernelEffects {
  readonly reads: readonly number[];
  readonly writes: readonly number[];
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
    case "loop":
      return {
        reads: kernel.body.flatMap((instruction) =>
          instruction.op === "load" || instruction.op === "gather" ? [instruction.access.buffer] : [],
        ),
        writes: [...kernel.stores, ...kernel.reductions].map(({ access }) => access.buffer),
      };
  }
}
