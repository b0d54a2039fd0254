/** Loop nests in as few dimensions as they need, and positions in them as CUDA C. */
import type { Access, Instruction, LoopKernel } from "../../../compile/plan.js";

/**
 * The same loops with fewer dimensions: those of extent 1 go, and neighbours become one where every access moves through
 * both as through one.
 */
export function mergedNest(kernel: LoopKernel): LoopKernel {
  const { extents, reduced } = kernel;
  const walks = stridesIn(kernel);
  const groups: { extent: number; reduced: boolean; last: number }[] = [];
  extents.forEach((extent, d) => {
    if (extent === 1) return;
    const group = groups.at(-1);
    const joins =
      group &&
      group.reduced === reduced[d] &&
      walks.every((strides) => strides[group.last] === strides[d] * extent);
    if (joins) groups[groups.length - 1] = { ...group, extent: group.extent * extent, last: d };
    else groups.push({ extent, reduced: reduced[d], last: d });
  });
  const remaining = (strides: readonly number[]): number[] => groups.map(({ last }) => strides[last]);
  const moved = (access: Access): Access => ({ ...access, strides: remaining(access.strides) });
  return {
    ...kernel,
    extents: groups.map(({ extent }) => extent),
    reduced: groups.map((group) => group.reduced),
    body: kernel.body.map((instruction): Instruction => {
      if (instruction.op === "index") return { ...instruction, strides: remaining(instruction.strides) };
      return "access" in instruction ? { ...instruction, access: moved(instruction.access) } : instruction;
    }),
    stores: kernel.stores.map((store) => ({ ...store, access: moved(store.access) })),
    reductions: kernel.reductions.map((reduction) => ({ ...reduction, access: moved(reduction.access) })),
  };
}

/** As plans name loops: "loop 100x(784) [mul sum]". */
export const titleOf = ({ extents, reduced, name }: LoopKernel): string =>
  `loop ${extents.map((extent, d) => (reduced[d] ? `(${extent})` : `${extent}`)).join("x") || "once"} [${name}]`;

/** Every list of strides in a kernel. */
const stridesIn = ({ body, stores, reductions }: LoopKernel): (readonly number[])[] => [
  ...body.flatMap((instruction) => {
    if (instruction.op === "index") return [instruction.strides];
    return "access" in instruction ? [instruction.access.strides] : [];
  }),
  ...[...stores, ...reductions].map(({ access }) => access.strides),
];

/** Integers that count elements: 32 bits where they hold all of them. */
export interface IndexTypes {
  readonly signed: "int" | "long long";
  readonly unsigned: "unsigned" | "unsigned long long";
}

export const indexTypes = (isWide: boolean): IndexTypes =>
  isWide ? { signed: "long long", unsigned: "unsigned long long" } : { signed: "int", unsigned: "unsigned" };

/** A loop dimension in code: the variable of its index, and how many steps of how many indices it has. */
export interface Dimension {
  readonly variable: string;
  readonly steps: number;
  readonly step: number;
}

/** Declares the index of each dimension, outermost first, from the number of the step through all of them. */
export function indicesFrom(linear: string, dimensions: readonly Dimension[], types: IndexTypes): string[] {
  let inner = 1;
  const lines = dimensions.toReversed().map(({ variable, steps, step }, i) => {
    const divided = inner === 1 ? linear : `${linear} / ${inner}u`;
    const own = i === dimensions.length - 1 ? divided : `${divided} % ${steps}u`;
    inner *= steps;
    const index = step === 1 ? `(${types.signed})(${own})` : `(${types.signed})(${own}) * ${step}`;
    return `const ${types.signed} ${variable} = ${index};`;
  });
  return lines.reverse();
}

/** `offset + sum of index * stride`. */
export function position(offset: number, strides: readonly number[], variables: readonly string[]): string {
  const terms = strides.flatMap((stride, d) =>
    stride === 0 ? [] : [stride === 1 ? variables[d] : `${stride} * ${variables[d]}`],
  );
  if (offset !== 0 || terms.length === 0) terms.unshift(`${offset}`);
  return terms.join(" + ");
}
