/** Convolution and pooling: channels last in our graphs, channels first in ONNX. */
import { SlalomError } from "../../../base/errors.js";
import { formatType } from "../../../base/shape.js";
import type { Node } from "../../../graph/index.js";
import type { ConvolutionAttributes, PoolAttributes, WindowAttributes } from "../../../graph/tensor.js";
import type { Attributes, OnnxBuilder, Value } from "../builder.js";
import type { Translation } from "./translation.js";

/** [N, H, W, C] as [N, C, H, W], and filters [O, KH, KW, C] as [O, C, KH, KW]. */
const channelsFirst = [0, 3, 1, 2] as const;

export const conv2dTranslation: Translation<"conv2d"> = ({ node, inputs: [x, w], shape, onnx }) => {
  checkPlain(node);
  const attributes = convolutionAttributes(node.attributes, w);
  const name = onnx.node(
    "Conv",
    [x, w].map((value) => onnx.filled(value, channelsFirst)),
    attributes,
  );
  return { name, type: x.type, shape, axes: channelsFirst };
};

export const conv2dInputTranslation: Translation<"conv2dInput"> = ({ node, inputs: [y, w], shape, onnx }) => {
  checkPlain(node);
  const { stride, padding, dilation, input } = node.attributes;
  // Rows and columns of the image that no window reached.
  const rest = ([0, 1] as const).map((axis) => {
    const [outputs, taps] = [y, w].map((value) => value.shape[axis + 1] as number);
    const covered = (outputs - 1) * stride[axis] + dilation[axis] * (taps - 1) + 1;
    return input[axis] - (covered - padding[axis][0] - padding[axis][1]);
  });
  const name = onnx.node(
    "ConvTranspose",
    [y, w].map((value) => onnx.filled(value, channelsFirst)),
    {
      ...convolutionAttributes(node.attributes, w),
      output_padding: rest,
    },
  );
  return { name, type: y.type, shape, axes: channelsFirst };
};

export const maxPool2dTranslation: Translation<"maxPool2d"> = ({ node, inputs: [x], shape, onnx }) =>
  pooled(onnx, "MaxPool", x, { shape, attributes: poolAttributes(node.attributes) });

/** The mean of each window, padding counted as zeros, times its size. */
export const sumPool2dTranslation: Translation<"sumPool2d"> = ({ node, inputs: [x], shape, onnx }) => {
  const { size } = node.attributes;
  const attributes = { ...poolAttributes(node.attributes), count_include_pad: 1 };
  const mean = pooled(onnx, "AveragePool", x, { shape, attributes });
  return onnx.elementwise("Mul", [mean, onnx.scalar(size[0] * size[1], node.dtype, shape)]);
};

const pooled = (
  onnx: OnnxBuilder,
  opType: string,
  x: Value,
  { shape, attributes }: { readonly shape: Value["shape"]; readonly attributes: Attributes },
): Value => ({
  name: onnx.node(opType, [onnx.filled(x, channelsFirst)], attributes),
  type: x.type,
  shape,
  axes: channelsFirst,
});

/** ONNX lists what is before each axis, then what is behind. */
const windowAttributes = ({ stride, padding: [rows, columns] }: WindowAttributes): Attributes => ({
  strides: stride,
  pads: [rows[0], columns[0], rows[1], columns[1]],
});

const poolAttributes = ({ size, ...window }: PoolAttributes): Attributes => ({
  kernel_shape: size,
  ...windowAttributes(window),
});

const convolutionAttributes = (
  { dilation, groups, ...window }: ConvolutionAttributes,
  filters: Value,
): Attributes => ({
  kernel_shape: [filters.shape[1], filters.shape[2]] as number[],
  dilations: dilation,
  group: groups,
  ...windowAttributes(window),
});

function checkPlain(node: Node<"conv2d"> | Node<"conv2dInput">): void {
  if (node.inputs.every(({ shape }) => shape.length === 4)) return;
  throw new SlalomError(
    "option",
    `export to ONNX: ${node.op} of ${node.inputs.map(formatType).join(" with ")} holds several lanes; expected one model, images [N, H, W, C] and filters [O, KH, KW, C / groups].`,
  );
}
