/**
 * Extents of an exported graph. Slalom's graphs know every extent as a number; an ONNX file may leave the size of a
 * batch open. The graph is therefore built for two batch sizes: what differs is a multiple of the batch, and nothing but
 * shapes may differ.
 */
import { SlalomError } from "../../base/errors.js";
import { formatType } from "../../base/shape.js";
import { type Tensor, topologicalOrder } from "../../graph/index.js";

/** A number, or a multiple of the batch size that is open until the model runs. */
export type Extent = number | { readonly batches: number };

export const sameExtent = (a: Extent, b: Extent): boolean =>
  typeof a === "number" || typeof b === "number" ? a === b : a.batches === b.batches;

export const isOpen = (extent: Extent): extent is { readonly batches: number } => typeof extent !== "number";

/** The number of elements of these extents; throws "option" where two of them are multiples of the batch. */
export const productOf = (extents: readonly Extent[]): Extent =>
  extents.reduce<Extent>((product, extent) => {
    if (isOpen(product) && isOpen(extent)) throw dependsOnBatch("an axis holds pairs of examples");
    if (isOpen(product)) return { batches: product.batches * (extent as number) };
    return isOpen(extent) ? { batches: extent.batches * product } : product * extent;
  }, 1);

/**
 * Two batch sizes that no model has as another extent, so that no extent of the two graphs is equal by chance. Nothing
 * is computed of this size.
 */
export const trialSizes = [10_007, 10_009] as const;

/** The extents of each node of `graphs[0]`, which was built for `sizes[0]` as `graphs[1]` was for `sizes[1]`. */
export function openExtents(
  graphs: readonly [readonly Tensor[], readonly Tensor[]],
  sizes: readonly [number, number],
): Map<Tensor, readonly Extent[]> {
  const [first, second] = graphs.map(topologicalOrder);
  if (first.length !== second.length) throw dependsOnBatch("it has another number of operations");
  const place = new Map(second.map((node, i) => [node, i]));
  return new Map(
    first.map((node, i) => {
      const other = second[i];
      const isAlike =
        node.op === other.op &&
        node.dtype === other.dtype &&
        node.shape.length === other.shape.length &&
        node.inputs.length === other.inputs.length &&
        node.inputs.every((input, k) => first[place.get(other.inputs[k])!] === input) &&
        sameAttributes(node, other);
      if (!isAlike) throw dependsOnBatch(`${described(node)} becomes ${described(other)}`);
      return [node, node.shape.map((extent, axis) => openExtent([extent, other.shape[axis]], sizes))];
    }),
  );
}

/** The extents of each node as they are, for a batch whose size is settled. */
export const settledExtents = (graph: readonly Tensor[]): Map<Tensor, readonly Extent[]> =>
  new Map(topologicalOrder(graph).map((node) => [node, node.shape]));

function openExtent([a, b]: readonly [number, number], sizes: readonly [number, number]): Extent {
  if (a === b) return a;
  const batches = a / sizes[0];
  if (Number.isInteger(batches) && batches * sizes[1] === b) return { batches };
  throw dependsOnBatch(`an extent is ${a} for ${sizes[0]} examples and ${b} for ${sizes[1]}`);
}

const described = (node: Tensor): string =>
  node.op === "full" ? `${node.attributes.value}` : `${node.op} ${formatType(node)}`;

const dependsOnBatch = (how: string): SlalomError =>
  new SlalomError(
    "option",
    `export to ONNX: the model does something else for another batch size (${how}), so the size can't be left open. Settle it, such as batch 1.`,
  );

/** Whether two nodes of one operation do the same to operands that differ by the batch size. */
function sameAttributes(a: Tensor, b: Tensor): boolean {
  if (a.op === "slice" && b.op === "slice") {
    return a.shape.every((_, axis) => {
      const cuts = [a, b].map(({ attributes: { start, stop, step } }) => [
        start[axis],
        stop[axis],
        step[axis],
      ]);
      const isWhole = [a, b].every(({ inputs, shape }) => shape[axis] === inputs[0].shape[axis]);
      return isWhole || sameValue(cuts[0], cuts[1]);
    });
  }
  const isShapeOnly = a.op === "broadcast" || a.op === "reshape";
  // The node's own shape says the same, and is compared as a shape.
  const attributesOf = (node: Tensor): object => ({ ...node.attributes, ...(isShapeOnly && { shape: [] }) });
  return sameValue(attributesOf(a), attributesOf(b));
}

function sameValue(a: unknown, b: unknown): boolean {
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return Object.is(a, b);
  if (a === b) return true;
  const keys = Object.keys(a);
  return (
    keys.length === Object.keys(b).length &&
    keys.every((key) => sameValue(a[key as keyof typeof a], b[key as keyof typeof b]))
  );
}
