/** The same sums in another order: how much of a result is rounding shows where it is computed twice. */
import { isFloat } from "../base/dtype.js";
import { add, slice } from "../graph/index.js";
import { sumOver } from "../graph/operations/broadcast.js";
import { conv2dKernelOperation } from "../graph/operations/convolution.js";
import { dot } from "../graph/operations/dot.js";
import type { Tensor } from "../graph/tensor.js";
import { rewrite } from "../graph/traverse.js";

/**
 * The graph with every sum, of elements, of products in a contraction, of images in a filter's gradient, taken in two
 * halves along its first axis, which are then added: equal in exact arithmetic, and otherwise rounded. Sums within the
 * windows of convolutions and poolings stay. Transform a finished graph: derivatives of the result are other graphs.
 */
export const sumsInHalves = (outputs: readonly Tensor[]): Tensor[] =>
  rewrite(outputs, (node) => {
    if (!isFloat(node.dtype)) return node;
    switch (node.op) {
      case "sum": {
        const [x] = node.inputs;
        const { axes } = node.attributes;
        const axis = axes.find((one) => x.shape[one] > 1);
        if (axis === undefined) return node;
        const [first, second] = halves(x, axis);
        return add(sumOver(first, axes), sumOver(second, axes));
      }
      case "dot": {
        const { contract } = node.attributes;
        const pair = contract[0].findIndex((axis) => node.inputs[0].shape[axis] > 1);
        if (pair < 0) return node;
        const [a, b] = node.inputs.map((x, side) => halves(x, contract[side][pair]));
        return add(dot(a[0], b[0], node.attributes), dot(a[1], b[1], node.attributes));
      }
      case "conv2dKernel": {
        if (node.inputs[0].shape.at(-4) === 1) return node;
        const [x, y] = node.inputs.map((images) => halves(images, images.shape.length - 4));
        const summed = (half: 0 | 1): Tensor =>
          conv2dKernelOperation.apply([x[half], y[half]], node.attributes);
        return add(summed(0), summed(1));
      }
      default:
        return node;
    }
  });

function halves(x: Tensor, axis: number): readonly [Tensor, Tensor] {
  const middle = Math.ceil(x.shape[axis] / 2);
  return [slice(x, { axis, stop: middle }), slice(x, { axis, start: middle })];
}
