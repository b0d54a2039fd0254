/** Kernels over images: convolutions, and pooling. */
import { sizeOf } from "../../base/shape.js";
import { convolutionRoles, convolutionSizes, shapesByRole } from "../../graph/operations/convolution.js";
import { type PoolName, poolShapes } from "../../graph/operations/pooling.js";
import type { Node, Tensor } from "../../graph/tensor.js";
import type { ConvolutionKernel, ConvolutionOperand, PoolKernel } from "../plan.js";

/** @param bufferOf the memory that holds a tensor, contiguous */
export function convolutionKernel(
  node: Node<"conv2d" | "conv2dInput" | "conv2dKernel">,
  bufferOf: (node: Tensor) => number,
): ConvolutionKernel {
  const { of, from } = convolutionRoles[node.op];
  const { lanes, sizes } = convolutionSizes(shapesByRole(node));
  const { stride, padding, dilation, groups, precision } = node.attributes;
  const operand = (tensor: Tensor): ConvolutionOperand => ({
    buffer: bufferOf(tensor),
    laneStride: tensor.shape.length === 5 ? sizeOf(tensor.shape.slice(1)) : 0,
  });
  const operands = {
    [of]: operand(node as unknown as Tensor),
    [from[0]]: operand(node.inputs[0]),
    [from[1]]: operand(node.inputs[1]),
  } as Pick<ConvolutionKernel, "x" | "w" | "y">;
  return {
    kind: "convolution",
    name: node.op,
    dtype: node.dtype as "float32" | "float64",
    computes: of,
    sizes,
    attributes: { stride, padding, dilation, groups, ...(precision && { precision }) },
    lanes,
    ...operands,
    relu: false,
  };
}

const modes: { readonly [N in PoolName]: PoolKernel["mode"] } = {
  maxPool2d: "max",
  argmaxPool2d: "max",
  unpool2d: "unpool",
  pickPool2d: "pick",
  sumPool2d: "sum",
  spreadPool2d: "spread",
};

export function poolKernel(node: Node<PoolName>, bufferOf: (node: Tensor) => number): PoolKernel {
  const { images, pooled } = poolShapes(node);
  const { size, stride, padding } = node.attributes;
  const own = bufferOf(node as unknown as Tensor);
  const index = node.op === "argmaxPool2d" ? own : node.inputs[1] && bufferOf(node.inputs[1]);
  return {
    kind: "pool",
    name: node.op,
    mode: modes[node.op],
    dtype: node.inputs[0].dtype as "float32" | "float64",
    images: images[0],
    height: images[1],
    width: images[2],
    channels: images[3],
    outputHeight: pooled[1],
    outputWidth: pooled[2],
    attributes: { size, stride, padding },
    source: bufferOf(node.inputs[0]),
    ...(node.op !== "argmaxPool2d" && { target: own }),
    ...(index !== undefined && { index }),
  };
}
