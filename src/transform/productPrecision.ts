/** Mixed precision: products of rounded operands in a graph whose other arithmetic stays as it is. */
import type { Tensor } from "../graph/tensor.js";
import { rewrite } from "../graph/traverse.js";

/**
 * The graph with every product of float32 operands, of matrices or of images and filters, taken of operands that are
 * rounded to `precision`; sums, and all else, stay float32. Transform a finished graph: derivatives that are taken of
 * the result know nothing of it.
 */
export function withProductPrecision(outputs: readonly Tensor[], precision: "bfloat16"): Tensor[] {
  return rewrite(outputs, (node) => {
    if (node.dtype !== "float32") return node;
    switch (node.op) {
      case "dot":
        return { ...node, attributes: { ...node.attributes, precision } };
      case "conv2d":
        return { ...node, attributes: { ...node.attributes, precision } };
      case "conv2dInput":
        return { ...node, attributes: { ...node.attributes, precision } };
      case "conv2dKernel":
        return { ...node, attributes: { ...node.attributes, precision } };
      default:
        return node;
    }
  });
}
