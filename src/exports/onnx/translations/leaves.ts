/** Tensors without operands. A variable is an input of the model or has values; both are known before. */
import { allocate } from "../../../base/dtype.js";
import { SlalomError } from "../../../base/errors.js";
import { allAxes } from "../builder.js";
import { isOpen } from "../extents.js";
import { outsideInference, type Translation } from "./translation.js";

export const variableTranslation: Translation<"variable"> = ({ node }) => {
  throw new SlalomError(
    "option",
    `export to ONNX: the logits depend on the variable "${node.attributes.name}", which a model that runs does not know; expected the inputs and the parameters alone.`,
  );
};

export const constantTranslation: Translation<"constant"> = ({ node, shape }) => ({
  name: "constant",
  type: node.dtype,
  shape,
  axes: allAxes(shape),
  data: node.attributes.data,
});

export const fullTranslation: Translation<"full"> = ({ node, shape, onnx }) =>
  onnx.scalar(node.attributes.value, node.dtype, shape);

export const iotaTranslation: Translation<"iota"> = ({ node, shape, onnx }) => {
  const { axis } = node.attributes;
  const extent = shape[axis];
  if (!isOpen(extent)) {
    const data = allocate(node.dtype, extent).map((_, i) => i);
    return { name: "constant", type: node.dtype, shape, axes: [axis], data };
  }
  const count = onnx.node("Squeeze", [onnx.extents([extent])]);
  const [first, step] = [0, 1].map((value) => onnx.node("Squeeze", [onnx.integers([value])]));
  const counted = onnx.node("Range", [first, count, step]);
  return onnx.cast({ name: counted, type: "int64", shape, axes: [axis] }, node.dtype);
};

export const rankTranslation: Translation<"rank"> = outsideInference("it tells ranks of one training apart");
