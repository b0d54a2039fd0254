/** A kernel of strips as the products and loops that it stands for, and as the part that one rank runs. */
import { partOf } from "./loopParts.js";
import type { GemmKernel, GemmOperand, Kernel, LoopKernel, StripsKernel } from "./plan.js";

/** The same work as plain kernels, in order: for each strip its products, then its loop. */
export function stripParts(kernel: StripsKernel): (GemmKernel | LoopKernel)[] {
  const { loop, dimension, rows } = kernel;
  const extent = loop.extents[dimension];
  const strips: (GemmKernel | LoopKernel)[] = [];
  for (let start = 0; start < extent; start += rows) {
    const part = rowsOf(kernel, start, Math.min(extent, start + rows));
    strips.push(...part.products, part.loop);
  }
  return strips;
}

/** The kernel over some of the rows alone: those with index `start` to `stop` of the loop's dimension. */
export function rowsOf(kernel: StripsKernel, start: number, stop: number): StripsKernel {
  const { loop, dimension, products } = kernel;
  const [{ m, c }] = products;
  const perIndex = m / loop.extents[dimension];
  return {
    ...kernel,
    products: products.map((product) => ({
      ...product,
      m: (stop - start) * perIndex,
      a: movedRows(product.a, start * perIndex),
    })),
    // What the products write lies in a strip's own memory, whichever rows they are of.
    loop: partOf(loop, dimension, start, stop, c.buffer),
  };
}

const movedRows = (operand: GemmOperand, rows: number): GemmOperand => ({
  ...operand,
  offset: operand.offset + rows * (operand.transposed ? 1 : operand.leading),
});

export type PlainKernel = Exclude<Kernel, StripsKernel>;

/** The kernels with those of strips taken apart. */
export const withoutStrips = (kernels: readonly Kernel[]): PlainKernel[] =>
  kernels.flatMap((kernel) => (kernel.kind === "strips" ? stripParts(kernel) : [kernel]));
