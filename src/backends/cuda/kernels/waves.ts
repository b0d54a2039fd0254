/** Kernels next to each other that may run at once: one launch does for all of them. */
import { bytesOf } from "../../../base/dtype.js";
import { sizeOf } from "../../../base/shape.js";
import { kernelEffects } from "../../../compile/kernelEffects.js";
import type { Kernel, PlanBuffer } from "../../../compile/plan.js";

/** Kernels of one launch at most: each block looks through them for its own. */
const mostKernels = 64;

/**
 * Groups neighbours of which none writes what another reads or writes.
 * @param likeness a kernel joins only those that are alike; undefined: it stays alone
 */
export function wavesOf(
  kernels: readonly Kernel[],
  buffers: readonly PlanBuffer[],
  likeness: (kernel: Kernel) => string | undefined,
): Kernel[][] {
  const waves: Kernel[][] = [];
  for (const kernel of kernels) {
    const wave = waves.at(-1);
    const joins =
      wave &&
      wave.length < mostKernels &&
      likeness(kernel) !== undefined &&
      likeness(wave[0]) === likeness(kernel) &&
      wave.every((other) => areIndependent(other, kernel, buffers));
    if (joins) wave.push(kernel);
    else waves.push([kernel]);
  }
  return waves;
}

function areIndependent(a: Kernel, b: Kernel, buffers: readonly PlanBuffer[]): boolean {
  const [of, other] = [kernelEffects(a), kernelEffects(b)];
  const meet = (some: readonly number[], others: readonly number[]): boolean =>
    some.some((x) => others.some((y) => overlap(buffers[x], buffers[y])));
  return !meet(of.writes, other.writes) && !meet(of.writes, other.reads) && !meet(of.reads, other.writes);
}

/** Whether two buffers share a byte: those of temporaries may. */
const overlap = (a: PlanBuffer, b: PlanBuffer): boolean => a.offset < endOf(b) && b.offset < endOf(a);

const endOf = ({ offset, shape, dtype }: PlanBuffer): number => offset + sizeOf(shape) * bytesOf(dtype);
