/** Loops made of a loop: over a part of its iterations, or for a part of what it computes. */
import type { Instruction, LoopKernel } from "./plan.js";

/** The loop from `start` to `stop` of a dimension; accesses to the buffer `still` stay as they are. */
export function partOf(
  kernel: LoopKernel,
  dimension: number,
  start: number,
  stop: number,
  still?: number,
): LoopKernel {
  const moved = <A extends { readonly offset: number; readonly strides: readonly number[] }>(
    access: A,
  ): A => ({
    ...access,
    offset: access.offset + start * access.strides[dimension],
  });
  const movedAccess = <P extends { readonly access: LoopKernel["stores"][number]["access"] }>(part: P): P =>
    part.access.buffer === still ? part : { ...part, access: moved(part.access) };
  return {
    ...kernel,
    extents: kernel.extents.with(dimension, stop - start),
    body: kernel.body.map((instruction) => {
      if (instruction.op === "index") return moved(instruction);
      return "access" in instruction ? movedAccess(instruction) : instruction;
    }),
    stores: kernel.stores.map(movedAccess),
    reductions: kernel.reductions.map(movedAccess),
  };
}

/** The loop without instructions whose values nobody uses. */
export function withoutUnused(kernel: LoopKernel): LoopKernel {
  const used = new Set([...kernel.stores, ...kernel.reductions].map(({ value }) => value));
  for (let i = kernel.body.length - 1; i >= 0; i--) {
    if (used.has(i)) for (const input of operandsOf(kernel.body[i])) used.add(input);
  }
  const numbers = new Map([...used].sort((a, b) => a - b).map((old, i) => [old, i]));
  const renumbered = <V extends { readonly value: number }>(part: V): V => ({
    ...part,
    value: numbers.get(part.value)!,
  });
  return {
    ...kernel,
    body: kernel.body.flatMap((instruction, i) =>
      used.has(i) ? [withOperands(instruction, (input) => numbers.get(input)!)] : [],
    ),
    stores: kernel.stores.map(renumbered),
    reductions: kernel.reductions.map(renumbered),
  };
}

const operandsOf = (instruction: Instruction): readonly number[] =>
  "inputs" in instruction ? instruction.inputs : instruction.op === "gather" ? [instruction.index] : [];

function withOperands(instruction: Instruction, renumber: (input: number) => number): Instruction {
  if ("inputs" in instruction) return { ...instruction, inputs: instruction.inputs.map(renumber) };
  return instruction.op === "gather" ? { ...instruction, index: renumber(instruction.index) } : instruction;
}
