/** Kernels that may run at once: one launch does for all of them. */
import { bytesOf } from "../../../base/dtype.js";
import { sizeOf } from "../../../base/shape.js";
import { kernelEffects } from "../../../compile/kernelEffects.js";
import type { Kernel, PlanBuffer } from "../../../compile/plan.js";

/** Kernels of one launch at most: each block looks through them for its own. */
const mostKernels = 64;

interface Wave {
  readonly kernels: Kernel[];
  readonly likeness: string | undefined;
  readonly reads: Bytes[];
  readonly writes: Bytes[];
}

/** A part of the arena. Buffers of temporaries may share some. */
interface Bytes {
  readonly start: number;
  readonly end: number;
}

/**
 * Groups of kernels that touch nothing of one another, in an order that the kernels may run in: each is in the first wave
 * of its like behind all that it waits for.
 * @param likeness a kernel joins only those that are alike; undefined: it stays alone
 */
export function wavesOf(
  kernels: readonly Kernel[],
  buffers: readonly PlanBuffer[],
  likeness: (kernel: Kernel) => string | undefined,
): Kernel[][] {
  const waves: Wave[] = [];
  const bytes = (numbers: readonly number[]): Bytes[] =>
    numbers.map((number) => {
      const { offset, shape, dtype } = buffers[number];
      return { start: offset, end: offset + sizeOf(shape) * bytesOf(dtype) };
    });
  for (const kernel of kernels) {
    const effects = kernelEffects(kernel);
    const [reads, writes] = [bytes(effects.reads), bytes(effects.writes)];
    const waitsFor = (wave: Wave): boolean =>
      overlap(wave.writes, writes) || overlap(wave.writes, reads) || overlap(wave.reads, writes);
    const own = likeness(kernel);
    const home = waves
      .slice(waves.findLastIndex(waitsFor) + 1)
      .find((wave) => own !== undefined && wave.likeness === own && wave.kernels.length < mostKernels);
    if (home) {
      home.kernels.push(kernel);
      home.reads.push(...reads);
      home.writes.push(...writes);
    } else waves.push({ kernels: [kernel], likeness: own, reads, writes });
  }
  return waves.map((wave) => wave.kernels);
}

const overlap = (some: readonly Bytes[], others: readonly Bytes[]): boolean =>
  some.some((a) => others.some((b) => a.start < b.end && b.start < a.end));
