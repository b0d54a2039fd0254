/**
 * Which tensors are stored and which are computed where they are used. Storing costs memory traffic, computing
 * twice costs arithmetic; a tensor is stored if something can only read memory, or if it is dear and used by
 * several kernels.
 */

import { isElementwise } from "../../graph/operations/index.js";
import type { ElementwiseName, OperationName, Tensor } from "../../graph/tensor.js";
import { isMovement, splitsOnly } from "./indexMap.js";
import { viewOf } from "./views.js";

/** Memory that exists before any kernel runs. */
export const isGiven = (node: Tensor): boolean => node.op === "variable" || node.op === "constant";

/** Operations that a kernel of their own computes, into memory. */
export const ownKernels: ReadonlySet<OperationName> = new Set([
  "sum",
  "reduceMax",
  "reduceMin",
  "dot",
  "scatterAdd",
  "pad",
  "concat",
  "conv2d",
  "conv2dInput",
  "conv2dKernel",
  "maxPool2d",
  "argmaxPool2d",
  "unpool2d",
  "pickPool2d",
  "sumPool2d",
  "spreadPool2d",
]);

/** Neither another view nor a pattern without memory: storing it makes every view of it readable. */
export const isComputed = (node: Tensor): boolean =>
  !isMovement(node) && node.op !== "full" && node.op !== "iota" && node.op !== "rank";

/** Cheaper than a store and a load: compute it again. */
const cheap = 2;

/** A reshape is another name for the same memory: the node whose memory it is. */
export const storedNode = (node: Tensor): Tensor =>
  node.op === "reshape" ? storedNode(node.inputs[0]) : node;

/**
 * The nodes of `order` (inputs first) that get memory, given the nodes that must have it. Reshapes never do:
 * they share their input's.
 */
export function materialize(order: readonly Tensor[], required: readonly Tensor[]): Set<Tensor> {
  const stored = new Set<Tensor>(required);
  const isStored = (node: Tensor): boolean =>
    stored.has(node) || isGiven(node) || (node.op === "reshape" && isStored(node.inputs[0]));
  const store = (node: Tensor): void => {
    const target = storedNode(node);
    if (!isGiven(target)) stored.add(target);
  };
  const costs = new Map<Tensor, number>();
  const costOf = (node: Tensor): number => (stored.has(node) ? 0 : (costs.get(node) ?? 0));
  for (const node of order) {
    costs.set(
      node,
      node.inputs.reduce((sum, input) => sum + costOf(input), isElementwise(node.op) ? weights[node.op] : 0),
    );
    if (ownKernels.has(node.op)) stored.add(node);
    switch (node.op) {
      case "dot":
      case "take":
      case "allReduceSum":
        for (const operand of node.op === "dot" ? node.inputs : node.inputs.slice(0, 1)) {
          if (!viewOf(operand, isStored)) store(viewOf(operand, isComputed)?.base ?? operand);
        }
        break;
      case "scatterAdd":
      case "conv2d":
      case "conv2dInput":
      case "conv2dKernel":
      case "maxPool2d":
      case "argmaxPool2d":
      case "unpool2d":
      case "pickPool2d":
      case "sumPool2d":
      case "spreadPool2d":
        // Their kernels walk all operands in order.
        for (const operand of node.inputs) store(operand);
        break;
      case "broadcast":
        // Repeating something dear would compute it once for each copy.
        if (costOf(node.inputs[0]) > 2 * cheap) store(node.inputs[0]);
        break;
      case "reshape":
        if (!isStored(node.inputs[0]) && !splitsOnly(node.inputs[0].shape, node.shape)) store(node.inputs[0]);
        break;
    }
  }
  storeShared(order, stored, costOf);
  return stored;
}

/** Stores what several kernels would compute for themselves, unless it is cheap. */
function storeShared(order: readonly Tensor[], stored: Set<Tensor>, costOf: (node: Tensor) => number): void {
  const usedBy = new Map<Tensor, Set<Tensor>>();
  for (const node of [...order].reverse()) {
    let roots = usedBy.get(node) ?? new Set<Tensor>();
    if (!stored.has(node) && roots.size > 1 && costOf(node) > cheap && !isMovement(node) && !isGiven(node))
      stored.add(node);
    if (stored.has(node)) roots = new Set([node]);
    for (const input of node.inputs) {
      const sofar = usedBy.get(input);
      if (sofar) for (const root of roots) sofar.add(root);
      else usedBy.set(input, new Set(roots));
    }
  }
}

/** Rough costs in units of one multiplication. */
const weights: { readonly [N in ElementwiseName]: number } = {
  neg: 1,
  abs: 1,
  sign: 2,
  floor: 1,
  exp: 12,
  log: 14,
  log1p: 20,
  sqrt: 4,
  rsqrt: 6,
  sin: 20,
  cos: 20,
  tanh: 14,
  sigmoid: 14,
  relu: 1,
  stopGradient: 0,
  cast: 1,
  add: 1,
  sub: 1,
  mul: 1,
  div: 4,
  pow: 40,
  maximum: 1,
  minimum: 1,
  floorDivide: 6,
  remainder: 8,
  equal: 1,
  notEqual: 1,
  less: 1,
  lessEqual: 1,
  where: 1,
  randomBits: 80,
  randomUniform: 84,
  randomNormal: 120,
  permute: 200,
};
