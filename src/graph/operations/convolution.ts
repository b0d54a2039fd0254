/**
 * Two-dimensional convolution y = conv2d(x, w) and its two adjoints. All three sum, over the same triples of one
 * element each of x, w and y, the product of two of them into the third; so each one's gradients are the others.
 *
 * Channels last: images x [N, H, W, C], filters w [O, KH, KW, C / groups], outputs y [N, OH, OW, O]. As in all of
 * deep learning the filter is not flipped. An operand may have one more axis in front, of lanes: a convolution each.
 */
import { allocate, isFloat } from "../../base/dtype.js";
import { SlalomError } from "../../base/errors.js";
import { formatType, type Shape, sizeOf, type TensorType } from "../../base/shape.js";
import type {
  Batched,
  ConvolutionAttributes,
  Node,
  Operation,
  OperationAttributes,
  Tensor,
} from "../tensor.js";
import { sumOver } from "./broadcast.js";
import { type DefinedOperation, defineOperation } from "./define.js";
import { alignAxis, moveAxis, reshapeTo } from "./movement.js";
import { roundedOperand } from "./product.js";
import { formatWindow, isWindow, outputExtents } from "./window.js";

/**
 * The extents of one convolution, whichever of its three tensors is computed: x [images, height, width, channels], w
 * [filters, kernelHeight, kernelWidth, channels / groups], y [images, outputHeight, outputWidth, filters].
 */
export interface ConvolutionSizes {
  readonly images: number;
  readonly height: number;
  readonly width: number;
  readonly channels: number;
  readonly filters: number;
  readonly kernelHeight: number;
  readonly kernelWidth: number;
  readonly outputHeight: number;
  readonly outputWidth: number;
}

type ConvolutionName = "conv2d" | "conv2dInput" | "conv2dKernel";
/** The tensors of a convolution: images, filters, outputs. */
export type ConvolutionRole = "x" | "w" | "y";

/** Which tensor an operation computes, and from which two, in the order of its operands. */
export const convolutionRoles: {
  readonly [N in ConvolutionName]: {
    readonly of: ConvolutionRole;
    readonly from: readonly ConvolutionRole[];
  };
} = {
  conv2d: { of: "y", from: ["x", "w"] },
  conv2dInput: { of: "x", from: ["y", "w"] },
  conv2dKernel: { of: "w", from: ["x", "y"] },
};

export const conv2dOperation: DefinedOperation<"conv2d"> = convolution("conv2d", ({ x, w }, attributes) => {
  const [images, height, width] = x!;
  const [filters, kernelHeight, kernelWidth] = w!;
  return [images, ...outputExtents([height, width], [kernelHeight, kernelWidth], attributes), filters];
});

export const conv2dInputOperation: DefinedOperation<"conv2dInput"> = convolution(
  "conv2dInput",
  ({ y, w }, { input, groups }) => [y![0], ...input, w![3] * groups],
);

export const conv2dKernelOperation: DefinedOperation<"conv2dKernel"> = convolution(
  "conv2dKernel",
  ({ x, y }, { kernel, groups }) => [y![3], ...kernel, x![3] / groups],
);

/** Lanes, and the sizes of the convolution of each; `shapes` as the three tensors have them. */
export function convolutionSizes(shapes: Readonly<Record<ConvolutionRole, Shape>>): {
  lanes: number;
  sizes: ConvolutionSizes;
} {
  const all = [shapes.x, shapes.w, shapes.y];
  const [images, height, width, channels] = shapes.x.slice(-4);
  const [filters, kernelHeight, kernelWidth] = shapes.w.slice(-4);
  const [, outputHeight, outputWidth] = shapes.y.slice(-4);
  const sizes = {
    images,
    height,
    width,
    channels,
    filters,
    kernelHeight,
    kernelWidth,
    outputHeight,
    outputWidth,
  };
  return { lanes: all.find((shape) => shape.length === 5)?.[0] ?? 1, sizes };
}

/** The shapes of images, filters and outputs of a node. */
export function shapesByRole(node: Node<ConvolutionName>): Record<ConvolutionRole, Shape> {
  const { of, from } = convolutionRoles[node.op];
  return {
    [of]: node.shape,
    [from[0]]: node.inputs[0].shape,
    [from[1]]: node.inputs[1].shape,
  } as Record<ConvolutionRole, Shape>;
}

/** @param infer the shape without lanes of what is computed, from those of the operands by role */
function convolution<N extends ConvolutionName>(
  name: N,
  infer: (shapes: Partial<Record<ConvolutionRole, Shape>>, attributes: OperationAttributes[N]) => Shape,
): DefinedOperation<N> {
  const { of, from } = convolutionRoles[name];
  const record: Operation<ConvolutionName> = {
    infer: (inputs, given) => {
      const attributes = given as OperationAttributes[N];
      const fail = (): never => {
        throw new SlalomError("shape", mismatch(name, inputs, attributes));
      };
      const lanes = [
        ...new Set(inputs.filter(({ shape }) => shape.length === 5).map(({ shape }) => shape[0])),
      ];
      const sound =
        inputs.every(({ shape }) => shape.length === 4 || shape.length === 5) &&
        lanes.length <= 1 &&
        inputs[0].dtype === inputs[1].dtype &&
        isFloat(inputs[0].dtype) &&
        isWindow(attributes) &&
        Number.isInteger(attributes.groups) &&
        attributes.groups >= 1;
      if (!sound) fail();
      const shapes = Object.fromEntries(from.map((role, i) => [role, inputs[i].shape.slice(-4)]));
      const shape = infer(shapes, attributes);
      if (!fits({ ...shapes, [of]: shape } as Record<ConvolutionRole, Shape>, attributes)) fail();
      return { shape: [...lanes, ...shape], dtype: inputs[0].dtype };
    },
    gradient: (node, g) => from.map((role, i) => gradientFor(node, g, role, i as 0 | 1)),
    batch: (node, inputs) => batchConvolution(node, inputs),
    evaluate: (inputs, attributes, output) => {
      const shapes = { [of]: output.shape } as Record<ConvolutionRole, Shape>;
      from.forEach((role, i) => {
        shapes[role] = inputs[i].shape;
      });
      const totals = new Float64Array(sizeOf(output.shape));
      const [a, b] = inputs.map((input) => roundedOperand(input, attributes).data);
      forEachProduct(shapes, attributes, (at) => {
        totals[at[of]] += a[at[from[0]]] * b[at[from[1]]];
      });
      const data = allocate(output.dtype, totals.length);
      data.set(totals);
      return data;
    },
  };
  return defineOperation(name, record as unknown as Operation<N>);
}

/** Whether shapes without lanes belong to one convolution. */
function fits({ x, w, y }: Record<ConvolutionRole, Shape>, attributes: ConvolutionAttributes): boolean {
  const { groups } = attributes;
  const [height, width] = outputExtents([x[1], x[2]], [w[1], w[2]], attributes);
  return (
    x[0] === y[0] &&
    x[3] === w[3] * groups &&
    y[3] === w[0] &&
    w[0] % groups === 0 &&
    y[1] === height &&
    y[2] === width &&
    [...x, ...w, ...y].every((extent) => Number.isInteger(extent) && extent >= 1)
  );
}

const layouts: Readonly<Record<ConvolutionRole, string>> = {
  x: "images [N, H, W, C]",
  w: "filters [O, KH, KW, C / groups]",
  y: "outputs [N, OH, OW, O]",
};

function mismatch(
  name: ConvolutionName,
  inputs: readonly TensorType[],
  attributes: ConvolutionAttributes,
): string {
  const received = inputs.map(formatType).join(" with ");
  const expected = convolutionRoles[name].from.map((role) => layouts[role]).join(" with ");
  const { groups, dilation } = attributes;
  return `${name}: ${received}, ${formatWindow(attributes)}, dilation ${dilation}, groups ${groups}; expected ${expected} of one float dtype, C and O divisible by groups, and a window that fits into the padded image. Channels come last.`;
}

const byRole = {
  x: (y: Tensor, w: Tensor, attributes: ConvolutionAttributes, shape: Shape): Tensor =>
    conv2dInputOperation.apply([y, w], { ...attributes, input: [shape.at(-3)!, shape.at(-2)!] }),
  w: (x: Tensor, y: Tensor, attributes: ConvolutionAttributes, shape: Shape): Tensor =>
    conv2dKernelOperation.apply([x, y], { ...attributes, kernel: [shape.at(-3)!, shape.at(-2)!] }),
  y: (x: Tensor, w: Tensor, attributes: ConvolutionAttributes): Tensor =>
    conv2dOperation.apply([x, w], attributes),
};

/** The gradient for the operand of `role`: the operation that computes it from the other operand and `g`. */
function gradientFor(node: Node<ConvolutionName>, g: Tensor, role: ConvolutionRole, at: 0 | 1): Tensor {
  const { of, from } = convolutionRoles[node.op];
  const { stride, padding, dilation, groups } = node.attributes;
  const tensors = { [of]: g, [from[1 - at]]: node.inputs[1 - at] } as Record<ConvolutionRole, Tensor>;
  const name = (Object.keys(convolutionRoles) as ConvolutionName[]).find(
    (candidate) => convolutionRoles[candidate].of === role,
  )!;
  const [first, second] = convolutionRoles[name].from;
  const operand = node.inputs[at];
  const gradient = byRole[role](
    tensors[first],
    tensors[second],
    { stride, padding, dilation, groups },
    operand.shape,
  );
  // An operand without lanes serves all of them.
  return gradient.shape.length > operand.shape.length ? sumOver(gradient, [0]) : gradient;
}

function batchConvolution(node: Node<ConvolutionName>, inputs: readonly Batched[]): Batched {
  const { from } = convolutionRoles[node.op];
  const apply = (operands: readonly Tensor[]): Tensor =>
    ({
      conv2d: conv2dOperation,
      conv2dInput: conv2dInputOperation,
      conv2dKernel: conv2dKernelOperation,
    })[node.op].apply(operands, node.attributes as never);
  const lanes = inputs.flatMap(({ tensor, axis }) => (axis === undefined ? [] : [tensor.shape[axis]]))[0];
  const plain = node.inputs.every(({ shape }) => shape.length === 4);
  if (plain && from[1] === "w" && inputs[1].axis === undefined) {
    // With the same filters for all, lanes are more images.
    const images = moveAxis(inputs[0].tensor, inputs[0].axis!, 0);
    const joined = apply([
      reshapeTo(images, [lanes * images.shape[1], ...images.shape.slice(2)]),
      inputs[1].tensor,
    ]);
    return { tensor: reshapeTo(joined, [lanes, joined.shape[0] / lanes, ...joined.shape.slice(1)]), axis: 0 };
  }
  if (plain) {
    const operands = inputs.map((input) =>
      input.axis === undefined ? input.tensor : alignAxis(input, 0, lanes),
    );
    return { tensor: apply(operands), axis: 0 };
  }
  // Lanes of lanes are more lanes.
  const inner = node.inputs.find(({ shape }) => shape.length === 5)!.shape[0];
  const operands = inputs.map((input, i) => {
    const hasInner = node.inputs[i].shape.length === 5;
    if (!hasInner && input.axis === undefined) return input.tensor;
    const outer = alignAxis(input, 0, lanes);
    const both = hasInner ? outer : alignAxis({ tensor: outer, axis: undefined }, 1, inner);
    return reshapeTo(both, [lanes * inner, ...both.shape.slice(2)]);
  });
  const joined = apply(operands);
  return { tensor: reshapeTo(joined, [lanes, inner, ...joined.shape.slice(1)]), axis: 0 };
}

/** Row-major positions of one product: its elements of x, of w, and of y. */
type Product = Record<ConvolutionRole, number>;

/** Every triple of elements of which two multiply into the third. */
function forEachProduct(
  shapes: Record<ConvolutionRole, Shape>,
  { stride, padding, dilation, groups }: ConvolutionAttributes,
  visit: (at: Product) => void,
): void {
  const { lanes, sizes } = convolutionSizes(shapes);
  const { images, height, width, channels, filters, kernelHeight, kernelWidth, outputHeight, outputWidth } =
    sizes;
  const perLane = (shape: Shape): number => (shape.length === 5 ? sizeOf(shape.slice(1)) : 0);
  const [laneX, laneW, laneY] = [perLane(shapes.x), perLane(shapes.w), perLane(shapes.y)];
  const inGroup = channels / groups;
  const filtersInGroup = filters / groups;
  const at: Product = { x: 0, w: 0, y: 0 };
  const taps = (lane: number, image: number, row: number, column: number, filter: number): void => {
    at.y = lane * laneY + ((image * outputHeight + row) * outputWidth + column) * filters + filter;
    const firstChannel = Math.floor(filter / filtersInGroup) * inGroup;
    for (let i = 0; i < kernelHeight; i++) {
      const y = row * stride[0] - padding[0][0] + i * dilation[0];
      if (y < 0 || y >= height) continue;
      for (let j = 0; j < kernelWidth; j++) {
        const x = column * stride[1] - padding[1][0] + j * dilation[1];
        if (x < 0 || x >= width) continue;
        const pixel = lane * laneX + ((image * height + y) * width + x) * channels + firstChannel;
        const tap = lane * laneW + ((filter * kernelHeight + i) * kernelWidth + j) * inGroup;
        for (let c = 0; c < inGroup; c++) {
          at.x = pixel + c;
          at.w = tap + c;
          visit(at);
        }
      }
    }
  };
  for (let lane = 0; lane < lanes; lane++)
    for (let image = 0; image < images; image++)
      for (let row = 0; row < outputHeight; row++)
        for (let column = 0; column < outputWidth; column++)
          for (let filter = 0; filter < filters; filter++) taps(lane, image, row, column, filter);
}
