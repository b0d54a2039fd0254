/**
 * Sums over the ranks of several processes. Within a process readers add up what its ranks stored; what comes from other
 * processes has to travel, so each sum gets memory: first that of this process' ranks, then, in place, of all.
 */
import { sizeOf, stridesOf } from "../../base/shape.js";
import type { Node, Tensor } from "../../graph/tensor.js";
import type { AllReduceKernel, LoopKernel } from "../plan.js";
import { isReadByOneSum } from "./jointProducts.js";
import { type BodyOptions, buildBody } from "./loopBody.js";
import { isGiven, storedNode } from "./materialize.js";

/**
 * Sums whose memory is that of what they add up: a value that nothing else reads, and that this process' ranks have
 * together already.
 */
export function sumsInPlace(
  order: readonly Tensor[],
  sums: ReadonlySet<Tensor>,
  outputs: ReadonlySet<Tensor>,
  { isStored, ranks, joint }: Omit<BodyOptions, "extents" | "bufferOf">,
): Map<Tensor, Tensor> {
  if (sums.size === 0) return new Map();
  const isOnlySummed = isReadByOneSum(order, isStored);
  const isOfAllRanks = (part: Tensor): boolean => ranks === 1 || joint.divided.get(part) === "rows";
  return new Map(
    [...sums].flatMap((sum): [Tensor, Tensor][] => {
      const part = storedNode(sum.inputs[0]);
      const serves = isStored(part) && !isGiven(part) && !outputs.has(part) && isOnlySummed(part);
      return serves && isOfAllRanks(part) ? [[sum, part]] : [];
    }),
  );
}

/**
 * The kernels of a sum: what this process' ranks have, unless it lies there already, then the beginning of the processes'
 * sum.
 */
export function lowerProcessSum(
  sum: Node<"allReduceSum">,
  memory: Omit<BodyOptions, "extents">,
): [...LoopKernel[], AllReduceKernel] {
  const target = memory.bufferOf(sum);
  const across: AllReduceKernel = {
    kind: "beginAllReduce",
    name: "allReduceSum",
    buffers: [target],
  };
  const part = storedNode(sum.inputs[0]);
  if (memory.isStored(part) && memory.bufferOf(part) === target) return [across];
  const body = buildBody({ ...memory, extents: sum.shape });
  const value = body.compute(sum);
  const within: LoopKernel = {
    kind: "loop",
    name: "sum of ranks",
    extents: sum.shape,
    reduced: sum.shape.map(() => false),
    body: body.instructions,
    stores: [{ value, access: { buffer: target, offset: 0, strides: stridesOf(sum.shape) } }],
    reductions: [],
  };
  return sizeOf(sum.shape) === 0 ? [across] : [within, across];
}
