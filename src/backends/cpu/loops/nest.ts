/**
 * Puts a loop nest into the order in which it is emitted: dimensions of extent 1 dropped, neighbours merged,
 * the vector dimension chosen, the reduced loops innermost so that every fold lives in registers.
 */
import type { Instruction, LoopKernel } from "../../../compile/plan.js";

export interface Nest {
  /** The kernel with its dimensions in the order of the loops, outermost first; at least one. */
  readonly kernel: LoopKernel;
  /** The loop whose iterations go into the lanes of a vector. */
  readonly vectorLoop: number;
  /** How many loops are outside of all folds. */
  readonly outerLoops: number;
}

/** Order: the loops that are not folded, the vector loop last of these; then the folded loops, likewise. */
export function normalizeNest(kernel: LoopKernel, lanes: number): Nest {
  const merged = mergeNeighbours(dropUnitDimensions(kernel));
  if (merged.extents.length === 0) {
    const one = selectDimensions(merged, [], { extents: [1], reduced: [false], stride: () => [0] });
    return { kernel: one, vectorLoop: 0, outerLoops: 1 };
  }
  const vector = chooseVectorDimension(merged, lanes);
  const dimensions = merged.extents.map((_, d) => d);
  const place = (d: number) => (merged.reduced[d] ? 2 : 0) + (d === vector ? 1 : 0);
  const order = dimensions.sort((a, b) => place(a) - place(b) || a - b);
  return {
    kernel: selectDimensions(merged, order),
    vectorLoop: order.indexOf(vector),
    outerLoops: merged.reduced.filter((reduced) => !reduced).length,
  };
}

/** All stride vectors of a kernel: of its accesses and of its index values. */
function strideVectors(kernel: LoopKernel): (readonly number[])[] {
  return [
    ...kernel.body.flatMap((instruction) => stridesOf(instruction) ?? []).map(({ strides }) => strides),
    ...[...kernel.stores, ...kernel.reductions].map(({ access }) => access.strides),
  ];
}

/** Which earlier values an instruction reads. */
export function operandsOf(instruction: Instruction): readonly number[] {
  if ("inputs" in instruction) return instruction.inputs;
  return instruction.op === "gather" ? [instruction.index] : [];
}

function stridesOf(instruction: Instruction): { readonly strides: readonly number[] } | undefined {
  if (instruction.op === "load" || instruction.op === "gather") return instruction.access;
  return instruction.op === "index" ? instruction : undefined;
}

function dropUnitDimensions(kernel: LoopKernel): LoopKernel {
  const kept = kernel.extents.flatMap((extent, d) => (extent === 1 ? [] : [d]));
  return kept.length === kernel.extents.length ? kernel : selectDimensions(kernel, kept);
}

/** Two neighbours are one loop where one step of the outer is `extent` steps of the inner for every access. */
function mergeNeighbours(kernel: LoopKernel): LoopKernel {
  for (let d = 0; d + 1 < kernel.extents.length; d++) {
    const inner = kernel.extents[d + 1];
    const fits =
      kernel.reduced[d] === kernel.reduced[d + 1] &&
      strideVectors(kernel).every((strides) => strides[d] === strides[d + 1] * inner);
    if (!fits) continue;
    const extents = kernel.extents.with(d + 1, kernel.extents[d] * inner);
    const kept = extents.flatMap((_, other) => (other === d ? [] : [other]));
    return mergeNeighbours(selectDimensions({ ...kernel, extents }, kept));
  }
  return kernel;
}

interface Extra {
  readonly extents: readonly number[];
  readonly reduced: readonly boolean[];
  readonly stride: () => readonly number[];
}

/** The kernel with the given dimensions in the given order, and extra ones behind them. */
function selectDimensions(kernel: LoopKernel, order: readonly number[], extra?: Extra): LoopKernel {
  const pick = <T>(values: readonly T[]): T[] => order.map((d) => values[d]);
  const strides = (values: readonly number[]) => [...pick(values), ...(extra?.stride() ?? [])];
  const moved = <A extends { readonly strides: readonly number[] }>(access: A): A => ({
    ...access,
    strides: strides(access.strides),
  });
  const accessed = <S extends { readonly access: LoopKernel["stores"][0]["access"] }>(part: S): S => ({
    ...part,
    access: moved(part.access),
  });
  return {
    ...kernel,
    extents: [...pick(kernel.extents), ...(extra?.extents ?? [])],
    reduced: [...pick(kernel.reduced), ...(extra?.reduced ?? [])],
    body: kernel.body.map((instruction) => {
      if (instruction.op === "load" || instruction.op === "gather") return accessed(instruction);
      return instruction.op === "index" ? moved(instruction) : instruction;
    }),
    stores: kernel.stores.map(accessed),
    reductions: kernel.reductions.map(accessed),
  };
}

/** Work of one vector of a strided access, and of folding one accumulator, in instructions. */
const stridedCost = 4;
const foldCost = 8;

/** The dimension that makes the least work; the later one where two are equal. */
function chooseVectorDimension(kernel: LoopKernel, lanes: number): number {
  const last = kernel.extents.length - 1;
  if (lanes === 1) return last;
  const accesses = [
    ...kernel.body.flatMap((i) => (i.op === "load" || i.op === "gather" ? [i.access] : [])),
    ...[...kernel.stores, ...kernel.reductions].map(({ access }) => access),
  ];
  const arithmetic = kernel.body.length - accesses.length + 1;
  const iterations = kernel.extents.reduce((product, extent) => product * extent, 1);
  const folded = kernel.extents.reduce((product, n, d) => (kernel.reduced[d] ? product * n : product), 1);
  const work = (d: number): number => {
    const memory = accesses.map(({ strides }) => (strides[d] === 0 || strides[d] === 1 ? 1 : stridedCost));
    const body = memory.reduce((sum, cost) => sum + cost, arithmetic);
    const rounds = (iterations / kernel.extents[d]) * Math.ceil(kernel.extents[d] / lanes);
    const folds = kernel.reduced[d] ? (iterations / folded) * kernel.reductions.length * foldCost : 0;
    return rounds * body + folds;
  };
  let best = last;
  for (let d = last - 1; d >= 0; d--) if (work(d) < work(best)) best = d;
  return best;
}
