/**
 * Reductions that blocks may do one after another: each block of theirs has the same rows, and of what the earlier one wrote
 * a block reads the results of its own rows alone. The greatest logit of each example, say, and then the sum of exponentials.
 */
import { kernelEffects } from "../../../compile/kernelEffects.js";
import type { Access, Kernel, LoopKernel } from "../../../compile/plan.js";
import { type FoldMapping, keptOf } from "./foldMapping.js";

/** What two reductions have in common if their blocks have the same rows; undefined where blocks divide rows. */
export const rowsOf = (kernel: LoopKernel, { layout, slices, across }: FoldMapping): string | undefined =>
  layout === "rows" && slices === 1 ? `${keptOf(kernel).join("x")} by ${across}` : undefined;

/**
 * Whether `later`, which has the same rows as `earlier`, finds in its own all that it waits for.
 * @param meet whether two buffers have bytes in common
 */
export function staysInRows(
  later: Kernel,
  earlier: Kernel,
  meet: (a: number, b: number) => boolean,
): boolean {
  if (later.kind !== "loop" || earlier.kind !== "loop") return false;
  const { writes } = kernelEffects(later);
  const before = kernelEffects(earlier);
  // Another block may still be reading what would be overwritten.
  if (writes.some((own) => [...before.reads, ...before.writes].some((other) => meet(own, other))))
    return false;
  const written = [...earlier.stores, ...earlier.reductions].map(({ access }) => access);
  return later.body.every((instruction) => {
    if (instruction.op !== "load" && instruction.op !== "gather") return true;
    const { access } = instruction;
    const sources = written.filter(({ buffer }) => meet(buffer, access.buffer));
    return sources.every((source) => instruction.op === "load" && isSameRow(later, access, earlier, source));
  });
}

/** Whether both are one element a row, the same one. */
const isSameRow = (later: LoopKernel, read: Access, earlier: LoopKernel, written: Access): boolean =>
  read.buffer === written.buffer &&
  read.offset === written.offset &&
  stridesOf(read, later, "kept").join() === stridesOf(written, earlier, "kept").join() &&
  [...stridesOf(read, later, "folded"), ...stridesOf(written, earlier, "folded")].every(
    (stride) => stride === 0,
  );

const stridesOf = ({ strides }: Access, { reduced }: LoopKernel, which: "kept" | "folded"): number[] =>
  strides.filter((_, d) => reduced[d] === (which === "folded"));
