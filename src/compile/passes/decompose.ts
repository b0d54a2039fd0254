/** Rewrites operations that no device needs a kernel for into others that fuse. */

import { equal, notEqual, or, where } from "../../graph/functions.js";
import { broadcastAlong } from "../../graph/operations/broadcast.js";
import { iota } from "../../graph/operations/leaves.js";
import { reduceMaxOperation, reduceMinOperation } from "../../graph/operations/reduce.js";
import type { Tensor } from "../../graph/tensor.js";

/** argmax: the least index whose element is the greatest or NaN. stopGradient: its operand. */
export function decompose(node: Tensor): Tensor {
  if (node.op === "stopGradient") return node.inputs[0];
  if (node.op !== "argmax") return node;
  const [x] = node.inputs;
  const { axis } = node.attributes;
  const others = x.shape.map((_, i) => i).filter((i) => i !== axis);
  const greatest = broadcastAlong(reduceMaxOperation.apply([x], { axes: [axis] }), x.shape, others);
  const picked = or(equal(x, greatest), notEqual(x, x));
  const index = where(picked, iota(x.shape, axis), x.shape[axis] - 1);
  return reduceMinOperation.apply([index], { axes: [axis] });
}
