/**
 * Products that ranks compute together. Each rank has some rows of a batch; a product of those rows with large weights
 * would read all weights on every rank, and a gradient summed over rows would be written by each of them whole. Joint,
 * the rows of all ranks are one matrix, and the ranks divide the other dimension: each reads or writes its part of the
 * weights once. What they exchange is as large as the rows.
 */
import { bytesOf } from "../../base/dtype.js";
import { sizeOf } from "../../base/shape.js";
import type { Node, Tensor } from "../../graph/tensor.js";
import type { GemmKernel, GemmOperand } from "../plan.js";
import { planContraction } from "./contraction.js";
import { variesByRank } from "./groups.js";
import { isGiven, storedNode } from "./materialize.js";
import { type View, viewOf } from "./views.js";

export interface JointProducts {
  /**
   * Rows times what all ranks have: the ranks divide the columns. Products of rows summed over all ranks: they divide
   * its rows.
   */
  readonly divided: ReadonlyMap<Tensor, "rows" | "columns">;
  /** Stored nodes whose parts on all ranks lie one behind another, as one matrix. */
  readonly stacked: ReadonlySet<Tensor>;
}

export const noJointProducts: JointProducts = { divided: new Map(), stacked: new Set() };

/** Elements of weights below which meeting costs more than reading all of them. */
const smallestWeights = 1 << 18;

/**
 * @param order nodes of an entry, inputs first
 * @param isStored whether a node has memory
 * @param outputs stored nodes that leave the entry
 */
export function jointProducts(
  order: readonly Tensor[],
  isStored: (node: Tensor) => boolean,
  outputs: ReadonlySet<Tensor>,
  { ranks, isShared }: { readonly ranks: number; readonly isShared: (variable: Tensor) => boolean },
): JointProducts {
  const divided = new Map<Tensor, "rows" | "columns">();
  const stacked = new Set<Tensor>();
  const varying = variesByRank(order);
  const isSummed = isReadByOneSum(order, isStored);
  const isCommon = (node: Tensor): boolean => node.op === "constant" || (isGiven(node) && isShared(node));
  for (const node of order) {
    if (node.op !== "dot" || !varying.has(node)) continue;
    const product = productOf(node, isStored);
    if (!product) continue;
    const { kernel, bases } = product;
    const { m, n, k, a, b, c } = kernel;
    const [isA, isB] = bases.map((base) => stacksRows(base, varying));
    const isPartOf = (rows: number, operand: GemmOperand, base: Tensor): boolean =>
      operand.offset === 0 && rows * operand.leading === sizeOf(base.shape);
    const columns =
      isA && isCommon(bases[1]) && !a.transposed && isPartOf(m, a, bases[0]) && isPartOf(m, c, node);
    const rows =
      isA && isB && a.transposed && !b.transposed && isPartOf(k, a, bases[0]) && isPartOf(k, b, bases[1]);
    if (columns && stacksRows(node, varying) && !outputs.has(node) && isWorthIt(n, k, m * ranks)) {
      divided.set(node, "columns");
      stacked.add(bases[0]).add(node);
    } else if (rows && isSummed(node) && !outputs.has(node) && isWorthIt(m, n, k * ranks)) {
      divided.set(node, "rows");
      stacked.add(bases[0]).add(bases[1]);
    }
  }
  return { divided, stacked };
}

/** Weights of that height and width, multiplied with so many rows: what is exchanged is little beside them. */
const isWorthIt = (height: number, width: number, rows: number): boolean =>
  height * width >= smallestWeights && rows * (height + width) <= height * width;

/** A stored value of which every rank has rows of its own, that end where a cache line ends. */
const stacksRows = (node: Tensor, varying: ReadonlySet<Tensor>): boolean =>
  !isGiven(node) && varying.has(node) && (sizeOf(node.shape) * bytesOf(node.dtype)) % 64 === 0;

/** The product as one call of a library, and the stored nodes whose memory it reads. */
function productOf(
  node: Node<"dot">,
  isStored: (node: Tensor) => boolean,
): { kernel: Pick<GemmKernel, "m" | "n" | "k" | "a" | "b" | "c">; bases: [Tensor, Tensor] } | undefined {
  const hasMemory = (one: Tensor): boolean => isStored(storedNode(one)) || isGiven(storedNode(one));
  const [a, b] = node.inputs.map((operand): View | undefined => viewOf(operand, hasMemory));
  const kernel = a && b && planContraction(node, a, b);
  if (!kernel || kernel.batch.length > 0) return undefined;
  return { kernel, bases: [storedNode(a.base), storedNode(b.base)] };
}

/** Whether one sum over all ranks, and nothing else, reads a stored node, through whatever order of axes. */
export function isReadByOneSum(
  order: readonly Tensor[],
  isStored: (node: Tensor) => boolean,
): (node: Tensor) => boolean {
  const readers = new Map<Tensor, Tensor[]>();
  for (const node of order)
    for (const input of node.inputs) readers.set(input, [...(readers.get(input) ?? []), node]);
  const isSummed = (node: Tensor): boolean => {
    const [reader, ...others] = readers.get(node) ?? [];
    if (reader === undefined || others.length > 0) return false;
    if (reader.op === "allReduceSum") return true;
    return (reader.op === "reshape" || reader.op === "transpose") && !isStored(reader) && isSummed(reader);
  };
  return isSummed;
}
